"""Steps in closed form: u(t + dt) = u(t) + W f(u(t), u(t - dt), ...), W by ridge regression on the training split."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem, Trajectory, n_values
from pdekit.models.base import Surrogate, mean_square
from pdekit.models.stages import Stage
from pdekit.settings import Training

MOST_VALUES = 4096
"""Values of a state and its history; the cost of the regression grows with their cube."""
SMALLEST = 1e-12
"""Standard deviation below which a value does not vary."""


class RegressedStep(Surrogate):
    """Base of steps that are linear in features of the last frames; features see values of mean 0 and deviation 1.

    Parameters, coefficient fields and forcing are not read.

    Args:
        problem: in time, on a uniform grid or without space, without a mask, of few values.
        history: frames that a step sees.
        n_features: number of features.
        ridge: ridge of the regression, as a share of the mean square of the features.

    Raises:
        ValueError: if the problem is another, or a number is out of range.
    """

    def __init__(self, problem: Problem, history: int, n_features: int, ridge: float):
        if history < 1 or not ridge > 0:
            raise ValueError(f"expected history >= 1 and ridge > 0, got {history} and {ridge}; set positive numbers")
        if problem.steady or not problem.grid.uniform or problem.has_mask:
            raise ValueError(
                "expected a problem in time on a uniform grid without a mask, found another; a regression of the next "
                "frame is not defined for it"
            )
        n = problem.n_channels * n_values(problem.grid)
        if n * history > MOST_VALUES:
            raise ValueError(
                f"expected at most {MOST_VALUES} values of a state with its history, got {n * history}; a regression "
                "of the next frame is too large: choose a smaller grid or history"
            )
        super().__init__(problem, (history, 1))
        self.ridge = ridge
        for name, shape, value in (
            ("mean", (n,), 0.0),
            ("deviation", (n,), 1.0),
            ("weights", (n_features + 1, n), 0.0),
        ):
            self.register_buffer(name, torch.full(shape, value, dtype=torch.float64))

    @abstractmethod
    def features(self, x: Float[Tensor, "batch time value"]) -> Float[Tensor, "batch feature"]:
        """Features of the last frames, whose values are scaled."""

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        states = [batch.u.to("cpu", torch.float64).flatten(2) for batch in batches]
        every = torch.cat([u.flatten(0, 1) for u in states])
        self.mean.copy_(every.mean(0))
        deviation = every.std(0, correction=0)
        self.deviation.copy_(torch.where(deviation > SMALLEST, deviation, torch.ones_like(deviation)))
        gram = torch.zeros(len(self.weights), len(self.weights), dtype=torch.float64)
        moments, count = torch.zeros_like(self.weights, device="cpu"), 0
        for u in states:
            x = ((u - self.mean.cpu()) / self.deviation.cpu()).unfold(1, self.window[0], 1).movedim(-1, 2)
            before, change = x[:, :-1].flatten(0, 1), (x[:, 1:, -1] - x[:, :-1, -1]).flatten(0, 1)
            design = self._design(before)
            gram += design.T @ design
            moments += design.T @ change
            count += len(design)
        added = self.ridge * float(gram.diagonal().mean()) * torch.eye(len(gram), dtype=torch.float64)
        self.weights.copy_(torch.linalg.solve(gram + added, moments) if count else moments)

    def _design(self, x: Float[Tensor, "batch time value"]) -> Float[Tensor, "batch feature"]:
        """Features and a constant."""
        found = self.features(x)
        return torch.cat((found, torch.ones_like(found[:, :1])), dim=1)

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The mean squared error of one step, in physical units."""
        history = self.window[0]
        step = self.forecast(batch.known(history), batch.t[:, history : history + 1])[0]
        loss = mean_square(step - batch.u[:, history : history + 1], None)
        return loss, {"loss": loss}

    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Step from frame to frame, in float64; a forecast that grows without bound becomes infinite."""
        history = self.window[0]
        x = (given.u[:, -history:].double().flatten(2) - self.mean.double()) / self.deviation.double()
        frames = []
        for _ in range(t.shape[1]):
            following = x[:, -1] + self._design(x) @ self.weights.double()
            x = torch.cat((x[:, 1:], following[:, None]), dim=1)
            frames.append(following)
        u = torch.stack(frames, dim=1) * self.deviation.double() + self.mean.double()
        return u.to(given.u).unflatten(2, given.u.shape[2:]).expand(members, *u.shape[:2], *given.u.shape[2:])

    def stages(self, settings: Training) -> Sequence[Stage]:
        return ()
