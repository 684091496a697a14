"""Shells of wavenumbers: which modes they hold, and sums over them, on periodic and bounded axes.

Shell j holds the modes with j - 1/2 <= |k|/k_1 < j + 1/2, where k_1 = 2 pi / (longest period) is the spacing of
the shells; shell 0 is the mean. All modes are kept, those in the corners of the box and those of mixed sign too. A
bounded axis is reflected evenly, which doubles its period: on it modes are cosines, half as far apart.
"""

from __future__ import annotations

import math
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from pdekit.fields import Grid, Problem


class Shells:
    """The modes of a grid. Two grids with the same points and lengths have the same."""

    def __init__(self, grid: Grid):
        self.grid = grid
        self.counts = tuple(
            {"periodic": n, "cells": 2 * n, "nodes": max(2 * n - 2, 1)}[layout]
            for n, layout in zip(grid.shape, grid.layout, strict=True)
        )
        periods = [
            length if layout == "periodic" else 2 * length
            for length, layout in zip(grid.extent, grid.layout, strict=True)
        ]
        self.spacing = 2 * math.pi / max(periods)
        square = torch.zeros(())
        for axis, (n, period) in enumerate(zip(self.counts, periods, strict=True)):
            modes = torch.fft.rfftfreq if axis == grid.ndim - 1 else torch.fft.fftfreq
            k = modes(n, 1 / n, dtype=torch.float64) * (max(periods) / period)
            square = square.unsqueeze(-1) + k**2
        self.index = (square.sqrt() + 0.5).floor().long().flatten()
        self.n = int(self.index.max()) + 1
        self.square_wavenumber = square.flatten() * self.spacing**2
        self._known_runs: dict[tuple[torch.dtype, torch.device], tuple[Tensor, Tensor, Tensor]] = {}

    @property
    def wavenumbers(self) -> Tensor:
        """k_j = j k_1 of every shell."""
        return torch.arange(self.n, dtype=torch.float64) * self.spacing

    @cached_property
    def multiplicity(self) -> Tensor:
        """2 for modes whose complex conjugate the real transform leaves out, else 1; "*modes"."""
        n_last = self.counts[-1]
        twice = torch.ones(*self.counts[:-1], n_last // 2 + 1, dtype=torch.float64)
        twice[..., 1 : (n_last + 1) // 2] = 2
        return twice

    def transform(self, u: Tensor) -> Tensor:
        """Fourier coefficients "mode ..." of "... *space", scaled so that the sum of |u_hat|^2 over all is <u^2>.

        The modes that a real transform leaves out count in those that it holds. Modes come first: a sum over some of
        them is then one of whole rows.
        """
        for axis, layout in enumerate(self.grid.layout):
            dim = axis - self.grid.ndim
            if layout != "periodic":
                mirrored = u.flip(dim)
                u = torch.cat([u, mirrored if layout == "cells" else mirrored.narrow(dim, 1, u.shape[dim] - 2)], dim)
        u_hat = torch.fft.rfftn(u, dim=tuple(range(-self.grid.ndim, 0)), norm="forward")
        return _modes_first(u_hat.flatten(-self.grid.ndim))

    def add(self, squares: Tensor) -> Tensor:
        """sum of |u_hat|^2 over the modes of each shell, and of |k|^2 |u_hat|^2 over all: "sum ... part"."""
        return _add(squares, *self._runs(squares))

    @staticmethod
    def sums(found: Tensor) -> tuple[Tensor, Tensor]:
        """What `add` has found, of both parts: the shells "... shell", and the rest "..."."""
        total = (found[..., 0] + found[..., 1]).movedim(0, -1).contiguous()
        return total[..., :-1], total[..., -1]

    def total(self, squares: Tensor, weight: Tensor) -> Tensor:
        """sum of weight |u_hat|^2 over all modes, "..."; the weight is one number for each mode."""
        all_modes = torch.arange(len(squares), dtype=torch.int32, device=squares.device)
        weights = (self.multiplicity.flatten() * weight).to(squares)
        return _add(squares, all_modes, all_modes[:1], weights)[0].sum(-1)

    def _runs(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The modes of one shell after the other and then all of them; where each run begins; the weight of each."""
        key = (like.dtype, like.device)
        if key not in self._known_runs:
            order = self.index.argsort(stable=True)
            starts = torch.searchsorted(self.index[order], torch.arange(self.n + 1))
            count = self.multiplicity.flatten()
            weights = torch.cat([count[order], count * self.square_wavenumber]).to(like)
            order = torch.cat([order, torch.arange(len(order))])
            self._known_runs[key] = order.int().to(like.device), starts.int().to(like.device), weights
        return self._known_runs[key]


def _modes_first(u_hat: Tensor) -> Tensor:
    """A copy of "... mode" as "mode ...". As complex numbers of 8 bytes it would take 1.7 times as long."""
    if u_hat.dtype == torch.complex64:
        return u_hat.view(torch.float64).movedim(-1, 0).contiguous().view(torch.complex64)
    return u_hat.movedim(-1, 0).contiguous()


def squares(u_hat: Tensor) -> Tensor:
    """Squares of the real and the imaginary part of each mode, "mode ... part"."""
    return torch.view_as_real(u_hat).square()


def _add(squares: Tensor, order: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums over consecutive runs of modes in an order: "mode ... part" -> "run ... part"."""
    rows = squares.flatten(1)
    found = torch.nn.functional.embedding_bag(order, rows, starts, mode="sum", per_sample_weights=weights)
    return found.reshape(len(starts), *squares.shape[1:])


@lru_cache(maxsize=8)
def shells(grid: Grid) -> Shells:
    """The shells of a grid, made once."""
    return Shells(grid)


def shells_of(problem: Problem, mask: Tensor | None = None) -> Shells:
    """The shells of a problem's grid.

    Raises:
        ValueError: for a mesh, a mask, or a problem without space.
    """
    whole = isinstance(problem.grid, Grid) and problem.grid.shape
    if not whole or (mask is not None and not bool((mask > 0).all())):
        raise ValueError(
            "expected a field on a whole box for a spectrum, found a mesh, a mask or a problem without space; "
            "leave the spectral measures out (Measure.suits tells)"
        )
    return shells(problem.grid)
