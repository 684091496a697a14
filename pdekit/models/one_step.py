"""One step by regression: u(t + dt) = net(u(t), ...), or u(t) plus a change that the net predicts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Stepper, mean_square
from pdekit.models.equation_loss import EquationLoss, balanced
from pdekit.models.inputs import Preparation, from_frame

TARGETS = ("state", "change")


class OneStep(Stepper):
    """A net that maps the last frames to the next one, trained by the mean squared error of normalised fields.

    A steady problem is one step from its coefficients and parameters to its solution.

    Args:
        problem: problem to forecast.
        net: factory of a grid net, called with layout, in_channels, out_channels and n_conditions.
        history: frames that a step sees.
        target: "change": the net predicts the change from the last frame in units of its standard deviation;
            "state": it predicts the frame itself. A steady problem has no last frame and takes "state".
        unroll: steps of the training loss, each from the frame before it.
        pushforward: with unroll > 1: only the last step counts and carries gradients, the ones before it only
            make its input (Brandstetter et al., 2022). Otherwise the mean over all steps, with full gradients.
        inputs: the way in which fields become input channels; by mean and standard deviation if None.
        equations: weight of the residual of each equation of a steady forecast, added to the mean square of the
            fields, see `EquationLoss`; 0 for none.
    """

    configurable = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., nn.Module],
        history: int = 1,
        target: str = "change",
        unroll: int = 1,
        pushforward: bool = False,
        inputs: Preparation | None = None,
        equations: float = 0.0,
    ):
        if target not in TARGETS:
            raise ValueError(f"expected a target among {TARGETS}, got {target!r}; set model.target")
        if not equations >= 0:
            raise ValueError(f"expected equations >= 0, a weight, got {equations}; correct model.equations")
        if unroll < 1 or (problem.steady and unroll > 1):
            raise ValueError(f"expected unroll >= 1, and 1 for a steady problem, got {unroll}; correct model.unroll")
        super().__init__(problem, history, unroll, inputs)
        self.change = target == "change" and not problem.steady
        self.unroll = unroll
        self.pushforward = pushforward
        self.equations = equations
        self.equation_loss = EquationLoss(problem) if equations else None
        self.net = net(
            layout=problem.grid.layout,
            in_channels=self.n_context,
            out_channels=problem.n_channels,
            n_conditions=self.n_params,
        )

    @property
    def calls_per_step(self) -> int:
        return 1

    def step(
        self,
        frames: Float[Tensor, "batch time channel *space"],
        given: Trajectory,
        noise: Callable[[Tensor, int], Tensor] | None = None,
    ) -> Float[Tensor, "batch channel *space"]:
        predicted = self.net(self.context(frames, given), self.channels.condition(given))
        if not self.change:
            return predicted
        return frames[:, -1] + self.change_scale(predicted) * predicted

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        known, batch = batch, self.normalised(batch)
        frames, losses = batch.u[:, : self.history], []
        for n in range(self.history, self.history + self.unroll):
            last = n == self.history + self.unroll - 1
            with torch.set_grad_enabled(torch.is_grad_enabled() and (last or not self.pushforward)):
                u = self.step(frames, from_frame(batch, n - self.history))
            if last or not self.pushforward:
                losses.append(mean_square(u - batch.u[:, n], batch.mask))
            frames = torch.cat((frames[:, 1:], u[:, None]), 1)
        loss = torch.stack(losses).mean()
        if self.equation_loss is None:
            return loss, {"loss": loss.detach()}
        known = known.to(u.device)
        left = self.equation_loss(self.normaliser.decode(u[:, None].double())[:, 0], known.u[:, -1], known)
        total = balanced(loss, left, self.equations)
        return total, {"loss": total.detach(), "data": loss.detach()}
