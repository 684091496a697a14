"""Several solitons in a row: sech^2 for Korteweg-de Vries, moving sech for the nonlinear Schroedinger equation."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid


@dataclass(frozen=True)
class KdVSolitons:
    """sum of A sech^2(sqrt(a A / (12 b)) (x - x0)) for u_t + a u u_x + b u_xxx = 0: each alone moves with a A / 3.

    Args:
        number: (least, most) solitons, each at random in its own part of the box.
        height: (least, most) A.
        nonlinearity, dispersion: a and b of the equation.

    Limits: the tails must have decayed over half a box: sqrt(a A / (12 b)) L > 30 for 1e-13.
    """

    configurable = True

    number: tuple[int, int] = (2, 4)
    height: tuple[float, float] = (0.3, 1.5)
    nonlinearity: float = 6.0
    dispersion: float = 1.0

    version: ClassVar[int] = 1
    of_equation: ClassVar[tuple[str, ...]] = ("nonlinearity", "dispersion")

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        _on_a_line(grid)
        total = torch.zeros(grid.shape, dtype=torch.float64)
        for away in _places(grid, int(generator.integers(*self.number, endpoint=True)), generator):
            height = generator.uniform(*self.height)
            slope = sqrt(self.nonlinearity * height / (12 * self.dispersion))
            total = total + height / torch.cosh(slope * away) ** 2
        return total[None]


@dataclass(frozen=True)
class SchroedingerSolitons:
    """sum of A sech(A sqrt(g/(2 D)) (x - x0)) exp(i v (x - x0)/(2 D) + i phase) for
    i psi_t + D psi_xx + g |psi|^2 psi = 0: each alone keeps its shape and moves with v.

    Args:
        number: (least, most) solitons, each at random in its own part of the box.
        height: (least, most) A.
        velocity: (least, most) v.
        dispersion, nonlinearity: D and g of the equation.

    Limits: the tails must have decayed over half a box: A sqrt(g/(2 D)) L > 60 for 1e-13.
    """

    configurable = True

    number: tuple[int, int] = (2, 3)
    height: tuple[float, float] = (0.8, 1.6)
    velocity: tuple[float, float] = (-1.0, 1.0)
    dispersion: float = 0.5
    nonlinearity: float = 1.0

    version: ClassVar[int] = 1
    of_equation: ClassVar[tuple[str, ...]] = ("nonlinearity", "dispersion")

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        _on_a_line(grid)
        total = torch.zeros(grid.shape, dtype=torch.complex128)
        for away in _places(grid, int(generator.integers(*self.number, endpoint=True)), generator):
            height, velocity = generator.uniform(*self.height), generator.uniform(*self.velocity)
            slope = height * sqrt(self.nonlinearity / (2 * self.dispersion))
            phase = velocity / (2 * self.dispersion) * away + generator.uniform(0, 2 * np.pi)
            total = total + torch.polar(height / torch.cosh(slope * away), phase)
        return torch.stack((total.real, total.imag))


def _on_a_line(grid: Grid) -> None:
    if grid.ndim != 1:
        raise ValueError(f"expected a line for solitons, got a grid of {grid.ndim} dimensions; choose another sampler")


def _places(grid: Grid, number: int, generator: np.random.Generator) -> list[Tensor]:
    """Periodic distances of the points from one random place in the middle of each of ``number`` equal parts."""
    (length,) = grid.extent
    shift = generator.uniform(0, length)
    found = []
    for i in range(number):
        place = grid.origin[0] + shift + (i + generator.uniform(0.3, 0.7)) * length / number
        found.append(torch.remainder(grid.coordinates(0) - place + length / 2, length) - length / 2)
    return found
