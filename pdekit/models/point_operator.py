"""The solution operator on points: u(x, t) = net(inputs at fixed sensors)(x, t), the points being those of each sample.

The branch of an operator net needs its input at the same places for all samples. Fields on points are averaged onto a
regular grid of sensors, see `pdekit.nets.latent_grid`; the trunk is evaluated at the points themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Surrogate, mean_square
from pdekit.models.bounding_box import BoundingBox
from pdekit.models.inputs import (
    InputChannels,
    Preparation,
    check_history,
    checked_inputs,
    history_of,
    normalised,
)
from pdekit.models.normaliser import Normaliser
from pdekit.models.operator import held, shares_of_span
from pdekit.nets.latent_grid import corners, on_grid_of_corners
from pdekit.nets.operator_net import OperatorNet


class PointOperator(Surrogate):
    """An operator net trained by the mean squared error at the points of each sample and all times.

    Padding of points is neither read nor scored. Coordinates are shares of the box that holds all training points.

    Args:
        problem: problem on `Points`.
        net: factory of an operator net, called with shape, in_channels, out_channels, n_conditions, layout and in_time.
        history: frames that the net sees; a steady problem has none.
        sensors: points of each axis of the sensors' grid.
        inputs: the way in which fields become input channels; by mean and standard deviation if None.

    Limits: what is smaller than the spacing of the sensors does not reach the branch.

    Raises:
        ValueError: on a problem on a grid or with a varying dt, or a net whose functions need one grid for all samples.
    """

    configurable = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., OperatorNet],
        history: int = 1,
        sensors: int = 16,
        inputs: Preparation | None = None,
    ):
        if problem.grid.uniform:
            raise ValueError(
                f"expected a problem on points, got {type(problem.grid).__name__}; model=deeponet is right for a "
                "uniform grid"
            )
        if "dt" in problem.params or sensors < 2:
            raise ValueError(
                f"expected one time step for all trajectories and sensors >= 2, got params {problem.params} and "
                f"{sensors}; use model=latent_grid where dt varies"
            )
        history = history_of(problem, history)
        super().__init__(problem, (history, 1 if problem.steady else "all"))
        self.history, self.sensors = history, (sensors,) * problem.ndim
        inputs = checked_inputs(problem, inputs)
        self.channels = InputChannels(problem, history, problem.n_frames)
        self.span = 0.0 if problem.steady else (problem.n_frames - history) * problem.step
        self.normaliser, self.box = Normaliser(problem, inputs.normalisation), BoundingBox(problem.ndim)
        self.net = net(
            shape=self.sensors,
            in_channels=self.channels.count + 1,
            out_channels=problem.n_channels,
            n_conditions=len(problem.params),
            layout=("nodes",) * problem.ndim,
            in_time=not problem.steady,
        )
        if self.net.learns_basis:
            raise ValueError(
                f"expected a net whose functions are learnt, got {type(self.net).__name__}, which reads them from "
                "outputs on one grid; use model=point_deeponet"
            )

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        self.normaliser.calibrate(self.box.watched(batches))

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        u = self.evaluated(batch, batch.t[:, self.history :])
        target = self.normaliser.encode(batch.u[:, self.history :].to(u.device)).to(u)
        there = None if batch.existing is None else batch.existing.to(u.device)[:, None]
        loss = mean_square(u - target, there)
        return loss, {"loss": loss.detach()}

    @torch.no_grad()
    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """All times at once; they need not be those of the data, but lie within the span that was trained.

        Raises:
            ValueError: if they do not, or the frames given are not ``history`` many.
        """
        check_history(given, self.history)
        u = self.evaluated(given, t)
        u = self.normaliser.decode(u.to(torch.promote_types(u.dtype, given.u.dtype)))
        return u.expand(members, *u.shape)

    def evaluated(self, batch: Trajectory, t: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time channel point"]:
        """Return normalised fields at the points and at times, from the first ``history`` frames."""
        if self.problem.forcing:
            batch = dataclasses.replace(batch, forcing=held(batch, self.problem.n_frames))
        times = None if self.problem.steady else shares_of_span(self.span, t, batch.t[:, : self.history])
        known = normalised(batch, self.normaliser)
        assert known.point_mask is not None, "a problem on points has it"
        there = known.point_mask[:, None] > 0
        places = torch.where(there.mT, self.box.shares(known.points), 0.0)
        context = self.channels.assembled(known.u[:, : self.history], known)
        index, weight = corners(places, self.sensors)
        seen = on_grid_of_corners(torch.where(there, context, 0.0), index, weight * there.to(weight), self.sensors)
        condition = self.channels.condition(known)
        rows = []
        for i, points in enumerate(places):  # one sample at a time: each has queries of its own
            one = None if condition is None else condition[i : i + 1]
            rows.append(self.net(seen[i : i + 1], queries(points, times), one)[0])
        n_times = 1 if times is None else len(times)
        return torch.stack(rows).unflatten(2, (n_times, -1)).movedim(2, 1)


def queries(points: Float[Tensor, "point dim"], times: Tensor | None) -> Float[Tensor, "query coordinate"]:
    """Return all times and points, time running slowest; the coordinates are those of space, then time."""
    if times is None:
        return points
    times = times.to(points)
    column = times.repeat_interleave(len(points))[:, None]
    return torch.cat((points.repeat(len(times), 1), column), 1)
