"""A case: an equation with its geometry, its random inputs and the solver of the whole problem, sample by sample.

Steady, bounded and coupled problems are solved as wholes (a mesh, a Newton iteration), not advanced from a random
start by a step. A case draws the inputs of one sample and solves it; from these two follows the protocol `Simulator`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Grid, Points, Problem
from pdekit.pdes.base import PDE
from pdekit.simulators.base import SAME, Draw, Frame, Nodes, Refinement, Tick, silent

OFF = "off"  # the setting of a case's `coupling` that cuts it

COUPLING = ("off", "weak", "published", "strong")
REFINED = Refinement(space=1.5)  # of the solver's resolution, in the check


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
class SolvedNodes:
    """The mesh of one sample on `Points`, sorted and padded as `pdekit.mesh_order` does.

    Args:
        points: "point dim".
        there: "point", true for nodes and false for padding.
        cells: "cell corner", -1 in the padding.
    """

    points: np.ndarray
    there: np.ndarray
    cells: np.ndarray


@dataclass(frozen=True)
class Solved:
    """One sample on a grid, in physical units and float64; zero where a field does not exist.

    Args:
        u: "time channel *space", the fields of the equation; one frame if steady.
        coeffs: "coeff *space", its input fields.
        mask: "channel *space", 1 where each field exists; None if everywhere.
        nodes: the mesh of the sample, for a case on `Points`.
    """

    u: np.ndarray
    coeffs: np.ndarray
    mask: np.ndarray | None = None
    nodes: SolvedNodes | None = None


@dataclass(frozen=True)
class Case(ABC):
    """Base of all cases: frozen dataclasses of numbers. Everything depends on these, the draw and the grid alone."""

    # raised when a change alters numbers, so that stored data are not silently stale
    version: ClassVar[int] = 1
    steps: ClassVar[bool] = False
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
        """True if some field exists in a part of the box only."""

    def uncoupled(self) -> Case | None:
        """The same case with its fields uncoupled; None where nothing couples them, or there is no knob."""
        knob = {item.name: getattr(self, item.name) for item in fields(self)}.get("coupling", OFF)
        changed: dict[str, Any] = {"coupling": OFF}
        return None if knob == OFF else replace(self, **changed)

    def at_order(self, order: int) -> Case | None:
        """The same case with elements of a lower order; None where it has no elements, or theirs are not higher."""
        own = {item.name: getattr(self, item.name) for item in fields(self)}.get("order", 0)
        changed: dict[str, Any] = {"order": order}
        return replace(self, **changed) if order < own else None

    @property
    def all_ends(self) -> str | None:
        """Condition on all sides of the box, as a text; None where the recipe alone states the boundary."""
        return None

    @abstractmethod
    def draw(self, generator: np.random.Generator) -> Draw:
        """The random inputs of a sample."""

    @abstractmethod
    def solve(self, drawn: Draw, grid: Any, refinement: float = 1.0) -> Solved:
        """One sample on the points of a grid, or on `Points` of its own.

        Args:
            drawn: its random inputs.
            grid: grid of the values; the mesh of the solver is fine enough for any grid of the recipe.
            refinement: factor on the solver's resolution, to show that it does not matter.

        Raises:
            ValueError: if an iteration does not converge; the message holds the parameters.
        """

    # The protocol of simulators

    @property
    def remedy(self) -> str:
        return "the case must give zero where a field does not exist, and fail otherwise"

    def problem(self, grid: Grid | Points, n_frames: int) -> Problem:
        pde = self.pde
        return Problem(
            grid,
            pde.fields,
            self.dt,
            n_frames,
            coeffs=pde.coeffs,
            params=self.params,
            pde=pde,
            has_mask=self.has_mask,
        )

    def random_inputs(self, generator: np.random.Generator) -> Draw:
        return self.draw(generator.spawn(2)[1])

    def march(
        self,
        draws: Sequence[Draw],
        grid: Grid | Points,
        refinement: Refinement = SAME,
        start: Tensor | None = None,
        device: str = "cpu",
        tick: Tick = silent,
    ) -> Iterator[Frame]:
        """The frames of some samples; all are solved before the first is given.

        Raises:
            ValueError: for another device than the CPU, or a mask that contradicts `has_mask`.
        """
        if device != "cpu":
            raise ValueError(
                f"expected device=cpu for samples that a case solves, got {device!r}; use workers=N instead"
            )
        samples = []
        for drawn in draws:
            samples.append(self._checked(self.solve(drawn, grid, refinement.of_all_axes)))
            tick(self.work(1, refinement))
        coeffs = _stacked([sample.coeffs for sample in samples]) if self.pde.coeffs else None
        mask = _stacked([sample.mask for sample in samples]) if self.has_mask else None
        nodes = [sample.nodes for sample in samples if sample.nodes is not None]
        mesh = None
        if nodes:
            mesh = Nodes(*(_stacked([getattr(one, part) for one in nodes]) for part in ("points", "there", "cells")))
        for n in range(len(samples[0].u)):
            yield Frame(_stacked([sample.u[n] for sample in samples]), coeffs, mask, nodes=mesh)

    def _checked(self, solved: Solved) -> Solved:
        if (solved.mask is None) == self.has_mask:
            raise ValueError(
                f"expected {'a' if self.has_mask else 'no'} mask as has_mask of {type(self).__name__} says, got "
                f"{'none' if solved.mask is None else 'one'}; correct the case"
            )
        return solved

    def settled(self, draws: Sequence[Draw], grid: Grid | Points, device: str = "cpu", tick: Tick = silent) -> None:
        return None

    @property
    def spectral_degree(self) -> None:
        return None

    def checks(self, grid: Grid | Points) -> dict[str, tuple[Refinement, Refinement]]:
        """The same samples with the solver's resolution 1.5 times as fine."""
        return {"space": (SAME, REFINED)}

    def resolution(self, grid: Grid | Points, refinement: Refinement = SAME) -> dict[str, Any]:
        return {"refinement": refinement.space}

    def work(self, n_frames: int, refinement: Refinement = SAME, started: bool = False) -> int:
        """Samples; a refined one counts as more."""
        return max(1, round(refinement.of_all_axes**2))


def _stacked(parts: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(parts))
