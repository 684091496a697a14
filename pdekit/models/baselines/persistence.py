"""Persistence: tomorrow is like today, u(t) = u(t_0). The least that a forecast must beat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Surrogate, mean_square
from pdekit.models.stages import Stage
from pdekit.settings import Training


class Persistence(Surrogate):
    """Repeats the last frame.

    Args:
        problem: problem in time; a steady problem has no frame to repeat.
    """

    configurable = True

    def __init__(self, problem: Problem):
        if problem.steady:
            raise ValueError(
                "expected a problem in time, got a steady one; persistence has no frame to repeat: use mean"
            )
        super().__init__(problem, (1, 1))

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Nothing to read."""

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The mean squared change over a frame, in physical units."""
        loss = mean_square(batch.u[:, 1] - batch.u[:, 0], batch.existing)
        return loss, {"loss": loss}

    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        last = given.u[:, -1:]
        return last.expand(members, -1, t.shape[1], *last.shape[2:])

    def stages(self, settings: Training) -> Sequence[Stage]:
        return ()
