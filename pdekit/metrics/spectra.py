"""Isotropic spectra: E(k_j) = 1/2 sum over |k| in shell j of |u_hat|^2, so that sum_j E(k_j) = 1/2 <u^2>.

Shell j holds the modes with j - 1/2 <= |k|/k_1 < j + 1/2, where k_1 = 2 pi / (longest period) is the spacing of
the shells; shell 0 is the mean. All modes are kept, those in the corners of the box and those of mixed sign too,
so Parseval's identity holds exactly (PDEBench's bands drop half of the independent modes in 2-D and 3-D).

A bounded axis is reflected evenly, which doubles its period: on it, modes are cosines, half as far apart, and the
identity holds with the trapezoidal weights of nodes and the equal weights of cells. Spectra need the whole box:
meshes and masks are refused. Boxes whose length varies are binned by mode, as if they had the nominal length.

Shapes: as `pdekit.metrics.quadrature`, results "... batch time channel shell".
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pdekit.fields import Grid, Problem
from pdekit.metrics.quadrature import diverged_as, joint, ratio

FLOOR = 1e-7
"""Shells with less than this share of the strongest shell's energy are rounding in float32 data."""


def energy_spectrum(u: Tensor, reference: Tensor | None, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """E(k_j) of the field itself, in its unit squared; the reference is not used. +inf where u has diverged.

    Applied to a velocity component it is that component's kinetic energy, to vorticity the enstrophy spectrum.

    >>> from math import pi
    >>> from pdekit.fields import Field
    >>> problem = Problem(Grid((8,), (2 * pi,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> u = 1 + 2 * torch.cos(3 * problem.grid.coordinates(0)).reshape(1, 1, 1, 8)
    >>> [round(e, 12) for e in energy_spectrum(u, None, problem).flatten().tolist()]
    [0.5, 0.0, 0.0, 1.0, 0.0]
    """
    shell, n_shells, _ = _shells(_box(problem, mask))
    return diverged_as(math.inf, _power(u, problem.grid, shell, n_shells) / 2)


def spectral_nrmse(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """nRMSE of each shell: sqrt(sum |u_hat - reference_hat|^2 / sum |reference_hat|^2) over its modes.

    1 where the forecast has nothing or half of what it has is noise; shells that the reference leaves empty give
    0 or +inf, and shells under the rounding of the stored data (see `FLOOR`) mean nothing.
    """
    shell, n_shells, _ = _shells(_box(problem, mask))
    error = _power(u - reference, problem.grid, shell, n_shells)
    power = _power(reference, problem.grid, shell, n_shells)
    error, power = (joint(p.movedim(-1, 0), problem).movedim(0, -1) for p in (error, power))
    return diverged_as(math.inf, ratio(error.sqrt(), power.sqrt()))


def log_spectral_distance(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """sqrt(mean over shells of log10(E/E_reference)^2), in decades, over shells that the reference fills.

    Filled means above `FLOOR` of its strongest shell. Blind to phase: it asks whether the forecast has the right
    *amount* of every scale, and stays meaningful when predictability has ended. +inf for a forecast with an empty
    shell, for one of an empty reference, and where it has diverged.
    """
    spectrum, wanted = energy_spectrum(u, None, problem, mask), energy_spectrum(reference, None, problem, mask)
    filled = (wanted > FLOOR * wanted.amax(-1, keepdim=True)).to(wanted.dtype)
    decades = torch.where(filled > 0, torch.log10(spectrum / wanted), torch.zeros_like(spectrum))
    distance = ((decades**2).sum(-1) / filled.sum(-1)).sqrt()  # NaN, so +inf, if nothing is filled
    return torch.where((spectrum == wanted).all(-1), torch.zeros_like(distance), diverged_as(math.inf, distance))


def wavenumbers(grid: Grid) -> Tensor:
    """The wavenumber k_j = j k_1 of every shell, in radians per unit of length."""
    _, n_shells, spacing = _shells(grid)
    return torch.arange(n_shells, dtype=torch.float64) * spacing


def _box(problem: Problem, mask: Tensor | None) -> Grid:
    if (
        not isinstance(problem.grid, Grid)
        or not problem.grid.shape
        or (mask is not None and not bool((mask > 0).all()))
    ):
        raise ValueError(
            "expected a field on a whole box for a spectrum, found a mesh, a mask or a problem without space; "
            "leave the spectral measures out (Measure.suits tells)"
        )
    return problem.grid


def _shells(grid: Grid) -> tuple[Tensor, int, float]:
    """Shell of every mode of rfftn, flattened; number of shells; their spacing."""
    counts = [
        {"periodic": n, "cells": 2 * n, "nodes": max(2 * n - 2, 1)}[layout]
        for n, layout in zip(grid.shape, grid.layout, strict=True)
    ]
    periods = [
        length if layout == "periodic" else 2 * length for length, layout in zip(grid.extent, grid.layout, strict=True)
    ]
    spacing = 2 * math.pi / max(periods)
    square = torch.zeros(())
    for axis, (n, period) in enumerate(zip(counts, periods, strict=True)):
        modes = torch.fft.rfftfreq if axis == grid.ndim - 1 else torch.fft.fftfreq
        k = modes(n, 1 / n, dtype=torch.float64) * (max(periods) / period)
        square = square.unsqueeze(-1) + k**2
    shell = (square.sqrt() + 0.5).floor().long().flatten()
    return shell, int(shell.max()) + 1, spacing


def _power(u: Tensor, grid: Grid, shell: Tensor, n_shells: int) -> Tensor:
    """sum |u_hat|^2 over each shell, where u_hat is scaled so that all shells together give <u^2>."""
    for axis, layout in enumerate(grid.layout):
        dim = axis - grid.ndim
        if layout != "periodic":
            mirrored = u.flip(dim)
            u = torch.cat([u, mirrored if layout == "cells" else mirrored.narrow(dim, 1, u.shape[dim] - 2)], dim)
    n_last, n_points = u.shape[-1], math.prod(u.shape[u.ndim - grid.ndim :])
    u_hat = torch.fft.rfftn(u, dim=tuple(range(-grid.ndim, 0)))
    power = u_hat.real.square() + u_hat.imag.square()
    power[..., 1 : (n_last + 1) // 2] *= 2  # modes whose complex conjugate rfftn leaves out
    power = power.flatten(-grid.ndim) / n_points**2
    return power.new_zeros(*power.shape[:-1], n_shells).index_add_(-1, shell.to(u.device), power)
