"""A case: an equation with its geometry, its random inputs and the solver of the whole problem, sample by sample.

Steady, bounded and coupled problems are solved as wholes (a mesh, a Newton iteration), not advanced from a random
start by a step. A case says what is drawn and how one sample is solved; a recipe asks it for as many as it wants.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar

import numpy as np

from pdekit.fields import Grid
from pdekit.pdes.base import PDE

OFF = "off"  # the setting of a case's `coupling` that cuts it

COUPLING = ("off", "weak", "published", "strong")


def coupling_strength(coupling: str, strengths: Mapping[str, float]) -> float:
    """The factor on the coupling term of an equation that a setting of the knob means.

    Args:
        coupling: one of `COUPLING`.
        strengths: the factor of each setting, from the case. `published` is that of the publication, wherever its
            effect lies between the others.

    Raises:
        ValueError: if the setting is none of these.
    """
    if coupling not in COUPLING:
        raise ValueError(f"expected a coupling among {COUPLING}, got {coupling!r}; correct the case's coupling=...")
    return strengths[coupling]


@dataclass(frozen=True)
class Draw:
    """What is random in one sample.

    Args:
        params: scalars by name, among them the numbers that fix the geometry. They are fields of the equation, are
            stored with the sample, and models are conditioned on them.
        noise: unit normal numbers of which random fields are made, the same for every grid; not stored.
    """

    params: dict[str, float]
    noise: np.ndarray | None = None


@dataclass(frozen=True)
class Solved:
    """One sample on a grid, in physical units and float64; zero where a field does not exist.

    Args:
        u: "time channel *space", the fields of the equation; one frame if steady.
        coeffs: "coeff *space", its input fields.
        mask: "channel *space", 1 where each field exists; None if everywhere.
    """

    u: np.ndarray
    coeffs: np.ndarray
    mask: np.ndarray | None = None


@dataclass(frozen=True)
class Case(ABC):
    """Base of all cases: frozen dataclasses of numbers. Everything depends on these, the draw and the grid alone."""

    # raised when a change alters numbers, so that stored data are not silently stale
    version: ClassVar[int] = 1
    # names of the scalars that `draw` gives, in the order in which they are stored
    params: ClassVar[tuple[str, ...]] = ()
    # time between frames and their number; a steady case has one frame
    dt: float | None = field(default=None, kw_only=True)
    n_frames: int = field(default=1, kw_only=True)

    @property
    @abstractmethod
    def pde(self) -> PDE:
        """The equation, with nominal values of what is drawn; its `fields` and `coeffs` are those of a sample."""

    @property
    @abstractmethod
    def has_mask(self) -> bool:
        """Whether some field exists in a part of the box only."""

    def uncoupled(self) -> Case | None:
        """The same case with its fields uncoupled; None where nothing couples them, or there is no knob."""
        knob = {item.name: getattr(self, item.name) for item in fields(self)}.get("coupling", OFF)
        return None if knob == OFF else replace(self, coupling=OFF)

    def at_order(self, order: int) -> Case | None:
        """The same case with elements of a lower order; None where it has no elements, or theirs are not higher."""
        own = {item.name: getattr(self, item.name) for item in fields(self)}.get("order", 0)
        return replace(self, order=order) if order < own else None

    @abstractmethod
    def draw(self, generator: np.random.Generator) -> Draw:
        """The random inputs of a sample."""

    @abstractmethod
    def solve(self, drawn: Draw, grid: Grid, refinement: float = 1.0) -> Solved:
        """One sample on the points of a grid.

        Args:
            drawn: its random inputs.
            grid: where the values are wanted; the solver's own mesh is fine enough for any grid of the recipe.
            refinement: factor on the solver's resolution, to show that it does not matter.

        Raises:
            ValueError: if an iteration does not converge; the message holds the parameters.
        """
