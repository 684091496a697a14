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

LARGEST_MATRIX = 2**22
"""Entries of the matrix that sums modes into shells; beyond it modes are added one by one."""


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
        self._matrices: dict[tuple[torch.dtype, torch.device], Tensor] = {}

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
        """Fourier coefficients "... *modes", scaled so that the sum of |u_hat|^2 over all of them is <u^2>.

        The modes that a real transform leaves out count in those that it holds.
        """
        for axis, layout in enumerate(self.grid.layout):
            dim = axis - self.grid.ndim
            if layout != "periodic":
                mirrored = u.flip(dim)
                u = torch.cat([u, mirrored if layout == "cells" else mirrored.narrow(dim, 1, u.shape[dim] - 2)], dim)
        u_hat = torch.fft.rfftn(u, dim=tuple(range(-self.grid.ndim, 0)), norm="forward")
        return u_hat.flatten(-self.grid.ndim)

    def sums(self, u_hat: Tensor) -> Tensor:
        """sum of |u_hat|^2 over the modes of each shell, "... shell"."""
        power = u_hat.real.square() + u_hat.imag.square()
        if self.index.numel() * self.n <= LARGEST_MATRIX:
            return power @ self._matrix(power)
        power = power * self.multiplicity.flatten().to(power)
        return power.new_zeros(*power.shape[:-1], self.n).index_add_(-1, self.index.to(power.device), power)

    def total(self, u_hat: Tensor, weight: Tensor) -> Tensor:
        """sum of weight |u_hat|^2 over all modes, "..."; the weight is one number for each mode."""
        power = u_hat.real.square() + u_hat.imag.square()
        return power @ (self.multiplicity.flatten() * weight).to(power)

    def _matrix(self, like: Tensor) -> Tensor:
        key = (like.dtype, like.device)
        if key not in self._matrices:
            matrix = torch.zeros(len(self.index), self.n, dtype=torch.float64)
            matrix[torch.arange(len(self.index)), self.index] = self.multiplicity.flatten()
            self._matrices[key] = matrix.to(like)
        return self._matrices[key]


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
