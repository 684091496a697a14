"""One row of a check: a question, the damage of a forecaster, and the scale of the damage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pdekit.checks.ground import Forecaster, Ground
from pdekit.checks.verdict import Decision

ONE_FORECAST = "the method makes one forecast, not an ensemble"
"""Reason why rows of ensembles cannot be asked."""

Measure = Callable[[Forecaster, Ground], Float[Tensor, "state"]]


def always(surrogate: Forecaster, ground: Ground) -> str:
    """Return no reason against a row."""
    return ""


@dataclass(frozen=True)
class CheckRow:
    """A property that a surrogate has, or has not.

    Args:
        name: stable name, ``group.property``.
        question: the question in one line.
        value: damage of a forecaster for each state, 0 for a perfect one.
        scale: damage of a forecast that does not have the property, for each state, in the same unit.
        excluded: reason why the question cannot be asked; empty if it can.
        floor: damage that cannot be avoided, for each state; that of the reference solver if None.
        stake: share of the scale that is taken for the whole: 0.01 for properties that must hold a hundred times
            better.
        solver_decides: the equation does not declare the property: it has it if the reference solver does.
        over_states: the verdict from all states together, for a property that no single state has; None for the rule
            of `pdekit.checks.verdict`. Value and scale are shown.
    """

    name: str
    question: str
    value: Measure
    scale: Callable[[Ground], Float[Tensor, "state"]]
    excluded: Callable[[Forecaster, Ground], str] = always
    floor: Callable[[Ground], Float[Tensor, "state"]] | None = None
    stake: float = 1.0
    solver_decides: bool = False
    over_states: Callable[[Forecaster, Ground], Decision] | None = None


def missed_after(steps: int | None) -> Callable[[Ground], Float[Tensor, "state"]]:
    """Return the scale of most rows: the error of the baseline after so many frames; None for the whole horizon."""

    def scale(ground: Ground) -> Tensor:
        return ground.missed(ground.horizon if steps is None else steps)

    return scale
