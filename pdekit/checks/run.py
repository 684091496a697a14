"""A check: every row is computed for the surrogate, the reference solver and the baseline on the same states."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pdekit.checks.base import CheckRow
from pdekit.checks.ground import Forecaster, Ground
from pdekit.checks.verdict import CANNOT_SAY, LIMIT, Decision, Quartiles, decide, quartiles_of

NO_SOLVER = "there is no reference solver to say if the equation has this property"
UNKNOWN: Quartiles = (math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Finding:
    """The answer to one row.

    Args:
        row: name of the row.
        question: its question.
        verdict: the verdict, with its reason and the quartiles of the share.
        surrogate, solver, persistence, scale: quartiles over states of the damage of the surrogate, the reference
            solver and persistence (the mean for a steady problem), and of the scale; in one unit. NaN where there is
            none.
        seconds: time that the row took.
    """

    row: str
    question: str
    verdict: Decision
    surrogate: Quartiles = UNKNOWN
    solver: Quartiles = UNKNOWN
    persistence: Quartiles = UNKNOWN
    scale: Quartiles = UNKNOWN
    seconds: float = 0.0


def run_check(
    surrogate: Forecaster,
    ground: Ground,
    rows: Sequence[CheckRow],
    limit: float = LIMIT,
    tick: Callable[[str], None] | None = None,
) -> list[Finding]:
    """Ask all rows, one after another.

    Args:
        surrogate: the forecaster to check.
        ground: states, reference solver and baseline.
        rows: rows to ask, see `pdekit.checks.catalogue.rows_of`.
        limit: largest share of the damage that passes.
        tick: called with the name of each row before it is computed.
    """
    if not 0 < limit < 1:
        raise ValueError(f"expected a limit between 0 and 1, a share of the damage, got {limit}; correct limit=")
    found = []
    for row in rows:
        if tick is not None:
            tick(row.name)
        begin = time.perf_counter()
        with torch.no_grad():
            finding = ask(row, surrogate, ground, limit)
        found.append(dataclasses.replace(finding, seconds=time.perf_counter() - begin))
    return found


def ask(row: CheckRow, surrogate: Forecaster, ground: Ground, limit: float = LIMIT) -> Finding:
    """Ask one row; a row that cannot be asked is CANNOT SAY with its reason."""
    reason = row.excluded(surrogate, ground) or surrogate.unable(row.name)
    if not reason and row.solver_decides and ground.solver is None:
        reason = NO_SOLVER
    if reason:
        return Finding(row.name, row.question, Decision(CANNOT_SAY, reason))
    try:
        value, scale = row.value(surrogate, ground), row.stake * row.scale(ground)
        floor = floor_of(row, ground)
    except ValueError as error:  # a model that refuses a grid, a solver that cannot be asked
        return Finding(row.name, row.question, Decision(CANNOT_SAY, str(error)))
    if row.solver_decides and floor is None:
        return Finding(row.name, row.question, Decision(CANNOT_SAY, NO_SOLVER))
    zeros = torch.zeros_like(scale)
    if row.over_states is not None:
        verdict = row.over_states(surrogate, ground)
    else:
        verdict = decide(value, zeros if floor is None else floor, scale, limit)
    return Finding(
        row.name,
        row.question,
        verdict,
        quartiles_of(value),
        UNKNOWN if floor is None else quartiles_of(floor),
        of_baseline(row, ground),
        quartiles_of(scale),
    )


def floor_of(row: CheckRow, ground: Ground) -> Tensor | None:
    """Return the unavoidable damage of a row; None without a solver."""
    if row.floor is not None:
        return row.floor(ground)
    return None if ground.solver is None else row.value(ground.solver, ground)


def of_baseline(row: CheckRow, ground: Ground) -> Quartiles:
    """Return the quartiles of the damage of the baseline; NaN where it cannot be asked."""
    try:
        return quartiles_of(row.value(ground.baseline, ground))
    except ValueError:
        return UNKNOWN
