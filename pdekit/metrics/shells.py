"""Shells of wavenumbers: which modes they hold, and sums over them, on periodic and bounded axes.

Shell j holds the modes with j - 1/2 <= |k|/k_1 < j + 1/2, where k_1 = 2 pi / (longest period) is the spacing of
the shells; shell 0 is the mean. All modes are kept, those in the corners of the box and those of mixed sign too. A
bounded axis is reflected evenly, which doubles its period: on it modes are cosines, half as far apart.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Grid, Problem


@contextmanager
def _ordinary() -> Iterator[None]:
    """What is kept for all is made on the CPU, and may take part in gradients, wherever it is first asked for."""
    with torch.inference_mode(False), torch.device("cpu"):
        yield


def _kept(make: Callable) -> Callable:
    """Made once for each kind of number and device."""

    @functools.wraps(make)
    def known(shells: Shells, *kind):
        key = (make.__name__, *kind)
        if key not in shells.kept:
            with _ordinary():
                shells.kept[key] = make(shells, *kind)
        return shells.kept[key]

    return known


class Shells:
    """The modes of a grid. Two grids with the same points and lengths have the same.

    Of each mode, "mode", ``index`` is its shell, ``square_wavenumber`` |k|^2, and ``multiplicity`` 2 if a real
    transform leaves its complex conjugate out, else 1.
    """

    def __init__(self, grid: Grid):
        self.grid = grid
        self.counts = tuple(
            {"periodic": n, "cells": 2 * n, "half_open": 2 * n, "nodes": max(2 * n - 2, 1)}[layout]
            for n, layout in zip(grid.shape, grid.layout, strict=True)
        )
        periods = [
            length if layout == "periodic" else 2 * length
            for length, layout in zip(grid.extent, grid.layout, strict=True)
        ]
        self.spacing = 2 * math.pi / max(periods)
        square = torch.zeros((), dtype=torch.float64)
        for axis, (n, period) in enumerate(zip(self.counts, periods, strict=True)):
            modes = torch.fft.rfftfreq if axis == grid.ndim - 1 else torch.fft.fftfreq
            k = modes(n, 1 / n, dtype=torch.float64) * (max(periods) / period)
            square = square.unsqueeze(-1) + k**2
        self.index = (square.sqrt() + 0.5).floor().long().flatten()
        self.n = int(self.index.max()) + 1
        self.square_wavenumber = square.flatten() * self.spacing**2
        n_last = self.counts[-1]
        of_line = torch.ones(n_last // 2 + 1, dtype=torch.float64)
        of_line[1 : (n_last + 1) // 2] = 2
        self.multiplicity = of_line.repeat(math.prod(self.counts[:-1]))
        self.kept: dict[tuple, Any] = {}

    @property
    def wavenumbers(self) -> Tensor:
        """k_j = j k_1 of every shell."""
        return torch.arange(self.n, dtype=torch.float64) * self.spacing

    @property
    def scale(self) -> float:
        """Of the coefficients: that of mode 0 times it is the mean."""
        return 1 / math.prod(self.counts)

    def transform(self, u: Tensor) -> Tensor:
        """Fourier coefficients "... mode" of "... *space": the sum of `multiplicity` |`scale` u_hat|^2 is <u^2>.

        They are not scaled, because that would take a fifteenth of the transform's time; it has to be done before they
        are squared, though, or large fields would overflow.
        """
        for axis, layout in enumerate(self.grid.layout):
            dim = axis - self.grid.ndim
            if layout != "periodic":
                mirrored = u.flip(dim)
                u = torch.cat([u, mirrored.narrow(dim, 1, u.shape[dim] - 2) if layout == "nodes" else mirrored], dim)
        return torch.fft.rfftn(u, dim=tuple(range(-self.grid.ndim, 0))).flatten(-self.grid.ndim)

    def total(self, u_hat: Tensor, factor: Tensor) -> Tensor:
        """sum of `multiplicity` factor |`scale` u_hat|^2 over all modes, "..."; factor is one number for each mode."""
        square = torch.view_as_real(self.scale * u_hat).square().sum(-1)
        return (square * (self.multiplicity * factor).to(square)).sum(-1)

    @_kept
    def points(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Weights of the points in a mean over space, "point"."""
        weights = self.grid.weights().flatten()
        return (weights / weights.sum()).to(device, dtype)

    @_kept
    def runs(self, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """The modes of one shell after the other and then all of them; where each run begins; the weight of each.

        Summed over runs |u_hat|^2 gives the power of each shell, and then the sum of |k|^2 |u_hat|^2.
        """
        order = self.index.argsort(stable=True)
        starts = torch.searchsorted(self.index[order], torch.arange(self.n + 1))
        weights = torch.cat([self.multiplicity[order], self.multiplicity * self.square_wavenumber])
        order = torch.cat([order, torch.arange(len(order))])
        return order.int().to(device), starts.int().to(device), weights.to(device, dtype)

    @_kept
    def lines(self, dtype: torch.dtype) -> tuple[np.ndarray, ...]:
        """Lines of modes along the last axis, in pairs that hold the same wavenumbers.

        The numbers of the two lines, "pair 2", and how much each counts: 1, or 1/2 if a line stands twice because it
        has no other. Of the modes of a pair the shells and |k|^2, "pair mode". Multiplicities of the modes of a line,
        and `scale`.
        """
        n = self.counts[-1] // 2 + 1
        square, shell = self.square_wavenumber.view(-1, n), self.index.view(-1, n)
        pairs: list[tuple[int, int]] = []
        alone: dict[float, int] = {}
        for line, wavenumber in enumerate(square[:, 0].tolist()):
            if wavenumber in alone:
                pairs.append((alone.pop(wavenumber), line))
            else:
                alone[wavenumber] = line
        share = torch.tensor([1.0] * len(pairs) + [0.5] * len(alone), dtype=dtype).numpy()
        pairs += [(line, line) for line in alone.values()]
        first = [line for line, _ in pairs]
        of_modes = (values.to(dtype).numpy() for values in (square[first], self.multiplicity[:n]))
        scale = np.array([self.scale], share.dtype)
        return np.array(pairs, np.uint64), share, shell[first].numpy().astype(np.uint32), *of_modes, scale


@lru_cache(maxsize=8)
def shells(grid: Grid) -> Shells:
    """The shells of a grid, made once."""
    with _ordinary():
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
