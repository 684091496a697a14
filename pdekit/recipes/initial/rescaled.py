"""Another initial condition, brought to a given range."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from pdekit.fields import Field, Grid

POINTS = {1: 8192, 2: 256, 3: 64}
"""Points of each axis on which extremes are sought, by dimension."""


@dataclass(frozen=True)
class Rescaled:
    """low + (high - low) (u - min u) / (max u - min u) for each channel of another sampler.

    Extremes are those on a fixed number of points of the box, so that the function is the same on every grid. A wave of
    m periods may exceed the range by (high - low) (pi m / points)^2 / 2: 1e-6 for m = 4 in 1-D.

    Args:
        sampler: any other initial condition; its channels must not be uniform.
        low, high: range.

    Raises:
        ValueError: if low is not below high, or a channel is uniform.

    Source: reaction-diffusion of PDEBench starts from random sines that are brought to [0, 1] so.
    """

    configurable = True

    sampler: Callable[..., Tensor]
    low: float = 0.0
    high: float = 1.0

    version: ClassVar[int] = 1

    def __post_init__(self):
        if not self.low < self.high:
            raise ValueError(f"expected low < high, got {self.low} and {self.high}; swap them")

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        fine = Grid((POINTS[grid.ndim],) * grid.ndim, grid.extent, grid.origin)
        everywhere = self.sampler(fine, fields, deepcopy(generator)).flatten(1)
        low, high = (
            extreme.reshape(-1, *[1] * grid.ndim) for extreme in (everywhere.amin(dim=1), everywhere.amax(dim=1))
        )
        if (low == high).any():
            raise ValueError(
                f"expected fields that vary, got a uniform one from {type(self.sampler).__name__}; choose another "
                "sampler"
            )
        return self.low + (self.high - self.low) * (self.sampler(grid, fields, generator) - low) / (high - low)
