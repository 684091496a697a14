"""The potential, or the amplitude of a wave, of a random source in a box, by fast transforms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pdekit.cases.base import Case, Draw, Solved
from pdekit.cases.media import CosineField
from pdekit.cases.nested_nodes import nodes_of
from pdekit.fields import Grid
from pdekit.pdes.helmholtz import Helmholtz
from pdekit.pdes.poisson import Poisson
from pdekit.solvers.fast_transforms import ENDS, helmholtz


@dataclass(frozen=True)
class RandomSource(Case):
    """laplacian(u) + wavenumber^2 u = a for a Gaussian source a, by `pdekit.solvers.fast_transforms.helmholtz`.

    The source is a function of place without a mean, and the solver's nodes include those of the requested grid.

    Args:
        source: the random field a.
        wavenumber: k; 0 is Poisson's equation.
        ends: "dirichlet" (u = 0) or "neumann" (du/dn = 0) on the boundary.
        intervals: smallest number of intervals of the solver along each axis, rounded up to a multiple of the
            intervals of the requested grid.
        ndim: dimension of the box.

    Raises:
        ValueError: on other ends.
    """

    configurable = True

    source: CosineField
    wavenumber: float = 0.0
    ends: str = "dirichlet"
    intervals: int = 256
    ndim: int = 2

    version: ClassVar[int] = 1

    def __post_init__(self):
        if self.ends not in ENDS:
            raise ValueError(f"expected ends among {ENDS}, got {self.ends!r}; choose one of these")

    @property
    def pde(self) -> Poisson | Helmholtz:
        return Helmholtz(self.wavenumber) if self.wavenumber else Poisson()

    @property
    def has_mask(self) -> bool:
        return False

    @property
    def all_ends(self) -> str:
        return self.ends

    def draw(self, generator: np.random.Generator) -> Draw:
        return Draw({}, self.source.noise(generator, self.ndim))

    def solve(self, drawn: Draw, grid: Grid, refinement: float = 1.0) -> Solved:
        fine = nodes_of(grid, refinement * self.intervals, self.ndim)
        assert drawn.noise is not None  # drawn above
        a = self.source(drawn.noise, fine)
        if self.ends == "neumann" and not self.wavenumber:
            a = a - (a * fine.weights().numpy()).sum() / fine.weights().numpy().sum()
        u = helmholtz(a, fine.spacing, self.wavenumber, self.ends)
        stored = tuple(slice(None, None, (m - 1) // (n - 1)) for m, n in zip(fine.shape, grid.shape, strict=True))
        return Solved(u[stored][None, None].copy(), a[stored][None].copy())
