"""The mean of the training split: u(x, t) = <u(x)>. What is left to forecast once predictability has ended.

On points that differ from trajectory to trajectory no place has a mean: u(x, t) = <u>, one number for each field.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Surrogate, mean_square
from pdekit.models.stages import Stage
from pdekit.settings import Training


class Mean(Surrogate):
    """Forecasts the mean field over samples and time, whatever is given. Also for steady problems.

    On `Points` the mean of each point is taken if all training trajectories have the same points; they are forecast
    the mean over samples, time and points where the points are others, and where those of training differ.

    Limits: where a mask varies from sample to sample, each point is averaged over the samples that have it.

    Args:
        problem: problem to forecast.
    """

    configurable = True

    def __init__(self, problem: Problem):
        super().__init__(problem, (0, 1) if problem.steady else (1, 1))
        self.register_buffer("mean", torch.zeros(problem.n_channels, *problem.grid.shape))
        if not problem.grid.uniform:  # the mean of each field, and the points of all trajectories (else NaN)
            self.register_buffer("mean_of_field", torch.zeros(problem.n_channels))
            self.register_buffer("places", torch.zeros(*problem.grid.shape, problem.ndim))

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        total = torch.zeros(self.mean.shape, dtype=torch.float64)
        count = torch.zeros_like(total)
        places = None
        for batch in batches:
            u, there = batch.u.to("cpu", torch.float64), batch.existing
            weight = torch.ones_like(u) if there is None else (there[:, None].cpu() > 0).to(u).expand_as(u)
            total += torch.where(weight > 0, u, 0.0).sum((0, 1))
            count += weight.sum((0, 1))
            if batch.points is not None:
                found = padded_points(batch).cpu()
                places = found[0] if places is None else places
                places = torch.where((found == places).all(), places, torch.nan)
        self.mean.copy_(total / count.clamp_min(1))
        if places is not None:
            self.places.copy_(places)
            self.mean_of_field.copy_(total.sum(-1) / count.sum(-1).clamp_min(1))

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The variance about the mean field, in physical units."""
        there = batch.existing
        mean = self.means(batch)[:, None].to(batch.u)
        loss = mean_square(batch.u - mean, None if there is None else there[:, None])
        return loss, {"loss": loss}

    def means(self, given: Trajectory) -> Float[Tensor, "batch channel *space"]:
        """Return the mean field of each sample."""
        mean = self.mean.expand(len(given), *self.mean.shape)
        if given.points is None:
            return mean
        known = (padded_points(given).to(self.places) == self.places).all((1, 2))
        return torch.where(known[:, None, None], mean, self.mean_of_field[:, None])

    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        mean = self.means(given).to(given.u)
        return mean[None, :, None].expand(members, -1, t.shape[1], *mean.shape[1:])

    def stages(self, settings: Training) -> Sequence[Stage]:
        return ()


def padded_points(batch: Trajectory) -> Float[Tensor, "batch point dim"]:
    """Return the points of each trajectory in float32, infinite where they are padding."""
    points = batch.points.float()
    return points if batch.point_mask is None else torch.where(batch.point_mask[..., None] > 0, points, torch.inf)
