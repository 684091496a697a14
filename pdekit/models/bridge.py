"""Bridge stepper: the change of a step is sampled by a stochastic interpolant that starts from the last state.

Source: Chen et al. (2024), "Probabilistic forecasting with stochastic interpolants and Föllmer processes",
https://arxiv.org/abs/2403.13724.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pdekit.diffusion.bridge import bridge, bridge_shares, bridge_times
from pdekit.diffusion.parametrisations import edm
from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Stepper, mean_square
from pdekit.models.inputs import Preparation


class InterpolantBridge(Stepper):
    """u(t + dt) = u(t) + s x, x a sample of the change in units s of its deviation, see `pdekit.diffusion.bridge`.

    The net sees z_s, the channels that every stepper sees, and the number of the call as a share. The first call sees
    z = 0 and is a regression; the others remove noise of about 1 - s of the change. A step costs ``n_calls`` calls.

    Differences from the paper: eight calls instead of a hundred or more, at fixed times that are also those of the
    training, geometric in 1 - s; each step is exact for a constant D; the net's target is that of
    `parametrisations.edm` instead of the drift, of which the data cannot be computed at s = 0.

    Limits: few calls make too little spread where the change is far from determined. Of a Gaussian as wide as the
    change, 8 calls give 0.66 of the deviation, 16 give 0.81 and 64 give 0.95 (last = 0.01).

    Args:
        problem: problem in time.
        net: factory of a grid net, called with layout, in_channels, out_channels and n_conditions.
        history: frames that a step sees.
        n_calls: calls of the net in a step; 1 is a regression.
        last: 1 - s of the last call: the finest noise in units of the deviation of the change.
        inputs: the way in which fields become input channels; by mean and standard deviation if None.

    Raises:
        ValueError: on a steady problem, and on what `bridge_times` refuses.
    """

    configurable = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., nn.Module],
        history: int = 1,
        n_calls: int = 8,
        last: float = 0.01,
        inputs: Preparation | None = None,
    ):
        super().__init__(problem, history, 1, inputs)
        if problem.steady:
            raise ValueError(
                "expected a problem in time, got a steady one: a bridge starts from the state before, and there is "
                "none; use model=residual_diffusion or pde_refiner"
            )
        self.stochastic = n_calls > 1
        self.n_calls, self.times, self.parametrisation = n_calls, bridge_times(n_calls, last), edm(1.0)
        self.net = net(
            layout=problem.grid.layout,
            in_channels=problem.n_channels + self.n_context,
            out_channels=problem.n_channels,
            n_conditions=1 + self.n_params,
        )

    @property
    def calls_per_step(self) -> int:
        return self.n_calls

    def shares(self, number: Int[Tensor, "batch"], like: Tensor) -> tuple[Tensor, Tensor]:
        """Return (signal, sigma) of each sample's call, shaped to broadcast over ``like``."""
        shape = (-1,) + (1,) * (like.ndim - 1)
        signal, sigma = (part.to(like)[number].reshape(shape) for part in bridge_shares(self.times))
        return signal, sigma

    def call(
        self, z: Tensor, context: Tensor, number: Int[Tensor, "batch"], given: Trajectory
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the net's output at the given call of a step."""
        condition = self.channels.condition(given, number.to(z) / max(self.n_calls - 1, 1))
        return self.net(torch.cat((z, context), 1), condition)

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        batch = self.normalised(batch)
        frames = batch.u[:, : self.history]
        clean = (batch.u[:, self.history] - frames[:, -1]) / self.change_scale(frames[:, -1])
        number = torch.randint(0, self.n_calls, (len(batch),), device=clean.device)
        signal, sigma = self.shares(number, clean)
        noise = torch.randn_like(clean, memory_format=torch.contiguous_format)
        first = (number == 0).reshape(signal.shape)  # the process starts from 0 itself
        z = torch.where(first, 0.0, signal * clean + sigma * noise)
        wanted = torch.where(first, clean, self.parametrisation.output(clean, noise, signal, sigma))
        error = self.call(z, self.context(frames, batch), number, batch) - wanted
        loss = mean_square(error, batch.mask)
        return loss, {"loss": loss.detach()}

    def step(
        self,
        frames: Float[Tensor, "batch time channel *space"],
        given: Trajectory,
        noise: Callable[[Tensor, int], Tensor],
    ) -> Float[Tensor, "batch channel *space"]:
        context, zero = self.context(frames, given), torch.zeros_like(frames[:, -1])

        def denoise(z: Tensor, i: int) -> Tensor:
            number = torch.full((len(z),), i, device=z.device)
            output = self.call(z, context, number, given)
            return self.parametrisation.clean(output, z, *self.shares(number, z)) if i else output

        return frames[:, -1] + self.change_scale(zero) * bridge(denoise, zero, self.times, lambda i: noise(zero, i))
