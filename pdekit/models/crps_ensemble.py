"""An ensemble from one net: noise conditions every normalisation, and the CRPS trains their spread to match the error.

Sources: Lang et al. (2024), "AIFS-CRPS: Ensemble forecasting using a model trained with a loss function based on the
Continuous Ranked Probability Score", https://arxiv.org/abs/2412.15832 (the almost fair score); Alet et al. (2025),
"Skillful joint probabilistic weather forecasting from marginals", https://arxiv.org/abs/2506.10772 (noise through
conditional normalisation, two members in the loss).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Stepper, inside_or_zero, mean_inside, repeat
from pdekit.models.inputs import Preparation
from pdekit.models.one_step import TARGETS
from pdekit.nets.condition import Condition


class CRPSEnsemble(Stepper):
    """A net that maps the last frames and a noise vector z ~ N(0, 1) to the next frame; each member draws its own z.

    u(t + dt) = u(t) + s net(context, (z, params)), s the deviation of the change; or the state itself. z has no place:
    a net whose normalisations are conditioned turns it into gains and offsets of its channels, so that members differ
    coherently over the whole field. The loss is the almost fair CRPS at each point, over m members of each sample.

    A step costs one call of the net for each member, and a training step m calls for each sample.

    Differences from the papers: any grid net that takes conditions, instead of a transformer on a sphere; one step in
    the loss; no weights of variables, because the score is that of normalised changes.

    Limits: the score is that of single points. It does not see correlations between points; they come from z alone.
    With two members and a fairness of 0.95 the spread is 5 % too small, see `almost_fair_crps`.

    Args:
        problem: problem to forecast.
        net: factory of a grid net, called with layout, in_channels, out_channels and n_conditions.
        history: frames that a step sees.
        target: "change" or "state".
        n_noise: length of z.
        members: m, members of each training sample, at least 2.
        fairness: alpha of `almost_fair_crps`.
        inputs: the way in which fields become input channels; by mean and standard deviation if None.

    Raises:
        ValueError: on an unknown target, fewer than two members, no noise, or a fairness outside [0, 1].
    """

    configurable = True
    stochastic = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., nn.Module],
        history: int = 1,
        target: str = "change",
        n_noise: int = 16,
        members: int = 2,
        fairness: float = 0.95,
        inputs: Preparation | None = None,
    ):
        if target not in TARGETS:
            raise ValueError(f"expected a target among {TARGETS}, got {target!r}; set model.target")
        if members < 2 or n_noise < 1 or not 0 <= fairness <= 1:
            raise ValueError(
                f"expected members >= 2, n_noise >= 1 and 0 <= fairness <= 1, got {members}, {n_noise} and {fairness}; "
                "try model.members=2 model.n_noise=16 model.fairness=0.95"
            )
        super().__init__(problem, history, 1, inputs)
        self.change = target == "change" and not problem.steady
        self.n_noise, self.members, self.fairness = n_noise, members, fairness
        self.net = net(
            layout=problem.grid.layout,
            in_channels=self.n_context,
            out_channels=problem.n_channels,
            n_conditions=n_noise + self.n_params,
        )

    @property
    def calls_per_step(self) -> int:
        return 1

    def scale(self, like: Tensor) -> Tensor:
        """Deviation of the normalised change of each channel (1 if the state is predicted)."""
        scale = self.change_scale(like)
        return scale if self.change else torch.ones_like(scale)

    def call(
        self, frames: Tensor, z: Float[Tensor, "batch noise"], given: Trajectory
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the net's output: the change, or the state, in units of its deviation."""
        scalars = torch.cat((z, given.params), 1) if self.n_params else z
        return self.net(self.context(frames, given), Condition(scalars))

    def step(
        self,
        frames: Float[Tensor, "batch time channel *space"],
        given: Trajectory,
        noise: Callable[[Tensor, int], Tensor],
    ) -> Float[Tensor, "batch channel *space"]:
        out = self.call(frames, noise(given.u.new_empty(len(given), self.n_noise), 0), given)
        return frames[:, -1] + self.scale(out) * out if self.change else out

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        batch = self.normalised(batch)
        wanted = batch.u[:, self.history]
        if self.change:
            wanted = wanted - batch.u[:, self.history - 1]
        many = repeat(batch, self.members)
        z = torch.randn(len(many), self.n_noise, dtype=many.u.dtype, device=many.u.device)
        out = self.call(many.u[:, : self.history], z, many).unflatten(0, (self.members, len(batch)))
        errors = inside_or_zero(out - wanted / self.scale(wanted), batch.mask)
        loss = mean_inside(almost_fair_crps(errors, self.fairness), batch.mask)
        spread = mean_inside(errors.var(0), batch.mask).sqrt()
        error = mean_inside(errors.mean(0).square(), batch.mask).sqrt()
        return loss, {"loss": loss.detach(), "spread": spread.detach(), "error": error.detach()}


def almost_fair_crps(errors: Float[Tensor, "member ..."], fairness: float = 1.0) -> Float[Tensor, "..."]:
    """Return mean |e_m| - (1 - epsilon) / 2 mean over m != n |e_m - e_n|, epsilon = (1 - alpha) / M.

    With e_m = u_m - r these are the terms of the continuous ranked probability score of M members u_m and the reference
    r. It is fair for alpha = 1: its expectation is the score of the whole distribution (Ferro 2014). Then one of two
    members can be anything where the other one equals r, and the score is still 0. An alpha a little less than 1
    removes that degeneracy (Lang et al. 2024). alpha = 0 is the plain score of the empirical distribution.

    An alpha below 1 favours members that are too close: of Gaussian data with deviation 1, the best s fulfils
    s / sqrt(1 + s^2) = (1 - epsilon) / sqrt(2), 0.952 for two members and alpha = 0.95.

    Args:
        errors: at least two members.
        fairness: alpha, 0 to 1.

    >>> round(almost_fair_crps(torch.tensor([-1.0, 1.0])).item(), 6)
    0.0
    >>> round(almost_fair_crps(torch.tensor([-1.0, 1.0]), 0.0).item(), 6)
    0.5
    """
    n = len(errors)
    rank = torch.arange(n, dtype=errors.dtype, device=errors.device).reshape(-1, *[1] * (errors.ndim - 1))
    # sum over pairs m < n of |e_m - e_n| = sum over the sorted members of (2 i - n + 1) e_i
    pairs = ((2 * rank - (n - 1)) * errors.sort(0).values).sum(0) / (n * (n - 1))
    return errors.abs().mean(0) - (1 - (1 - fairness) / n) * pairs
