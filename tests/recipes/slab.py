"""A small case with all that a case may have: coefficients, parameters, a mask, frames in time."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pdekit.cases.base import Case, Draw, Solved
from pdekit.fields import Grid
from pdekit.pdes import Darcy
from pdekit.recipes.cases import SolvedRecipe


@dataclass(frozen=True)
class Slab(Case):
    """-(a u')' = source on [0, 1] with u(0) = u(1) = 0 and a of two random layers, by quadrature of 1/a.

    The interface lies at a random place; its layer is resolved with ``points`` points, so that refinement matters.
    With ``masked``, u is told for the left part of the slab only; with frames in time it grows like 1 + t.
    """

    params: ClassVar[tuple[str, ...]] = ("source",)
    points: int = 400
    masked: bool = False

    @property
    def pde(self) -> Darcy:
        return Darcy()

    @property
    def has_mask(self) -> bool:
        return self.masked

    def draw(self, generator: np.random.Generator) -> Draw:
        return Draw({"source": generator.uniform(1.0, 2.0)}, generator.normal(size=3))

    def permeability(self, drawn: Draw, x: np.ndarray) -> np.ndarray:
        left, right, place = np.abs(drawn.noise) + np.array([1.0, 3.0, 0.3])
        return np.where(x < min(place, 0.7), left, right)

    def solve(self, drawn: Draw, grid: Grid, refinement: float = 1.0) -> Solved:
        faces = np.linspace(0.0, 1.0, round(self.points * refinement) + 1)
        middle = 0.5 * (faces[1:] + faces[:-1])
        resistance = np.diff(faces) / self.permeability(drawn, middle)
        # a u' = q - source x, and u(1) = 0 fixes q
        q = drawn.params["source"] * (middle * resistance).sum() / resistance.sum()
        u = np.concatenate([[0.0], np.cumsum((q - drawn.params["source"] * middle) * resistance)])
        x = grid.coordinates(0).numpy()
        mask = (x < 0.5).astype(float) if self.masked else np.ones_like(x)
        times = np.arange(self.n_frames) * (self.dt or 0.0)
        values = (1 + times[:, None, None]) * (np.interp(x, faces, u) * mask)
        return Solved(values, self.permeability(drawn, x)[None], mask[None] if self.masked else None)


def slab(case: Case | None = None, **changes) -> SolvedRecipe:
    """A recipe of `Slab`, small."""
    made = {
        "name": "slab",
        "case": case or Slab(),
        "grid": Grid((17,), (1.0,), layout=("nodes",)),
        "n_trajectories": {"train": 5, "valid": 2, "test": 4},
        "chunk": 2,
    }
    return SolvedRecipe(**{**made, **changes})
