"""Gray-Scott's start: u = 1, v = 0 with square seeds of the other state and small noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid
from pdekit.recipes.initial.modes import half_lattice, sum_of_modes


@dataclass(frozen=True)
class Seeds:
    """A uniform background with squares (cubes) of another state at random places, edges smoothed by tanh.

    state = background + (seed - background) * indicator, and noise proportional to the indicator.

    Args:
        background, seed: the two states, one number for each field.
        number: (least, most) seeds.
        width: (least, most) side of a square, in lengths of the x axis.
        edge: thickness of its edge, in lengths of the x axis.
        noise: standard deviation of the noise inside, relative to the step between the states.
        max_mode: largest mode of the noise.

    Source: Pearson (1993) starts from (1/2, 1/4) in squares, with noise of 1 %.
    """

    configurable = True

    background: tuple[float, ...] = (1.0, 0.0)
    seed: tuple[float, ...] = (0.5, 0.25)
    number: tuple[int, int] = (4, 10)
    width: tuple[float, float] = (0.06, 0.12)
    edge: float = 0.01
    noise: float = 0.05
    max_mode: int = 12

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        if not len(fields) == len(self.background) == len(self.seed):
            raise ValueError(
                f"expected one number for each of the {len(fields)} fields, got background {self.background} and seed "
                f"{self.seed}; give one for each field"
            )
        inside = torch.zeros(grid.shape, dtype=torch.float64)
        for _ in range(int(generator.integers(*self.number, endpoint=True))):
            half = generator.uniform(*self.width) * grid.extent[0] / 2
            square = torch.ones((), dtype=torch.float64)
            for axis, length in enumerate(grid.extent):
                place = grid.origin[axis] + generator.uniform(0, length)
                away = torch.remainder(grid.coordinates(axis) - place + length / 2, length) - length / 2
                edge = self.edge * grid.extent[0]
                square = square.unsqueeze(-1) * (0.5 - 0.5 * torch.tanh((away.abs() - half) / edge))
            inside = torch.maximum(inside, square)
        modes = half_lattice(self.max_mode, grid.ndim)
        drawn = generator.standard_normal((2, len(modes))) * (self.noise / np.sqrt(len(modes)))
        inside = inside * (1 + sum_of_modes(grid, modes, *drawn))
        low = torch.tensor(self.background, dtype=torch.float64).reshape(-1, *[1] * grid.ndim)
        high = torch.tensor(self.seed, dtype=torch.float64).reshape(-1, *[1] * grid.ndim)
        return low + (high - low) * inside
