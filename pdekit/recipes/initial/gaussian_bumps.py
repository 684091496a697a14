"""Sums of Gaussian bumps at random places: vortices, drops, hot spots."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, prod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid


@dataclass(frozen=True)
class GaussianBumps:
    """background + sum of A exp(-r^2 / (2 s^2)) over periodic images, for each channel.

    Args:
        number: (least, most) bumps.
        amplitude: (least, most) height A.
        radius: (least, most) s, in lengths of the x axis; at most 0.25, so that two images on each side are enough.
        signed: whether half of the bumps (at random) are turned upside down.
        zero_mean: whether the mean over the box is taken away (a vorticity needs this).
        background: a constant.
    """

    configurable = True

    number: tuple[int, int] = (2, 6)
    amplitude: tuple[float, float] = (0.5, 1.0)
    radius: tuple[float, float] = (0.03, 0.08)
    signed: bool = False
    zero_mean: bool = False
    background: float = 0.0

    version: ClassVar[int] = 1

    def __post_init__(self):
        if not 0 < self.radius[0] <= self.radius[1] <= 0.25:
            raise ValueError(
                f"expected radii from above 0 to 0.25 lengths of the box, got {self.radius}; correct the radius"
            )

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        return torch.stack([self._channel(grid, generator) for _ in fields])

    def _channel(self, grid: Grid, generator: np.random.Generator) -> Tensor:
        total = torch.full(grid.shape, self.background, dtype=torch.float64)
        for _ in range(int(generator.integers(*self.number, endpoint=True))):
            height = generator.uniform(*self.amplitude)
            if self.signed and generator.random() < 0.5:
                height = -height
            radius = generator.uniform(*self.radius) * grid.extent[0]
            bump = torch.tensor(height, dtype=torch.float64)
            for axis, length in enumerate(grid.extent):
                place = grid.origin[axis] + generator.uniform(0, length)
                bump = bump.unsqueeze(-1) * periodic_gaussian(grid.coordinates(axis) - place, radius, length)
            total = total + bump
            if self.zero_mean:
                total = total - height * prod(radius * (2 * pi) ** 0.5 / length for length in grid.extent)
        return total


def periodic_gaussian(distance: Tensor, radius: float, length: float) -> Tensor:
    """exp(-d^2 / (2 s^2)) and its images at multiples of the length; radius at most a quarter of it."""
    images = torch.arange(-3, 4, dtype=torch.float64) * length
    return torch.exp(-((distance[..., None] + images) ** 2) / (2 * radius**2)).sum(-1)
