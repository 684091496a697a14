"""alpha u + beta du/dn = g(t) on a side of the box: boundary conditions, by construction or as terms of the loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.boundaries import Dirichlet, Periodic, Wall
from pdekit.calculus.base import Calculus
from pdekit.fields import Problem
from pdekit.models.pinn.checks import parts_of
from pdekit.pdes.initial_states import sampled

MISMATCH = 1e-3  # share of the largest initial value by which the initial state may differ from a Dirichlet value
LETTERS = "xyz"
SAMPLES = 101  # times at which the size of a signal is looked for


@dataclass(frozen=True)
class SideCondition:
    """alpha u + beta du/dn = g on one side of the box, n being the outward normal; for every field.

    Args:
        axis: number of the axis.
        side: 0 for its lower end, 1 for its upper end.
        alpha, beta: coefficients; beta in units of length if alpha is 1.
        value: g, a number or a function of the times "point 1".
    """

    axis: int
    side: int
    alpha: float
    beta: float
    value: float | Callable[[Tensor], Tensor]

    def at(self, t: Float[Tensor, "point 1"]) -> Any:
        """Return g at some times."""
        return self.value(t) if callable(self.value) else self.value

    def error(self, u: Any, d: Calculus, t: Float[Tensor, "point 1"]) -> Any:
        """Return alpha u + beta du/dn - g at points of times t in a calculus, one channel for each field."""
        sign = 1.0 if self.side else -1.0
        total = u * self.alpha
        if self.beta:
            total = total + d.along(u, LETTERS[self.axis]) * (sign * self.beta)
        return total - self.at(t)

    def size(self, scale: Float[Tensor, "field"], length: float) -> Float[Tensor, "field"]:
        """Return the size of the terms, |alpha| c + |beta| c / L, for fields of size c on an axis of length L."""
        return (abs(self.alpha) + abs(self.beta) / length) * scale

    def field_size(self, length: float, last: float) -> float:
        """Return the size of a field that g alone would make up to a time, |g| / (|alpha| + |beta| / L)."""
        t = torch.linspace(0.0, last, SAMPLES, dtype=torch.float64)[:, None]
        return float(torch.as_tensor(self.at(t)).abs().max()) / (abs(self.alpha) + abs(self.beta) / length)

    def points(
        self, n: int, lower: Float[Tensor, "coordinate"], upper: Float[Tensor, "coordinate"]
    ) -> Float[Tensor, "point coordinate"]:
        """Draw points of the side, uniform in the other coordinates and in time."""
        points = lower + torch.rand(n, len(lower), dtype=lower.dtype).to(lower.device) * (upper - lower)
        points[:, self.axis] = upper[self.axis] if self.side else lower[self.axis]
        return points


@dataclass(frozen=True)
class Walls:
    """Conditions at the ends of the axes.

    Args:
        kept: for each axis, whether fields keep their initial values at its lower and its upper end, by construction.
        asked: conditions that are terms of the loss.
    """

    kept: tuple[tuple[bool, bool], ...]
    asked: tuple[SideCondition, ...]


def walls_of(problem: Problem) -> Walls:
    """Sort the boundary of a problem into what holds by construction and what the loss asks for.

    At a wall of unspecified kind and under a Dirichlet condition with a number, fields keep their initial values by
    construction. Neumann and Robin conditions, and Dirichlet conditions with a signal in time, are terms of the loss.

    Raises:
        ValueError: on a condition that a PINN does not support, a Dirichlet value other than that of the initial
            state, or an equation with an auxiliary unknown, for which no condition is known at an end.
    """
    kept, asked = [], []
    for axis, ends in enumerate(problem.boundary):
        if Periodic() in ends:
            kept.append((False, False))
            continue
        if problem.pde.auxiliary:
            raise ValueError(
                f"expected periodic axes for {type(problem.pde).__name__}, whose {', '.join(problem.pde.auxiliary)} "
                f"needs conditions of its own at an end, found '{ends[0]}' and '{ends[1]}' on the axis "
                f"{problem.grid.axes[axis]}; use a periodic grid, or another method"
            )
        made = [_condition(problem, axis, side) for side in (0, 1)]
        kept.append((made[0] is None, made[1] is None))
        asked += [condition for condition in made if condition is not None]
    return Walls(tuple(kept), tuple(asked))


def _condition(problem: Problem, axis: int, side: int) -> SideCondition | None:
    """Return what the loss asks for on one side; None where fields keep their initial values."""
    end = problem.sides[axis][side]
    if end == Wall():
        return None
    value: Any = end.given
    if end.coefficients is None or value is None or end.field is not None:
        raise ValueError(
            "expected a boundary among dirichlet, neumann and robin, with a number or a signal in time, and wall on "
            f"the axis {problem.grid.axes[axis]}, got '{end}'; a PINN supports no other: use a periodic grid, or "
            "another method"
        )
    if end.number is not None and end == Dirichlet(end.number):
        _check_value(problem, axis, side, end.number)
        return None
    return SideCondition(axis, side, *end.coefficients, value)


def _check_value(problem: Problem, axis: int, side: int, value: float) -> None:
    """Raise ValueError if a Dirichlet value is not that of the initial state at that end."""
    found = initial_values(problem, axis, side)
    if (found - value).abs().max() > allowed_mismatch(problem):
        raise ValueError(
            f"expected an initial state of {value:g} at the end of axis {problem.grid.axes[axis]}, as its boundary "
            f"'{problem.boundary[axis][side]}' says, found values up to {float(found.abs().max()):.3g}; a PINN keeps "
            "the initial values at walls: correct one of the two"
        )


def allowed_mismatch(problem: Problem) -> float:
    """Return the difference from a Dirichlet value that counts as rounding of the initial state."""
    return MISMATCH * float(sampled(parts_of(problem)[1], problem.box).abs().max())


def initial_values(problem: Problem, axis: int, side: int) -> Float[Tensor, "channel *points"]:
    """Return the initial state at the points of one side."""
    walled = dataclasses.replace(problem.box, layout=("nodes",) * problem.ndim)
    return sampled(parts_of(problem)[1], walled).select(1 + axis, -side)
