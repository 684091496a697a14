"""Fourier sums on any grid: the coefficients are drawn for fixed modes, so that the same random function appears
on every grid that can hold it.

u(x) = sum over modes m of a_m cos(theta) + b_m sin(theta),  theta = 2 pi sum_i m_i (x_i - origin_i) / L_i.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Grid


@lru_cache(maxsize=32)
def half_lattice(max_mode: int, ndim: int) -> np.ndarray:
    """One of each pair m, -m of the nonzero modes with |m_i| <= max_mode, shells of growing max |m_i| first.

    A larger ``max_mode`` only adds modes at the end, so that numbers drawn in this order keep their modes.

    >>> half_lattice(1, 2).tolist()
    [[0, 1], [1, -1], [1, 0], [1, 1]]
    """
    span = range(-max_mode, max_mode + 1)
    modes = [m for m in itertools.product(span, repeat=ndim) if next((i for i in m if i), 0) > 0]
    modes.sort(key=lambda m: (max(map(abs, m)), m))
    return np.array(modes, dtype=np.int64).reshape(-1, ndim)


def waves_per_length(modes: np.ndarray, grid: Grid) -> np.ndarray:
    """Wavenumber of each mode in waves for each length of the x axis: |m| on a cube."""
    scale = np.array([grid.extent[0] / length for length in grid.extent])
    return np.sqrt(((modes * scale) ** 2).sum(-1))


def sum_of_modes(grid: Grid, modes: np.ndarray, cosine: np.ndarray, sine: np.ndarray) -> Tensor:
    """The sum above on a grid of periodic or cell axes, shape (*lead, *grid.shape), float64.

    Args:
        grid: grid of the points; each axis spans the whole box.
        modes: (n, ndim) integers, each pair m, -m at most once.
        cosine, sine: (*lead, n) coefficients.

    Raises:
        ValueError: if the grid cannot hold a mode (it needs more than 2 max |m_i| points), or has nodes at both ends.
    """
    if not {*grid.layout} <= {"periodic", "cells"}:
        raise ValueError(f"expected periodic or cell axes for a Fourier sum, got {grid.layout}; choose another sampler")
    largest = np.abs(modes).max(0, initial=0)
    if any(2 * m >= n for m, n in zip(largest, grid.shape, strict=True)):
        raise ValueError(
            f"expected a grid with more than {(2 * largest).tolist()} points for modes up to {largest.tolist()}, got "
            f"{grid.shape}; refine the solver's grid or lower max_mode of the initial condition"
        )
    coefficients = (np.asarray(cosine) - 1j * np.asarray(sine)) / 2
    for axis, (n, layout) in enumerate(zip(grid.shape, grid.layout, strict=True)):
        if layout == "cells":
            coefficients = coefficients * np.exp(1j * np.pi * modes[:, axis] / n)
    lead = coefficients.shape[:-1]
    spectrum = np.zeros((*lead, *grid.shape), dtype=np.complex128)
    spectrum[(..., *modes.T % np.array(grid.shape)[:, None])] = coefficients
    spectrum[(..., *-modes.T % np.array(grid.shape)[:, None])] = coefficients.conj()
    axes = tuple(range(-grid.ndim, 0))
    return torch.from_numpy(np.fft.ifftn(spectrum, axes=axes).real * np.prod(grid.shape))
