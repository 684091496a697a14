"""Gaussian random fields with the spectrum S(k) ~ (tau^2 + k^2)^(-exponent)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from pdekit.fields import Field, Grid
from pdekit.recipes.initial.modes import half_lattice, sum_of_modes, waves_per_length


@dataclass(frozen=True)
class GaussianRandomField:
    """Periodic Gaussian fields, one for each channel, with variance S(k) ~ (tau^2 + k^2)^(-exponent) in mode k.

    k counts waves for each length of the x axis. The spectrum is that of a Matern field: smoothness nu = exponent -
    ndim/2 and correlation length about L / (2 pi tau). ``tau = 0`` is a pure power law; ``exponent = 0`` is noise,
    white up to ``max_mode`` (the usual start of phase separation: a constant and small noise).

    Args:
        std: expected standard deviation of a channel.
        exponent, tau: parameters of the spectrum.
        max_mode: the highest mode of each axis; the grid needs more than twice as many points.
        mean: the mean of every sample.
    """

    configurable = True

    std: float = 1.0
    exponent: float = 2.0
    tau: float = 3.0
    max_mode: int = 12
    mean: float = 0.0

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        modes = half_lattice(self.max_mode, grid.ndim)
        k = waves_per_length(modes, grid)
        spread = (self.tau**2 + k**2) ** (-self.exponent / 2)
        spread *= self.std / np.sqrt((spread**2).sum())
        # "mode channel part": a higher max_mode continues the same stream of numbers.
        drawn = generator.standard_normal((len(modes), len(fields), 2)) * spread[:, None, None]
        return self.mean + sum_of_modes(grid, modes, drawn[..., 0].T, drawn[..., 1].T)
