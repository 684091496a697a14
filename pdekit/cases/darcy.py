"""Darcy flow through a random medium, solved on a fine grid of which the stored one is a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pdekit.cases.base import Case, Draw, Solved
from pdekit.cases.media import LogNormal, TwoPhase
from pdekit.cases.nested_nodes import nodes_of
from pdekit.fields import Grid
from pdekit.pdes.darcy import Darcy
from pdekit.solvers.elliptic import elliptic


@dataclass(frozen=True)
class DarcyFlow(Case):
    """-div(a grad u) = source on a box, u = 0 on its boundary, a of a random medium.

    The medium is a function of place, and the solver sees it at its own nodes: where it jumps, the error is of first
    order in the solver's spacing.

    Args:
        medium: random field a of the permeability.
        intervals: smallest number of intervals of the solver along each axis. It is rounded up to a multiple of the
            intervals of the requested grid, so that its points are points of the solver.
        source: f.
        ndim: dimension of the box.
    """

    configurable = True

    medium: TwoPhase | LogNormal
    intervals: int = 420
    source: float = 1.0
    ndim: int = 2

    version: ClassVar[int] = 1

    @property
    def pde(self) -> Darcy:
        return Darcy(source=self.source)

    @property
    def has_mask(self) -> bool:
        return False

    def draw(self, generator: np.random.Generator) -> Draw:
        return Draw({}, self.medium.field.noise(generator, self.ndim))

    def solver_grid(self, grid: Grid, refinement: float = 1.0) -> Grid:
        """The nodes that are solved for."""
        return nodes_of(grid, refinement * self.intervals, self.ndim)

    def solve(self, drawn: Draw, grid: Grid, refinement: float = 1.0) -> Solved:
        fine = self.solver_grid(grid, refinement)
        assert drawn.noise is not None  # drawn above
        a = self.medium(drawn.noise, fine)
        u = elliptic(a, self.source, fine.spacing, method=self.medium.method)
        stored = tuple(slice(None, None, (m - 1) // (n - 1)) for m, n in zip(fine.shape, grid.shape, strict=True))
        return Solved(u[stored][None, None].copy(), a[stored][None].copy())
