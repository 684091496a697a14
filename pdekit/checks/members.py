"""Members of an ensemble: each is a forecast, and obeys what the equation says.

The other rows judge the mean over members, which can hide a fault: two members that lose and gain mass keep it in the
mean, and a mean lies within bounds that its members leave. Here the damage of a state is that of its worst member, and
solver and scale are those of the row itself.

Rows over whole rollouts that compare states (``rest.rollout``, ``symmetry.NAME.rollout``) are not asked of members:
members of a good ensemble differ there as much as the future is open, which the rows of `uncertainty` judge.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from pdekit.checks.base import ONE_FORECAST, CheckRow
from pdekit.checks.ground import Forecaster, Ground

MEMBERS = 4
"""Members that are judged."""
OPEN = ".rollout"
"""Last part of the names of rows that compare states at the end of the rollout."""


def members_rows(rows: Sequence[CheckRow]) -> tuple[CheckRow, ...]:
    """Return the rows of members, ``members.NAME``, for these rows."""
    return tuple(_of_each(row) for row in rows if not row.name.endswith(OPEN))


def _of_each(row: CheckRow) -> CheckRow:
    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        return row.excluded(surrogate, ground) if surrogate.model.stochastic else ONE_FORECAST

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        if not forecaster.model.stochastic:  # the reference solver and the baseline
            return row.value(forecaster, ground)
        found = torch.stack([row.value(member, ground) for member in forecaster.singles(MEMBERS)])
        return torch.where(torch.isfinite(found), found, torch.inf).amax(0)

    question = f"Of each member: {row.question}"
    return dataclasses.replace(row, name=f"members.{row.name}", question=question, value=value, excluded=excluded)
