"""A layer at rest that conducts heat, with random waves of temperature between a hot and a cold plate."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid


@dataclass(frozen=True)
class PerturbedLayer:
    """Temperature 1 - y / H plus waves cos(2 pi m x / L + phase) sin(pi n y / H), and no velocity.

    Amplitudes are normal random numbers that fall like 1 / (m + n), scaled so that the sum has the root mean square
    ``amplitude``. At the plates the temperature is 1 and 0.

    Args:
        amplitude: root mean square of the waves.
        max_mode: largest m (waves per length) and n (half waves per height).

    Raises:
        ValueError: if the last field is no temperature, or the grid is not periodic along x and of cells along y.
    """

    configurable = True

    amplitude: float = 0.05
    max_mode: int = 4

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        if fields[-1].name != "temperature" or grid.layout != ("periodic", "cells"):
            raise ValueError(
                f"expected a temperature as the last field on an axis x that is periodic and an axis y of cells, got "
                f"{[field.name for field in fields]} on {grid}; choose another initial condition"
            )
        m = torch.arange(1, self.max_mode + 1, dtype=torch.float64)
        size = (self.max_mode, self.max_mode)
        drawn = torch.from_numpy(generator.standard_normal(size)) / (m[:, None] + m)
        phase = torch.from_numpy(generator.uniform(0.0, 2 * pi, size))
        drawn = drawn * self.amplitude / (drawn.square().sum() / 4).sqrt()
        x, y = ((grid.coordinates(axis) - grid.origin[axis]) / grid.extent[axis] for axis in (0, 1))
        along = torch.cos(2 * pi * m[:, None, None] * x + phase[..., None])
        across = torch.sin(pi * m[:, None] * y)
        waves = torch.einsum("mn,mnx,ny->xy", drawn, along, across)
        return torch.stack([*[torch.zeros(grid.shape, dtype=torch.float64)] * (len(fields) - 1), 1 - y + waves])
