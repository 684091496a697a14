"""Deep water inside a circular dam, shallow water outside, all at rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid

POINTS = 32
"""Lines through a cell on which the part of the cell inside the circle is measured."""


@dataclass(frozen=True)
class RadialDam:
    """Depth `inner` within a random radius of the centre of a plane box, `outer` elsewhere, momentum 0.

    The fields are depth and momenta of `pdekit.pdes.ShallowWater`. Values are averages over cells (`circle_shares`).

    Args:
        inner, outer: depths.
        radius: (least, most), uniform.

    Raises:
        ValueError: on depths or radii that are not positive, a circle that leaves the box, other fields, another
            dimension.

    Source: radial dam break of PDEBench: depths 2 and 1, radius from 0.3 to 0.7, the box from -2.5 to 2.5.
    """

    configurable = True

    inner: float = 2.0
    outer: float = 1.0
    radius: tuple[float, float] = (0.3, 0.7)

    version: ClassVar[int] = 1

    def __post_init__(self):
        if not (self.inner > 0 and self.outer > 0 and 0 < self.radius[0] <= self.radius[1]):
            raise ValueError(
                f"expected depths above 0 and radii 0 < least <= most, got {self.inner}, {self.outer} and "
                f"{self.radius}; correct the initial state"
            )

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        if grid.ndim != 2 or len(fields) != 3:
            raise ValueError(
                f"expected a depth and two momenta on a plane for {type(self).__name__}, got "
                f"{', '.join(field.name for field in fields)} in {grid.ndim} dimensions; choose ShallowWater"
            )
        radius = float(generator.uniform(*self.radius))
        if radius >= min(grid.extent) / 2:
            raise ValueError(
                f"expected a radius below half of the box {grid.extent}, got {radius:.4g}; correct the radius"
            )
        depth = self.outer + (self.inner - self.outer) * circle_shares(grid, radius)
        return torch.stack((depth, torch.zeros_like(depth), torch.zeros_like(depth)))


def circle_shares(grid: Grid, radius: float) -> Tensor:
    """The part of each cell of a plane grid that lies within a radius of the centre of the box, "x y".

    The mean of two measures, one exact along y and one exact along x: a square grid keeps the symmetry of the circle.
    """
    axes = [
        (n, length, 0.0 if layout == "cells" else -0.5)
        for n, length, layout in zip(grid.shape, grid.extent, grid.layout, strict=True)
    ]
    return (_shares(axes[0], axes[1], radius) + _shares(axes[1], axes[0], radius).T) / 2


def _shares(across: tuple[int, float, float], along: tuple[int, float, float], radius: float) -> Tensor:
    """The same, exact along the second axis; an axis is its cells, its length, and the shift of its first cell."""
    n, length, shift = across
    lines = ((torch.arange(n * POINTS, dtype=torch.float64) + 0.5) / POINTS + shift) * length / n - length / 2
    half_chord = (radius**2 - lines**2).clamp_min(0.0).sqrt()[:, None]
    m, height, shift = along
    lower = (torch.arange(m, dtype=torch.float64) + shift) * height / m - height / 2
    covered = (torch.minimum(lower + height / m, half_chord) - torch.maximum(lower, -half_chord)).clamp_min(0.0)
    return covered.reshape(n, POINTS, m).mean(1) * m / height
