"""Diffusion-sorption between a held end and an open one: cells in space, LSODA in time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.cases.base import Case, Draw, Solved
from pdekit.fields import Grid
from pdekit.pdes.diffusion_sorption import DiffusionSorption
from pdekit.solvers.sorption import concentrations


@dataclass(frozen=True)
class SorptionColumn(Case):
    """A column of ground on cells, u = 1 at x = 0 and u + D u_x = 0 at the other end, from a uniform concentration.

    The scheme is that of `pdekit.solvers.sorption`.

    Args:
        equation: with its parameters.
        background: (least, most) uniform concentration at t = 0, uniform over the samples.
        cells: the solver has the smallest multiple of the grid's cells that is not below this; what is stored is their
            mean over each cell of the grid.

    Raises:
        ValueError: on a range that is empty or below 0, frames without a time between them, or a grid that is not of
            cells of a line from 0.

    Limits: second order in space, but near x = 0 and t = 0, where the state jumps. A refinement cannot be coarser than
    the grid.

    Source: the problem is that of PDEBench (Takamoto et al. 2022), whose code writes its open end u = -D u_x. There the
    values of the ends stand in ghost cells, at the distance of a whole cell.
    """

    configurable = True

    equation: DiffusionSorption = field(default_factory=DiffusionSorption)
    background: tuple[float, float] = (0.0, 0.2)
    cells: int = 1024

    version: ClassVar[int] = 1

    def __post_init__(self):
        low, high = self.background
        if not 0 <= low <= high:
            raise ValueError(f"expected 0 <= least <= most for the background, got {low} and {high}; correct the range")
        if self.n_frames > 1 and not self.dt:
            raise ValueError(f"expected dt > 0 between {self.n_frames} frames, got {self.dt}; set dt of the case")

    @property
    def pde(self) -> DiffusionSorption:
        return self.equation

    @property
    def has_mask(self) -> bool:
        return False

    def draw(self, generator: np.random.Generator) -> Draw:
        return Draw({}, start=partial(_uniform, float(generator.uniform(*self.background))))

    def solve(self, drawn: Draw, grid: Grid, refinement: float = 1.0) -> Solved:
        if (grid.ndim, grid.layout, grid.origin) != (1, ("cells",), (0.0,)):
            raise ValueError(f"expected cells of a line from 0, got {grid}; correct the grid of the recipe")
        assert drawn.start is not None  # drawn above
        n = grid.shape[0]
        parts = max(1, math.ceil(round(self.cells * refinement) / n))
        times = (self.dt or 0.0) * np.arange(self.n_frames)
        start = drawn.start(grid.resized((parts * n,)))[0].numpy()
        u = concentrations(self.equation, start, grid.extent[0], times)
        return Solved(u.reshape(self.n_frames, 1, n, parts).mean(-1), np.zeros((0, n)))


def _uniform(value: float, grid: Grid) -> Tensor:
    return torch.full((1, *grid.shape), value, dtype=torch.float64)
