"""One step on points by regression: u(t + dt) = u(t) + net(u(t), points, ...), on meshes that may all differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jaxtyping import Float
from torch import Tensor, nn

from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Stepper, mean_square
from pdekit.models.bounding_box import BoundingBox
from pdekit.models.inputs import Preparation


class PointStep(Stepper):
    """A net that maps fields at points to the fields of the next frame at the same points.

    A steady problem is one step from its coefficients and parameters to its solution. Padding of points is neither read
    nor scored. The net is given the points as shares of the box that holds all points of the training split.

    Args:
        problem: problem on `Points`.
        net: factory of a net on points, called with ndim, in_channels, out_channels and n_conditions.
        history: frames that a step sees.
        inputs: the way in which fields become input channels; by mean and standard deviation if None.

    Limits: cells of a mesh are not read. A point outside the box of training is taken at its edge.

    Raises:
        ValueError: on a problem on a grid.
    """

    configurable = True
    on_points = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., nn.Module],
        history: int = 1,
        inputs: Preparation | None = None,
    ):
        if problem.grid.uniform:
            raise ValueError(
                f"expected a problem on points, got {type(problem.grid).__name__}; a grid net such as model=fno is "
                "right for a uniform grid"
            )
        super().__init__(problem, history, 1, inputs)
        self.box = BoundingBox(problem.ndim)
        self.net = net(
            ndim=problem.ndim,
            in_channels=self.n_context,
            out_channels=problem.n_channels,
            n_conditions=self.n_params,
        )

    @property
    def calls_per_step(self) -> int:
        return 1

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        self.normaliser.calibrate(self.box.watched(batches))

    def step(
        self,
        frames: Float[Tensor, "batch time channel *space"],
        given: Trajectory,
        noise: Callable[[Tensor, int], Tensor] | None = None,
    ) -> Float[Tensor, "batch channel *space"]:
        context, places = self.context(frames, given), self.box.shares(given.points)
        predicted = self.net(context, places, given.point_mask, self.channels.condition(given))
        if self.problem.steady:
            return predicted
        return frames[:, -1] + self.change_scale(predicted) * predicted

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        batch = self.normalised(batch)
        u = self.step(batch.u[:, : self.history], batch)
        loss = mean_square(u - batch.u[:, self.history], batch.existing)
        return loss, {"loss": loss.detach()}
