"""Shells of wavenumbers: which modes they hold, and sums over them, on periodic and bounded axes.

Shell j holds the modes with j - 1/2 <= |k|/k_1 < j + 1/2, where k_1 = 2 pi / (longest period) is the spacing of
the shells; shell 0 is the mean. All modes are kept, those in the corners of the box and those of mixed sign too. A
bounded axis is reflected evenly, which doubles its period: on it modes are cosines, half as far apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor

from pdekit.fields import Grid, Problem


@contextmanager
def _ordinary() -> Iterator[None]:
    """Make cached tensors on the CPU and outside inference mode, whatever the mode of the first caller."""
    with torch.inference_mode(False), torch.device("cpu"):
        yield


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

    @property
    def wavenumbers(self) -> Tensor:
        """k_j = j k_1 of every shell."""
        return torch.arange(self.n, dtype=torch.float64) * self.spacing

    def transform(self, u: Tensor) -> Tensor:
        """Fourier coefficients "... mode" of "... *space": the sum of `multiplicity` |u_hat|^2 is <u^2>."""
        for axis, layout in enumerate(self.grid.layout):
            dim = axis - self.grid.ndim
            if layout != "periodic":
                mirrored = u.flip(dim)
                u = torch.cat([u, mirrored.narrow(dim, 1, u.shape[dim] - 2) if layout == "nodes" else mirrored], dim)
        space = tuple(range(-self.grid.ndim, 0))
        return torch.fft.rfftn(u, dim=space, norm="forward").flatten(-self.grid.ndim)

    def sums(self, values: Tensor) -> Tensor:
        """Sum of `multiplicity` values "... mode" over the modes of each shell, "... shell"."""
        weighted = values * self.multiplicity.to(values)
        return values.new_zeros(*values.shape[:-1], self.n).index_add(-1, self.index.to(values.device), weighted)

    def total(self, u_hat: Tensor, factor: Tensor) -> Tensor:
        """sum of `multiplicity` factor |u_hat|^2 over all modes, "..."; factor is one number for each mode."""
        square = u_hat.real.square() + u_hat.imag.square()
        return square @ (self.multiplicity * factor).to(square)


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
    whole = problem.on_box
    if not whole or (mask is not None and not bool((mask > 0).all())):
        raise ValueError(
            "expected a field on a whole box for a spectrum, found a mesh, a mask or a problem without space; "
            "leave the spectral measures out (see Measure.suits)"
        )
    return shells(problem.grid)
