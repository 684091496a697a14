"""The mean of the training split: u(x, t) = <u(x)>. What is left to forecast once predictability has ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Surrogate
from pdekit.models.stages import Stage
from pdekit.settings import Training


class Mean(Surrogate):
    """Forecasts the mean field over samples and time, whatever is given. Also for steady problems.

    Limits: where a mask varies from sample to sample, each point is averaged over the samples that have it.

    Args:
        problem: problem to forecast.
    """

    configurable = True

    def __init__(self, problem: Problem):
        super().__init__(problem, (0, 1) if problem.steady else (1, 1))
        self.register_buffer("mean", torch.zeros(problem.n_channels, *problem.grid.shape))

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        total = torch.zeros(self.mean.shape, dtype=torch.float64)
        count = torch.zeros_like(total)
        for batch in batches:
            u = batch.u.to("cpu", torch.float64)
            weight = torch.ones_like(u) if batch.mask is None else (batch.mask[:, None].cpu() > 0).to(u).expand_as(u)
            total += torch.where(weight > 0, u, 0.0).sum((0, 1))
            count += weight.sum((0, 1))
        self.mean.copy_(total / count.clamp_min(1))

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The variance about the mean field, in physical units."""
        loss = (batch.u - self.mean.to(batch.u)).square().mean()
        return loss, {"loss": loss}

    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        return self.mean.to(given.u).expand(members, len(given), t.shape[1], *self.mean.shape)

    def stages(self, settings: Training) -> Sequence[Stage]:
        return ()
