"""Forecasts that were made elsewhere, as a forecaster that can only repeat them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from jaxtyping import Float
from torch import Tensor

from pdekit.checks.ground import Forecaster
from pdekit.fields import Trajectory

READABLE = (
    "rest.step",
    "rest.rollout",
    "conservation.*",
    "dissipation.*",
    "budget.*",
    "domain.*",
    "uncertainty.*",
    "members.rest.step",
    "members.conservation.*",
    "members.dissipation.*",
    "members.budget.*",
)
"""Patterns of the rows that read nothing but the forecasts of the states themselves."""
NOT_MADE_AGAIN = "stored forecasts start from the frames of the reference only: this row needs a model (run=RUN)"


@dataclass(frozen=True)
class Replay(Forecaster):
    """Stored forecasts of the states of a check.

    Args:
        start: what is known of these states.
        member: number of a single member; None for all.
    """

    start: Trajectory | None = field(default=None, compare=False, repr=False)
    member: int | None = None

    def ensemble(
        self, given: Trajectory, t: Float[Tensor, "batch time"]
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Return the stored frames of each member, in float64.

        Raises:
            ValueError: for other states, more frames or more members than are stored.
        """
        if given is not self.start:
            raise ValueError(NOT_MADE_AGAIN)
        stored, n_frames = self.model.members, self.model.n_frames
        if self.members > stored or t.shape[1] > n_frames:
            raise ValueError(
                f"the row needs {self.members} members of {t.shape[1]} frames, the forecast has {stored} of {n_frames}"
            )
        first = 0 if self.member is None else self.member
        return self.model.forecast(given, t, first + self.members)[first:].double().cpu()

    def singles(self, count: int) -> list[Forecaster]:
        """Return the first ``count`` members, or all if there are fewer, as forecasters of their own."""
        return [dataclasses.replace(self, members=1, member=m) for m in range(min(count, self.model.members))]

    def unable(self, row: str) -> str:
        """Return the reason why stored forecasts do not answer a row; empty if they do."""
        return "" if any(fnmatchcase(row, pattern) for pattern in READABLE) else NOT_MADE_AGAIN
