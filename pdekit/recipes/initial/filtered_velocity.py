"""Divergence-free random flow with a log-normal energy spectrum and a given largest speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid
from pdekit.recipes.initial.modes import half_lattice, sum_of_modes, waves_per_length


@dataclass(frozen=True)
class FilteredVelocity:
    """Random incompressible flow in 2-D or 3-D: Gaussian modes, shaped, projected and scaled.

    The energy spectrum is E(k) ~ exp(-ln(k/peak)^2 / (2 variance)), which peaks at ``peak``; the projection
    c - k (k.c)/k^2 makes every mode solenoidal. The flow is then scaled so that its largest speed (on a fixed grid
    four times finer than its modes) is ``max_velocity``.

    Returns velocity if the problem has as many fields as axes, or the vorticity dv/dx - du/dy if it has one field in
    2-D.

    Args:
        peak: wavenumber of the peak of the energy spectrum, in waves per length of the x axis.
        max_velocity: the largest speed.
        variance: variance of the logarithm of k.
        max_mode: highest mode of each axis; the grid needs more than twice as many points.

    Raises:
        ValueError: in 1-D, or for another number of fields.

    Source: Kochkov et al. (2021) start forced turbulence so, with peak 4 and largest velocity 7. Theirs filters
    white noise on the grid, with a density whose amplitude (not energy) peaks there; ours is the same function on
    every grid.
    """

    configurable = True

    peak: float = 4.0
    max_velocity: float = 7.0
    variance: float = 0.25
    max_mode: int = 16

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        ndim = grid.ndim
        if ndim < 2 or len(fields) not in ({2: (1, 2), 3: (3,)}[ndim]):
            raise ValueError(
                f"expected velocity (2 or 3 fields in as many dimensions) or vorticity (1 field in 2-D), got "
                f"{len(fields)} fields in {ndim}-D; choose another initial condition"
            )
        modes = half_lattice(self.max_mode, ndim)
        k = waves_per_length(modes, grid)
        # energy of a mode = E(k) / k^(ndim - 1), amplitude its root
        shape = np.exp(-(np.log(k / self.peak) ** 2) / (4 * self.variance)) / k ** ((ndim - 1) / 2)
        drawn = generator.standard_normal((len(modes), ndim, 2)) * shape[:, None, None]
        wave = modes * (2 * np.pi / np.array(grid.extent))
        along = np.einsum("mi,mip->mp", wave, drawn) / (wave**2).sum(-1)[:, None]
        drawn = drawn - wave[:, :, None] * along[:, None]
        fine = sum_of_modes(Grid((4 * self.max_mode,) * ndim, grid.extent), modes, drawn[..., 0].T, drawn[..., 1].T)
        drawn = drawn * (self.max_velocity / float(torch.linalg.vector_norm(fine, dim=0).max()))
        cosine, sine = drawn[..., 0].T, drawn[..., 1].T
        if len(fields) > 1:
            return sum_of_modes(grid, modes, cosine, sine)
        # d/dx of a cos + b sin is k_x (b cos - a sin)
        kx, ky = wave.T
        return sum_of_modes(grid, modes, kx * sine[1] - ky * sine[0], ky * cosine[0] - kx * cosine[1])[None]
