"""Residual diffusion: a deterministic stepper makes the forecast of a step, and a diffusion model samples its error.

Sources: Yue, Wang and Loy (2023), "ResShift", https://arxiv.org/abs/2307.12348 (the path from the data to a reference
with noise); Mardani et al. (2025), "Residual corrective diffusion modeling for km-scale atmospheric downscaling",
https://arxiv.org/abs/2309.15214 (a regression, and a diffusion model of its residual).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import LogLevels
from pdekit.diffusion.parametrisations import edm
from pdekit.diffusion.paths import ResidualPath
from pdekit.diffusion.samplers.base import Sampler
from pdekit.diffusion.samplers.exponential import Exponential
from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Stepper, inside_or_zero, mean_square
from pdekit.models.generation import denoiser, noised
from pdekit.models.inputs import from_frame
from pdekit.models.normaliser import Moments
from pdekit.models.stages import Stage, adam_stage
from pdekit.settings import Training

TRAJECTORIES, FRAMES = 64, 8  # from which the size of the residual is measured


class ResidualDiffusion(Stepper):
    """u(t + dt) = r + s x: r the step of a trained stepper, x a sample of its error in units s of the rms error.

    The net sees z = (1 - eta) x + kappa sqrt(eta) e (`ResidualPath`), r, and the channels that every stepper sees. Its
    target is that of `parametrisations.edm`, which has variance one at each level; ln k is uniform.

    The base is required: it is trained first, or taken from ``requires.base=RUN``, and rests while this method trains.
    Its normalisation is used here, too. A step costs one call of the base and the calls of the sampler.

    Differences from ResShift: levels are continuous, the coordinate is the residual, which is scaled by its measured
    size, and the sampler is one of the core; ancestral sampling is ``DDIM(eta=1)``.

    Limits: an ensemble spreads as much as the base errs on the data that it was trained on. A base that has learnt
    these by heart gives too little spread on others.

    Args:
        problem: problem to forecast.
        base: factory of a deterministic stepper such as `OneStep`, called with the problem.
        net: factory of a grid net, called with layout, in_channels, out_channels and n_conditions.
        levels: levels of training and sampling, in units of the rms of the residual; four from 20 to 0.05 if None.
        sampler: one of `pdekit.diffusion.samplers`; DPM-Solver++ of order 2 if None.
        noise: kappa, see `ResidualPath`.

    Raises:
        ValueError: if the base is stochastic.
    """

    configurable = True
    stochastic = True
    requires = ("base",)

    def __init__(
        self,
        problem: Problem,
        base: Callable[[Problem], Stepper],
        net: Callable[..., nn.Module],
        levels: LogLevels | None = None,
        sampler: Sampler | None = None,
        noise: float = 2.0,
    ):
        made = base(problem)
        if made.stochastic:
            raise ValueError(
                f"expected a deterministic stepper as the base, got {type(made).__name__}, which draws noise; set "
                "model.base to a regression such as pdekit.models.one_step.OneStep"
            )
        super().__init__(problem, max(made.history, 1), 1, dataclasses.replace(made.inputs, distance=False))
        self.base = made
        self.levels = levels or LogLevels(4, 0.05, 20.0)
        self.sampler = sampler or Exponential("clean", 2)
        self.path, self.parametrisation = ResidualPath(noise), edm(1.0)
        self.register_buffer("residual_scale", torch.ones(problem.n_channels))
        self.net = net(
            layout=problem.grid.layout,
            in_channels=2 * problem.n_channels + self.n_context,
            out_channels=problem.n_channels,
            n_conditions=1 + self.n_params,
        )

    @property
    def calls_per_step(self) -> int:
        return self.base.calls_per_step + self.sampler.calls(self.levels.n)

    def stages(self, settings: Training) -> Sequence[Stage]:
        return (dataclasses.replace(adam_stage(settings), parameters=("net.",)),)

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Take the normalisation of the trained base, and measure the rms of its error."""
        self.base.requires_grad_(False)  # several processes wait for the gradients of all others
        self.normaliser.load_state_dict(self.base.normaliser.state_dict())
        moments = Moments(self.problem.n_channels)
        for batch in itertools.islice(batches, TRAJECTORIES):
            inner = self.normalised(batch)
            first = torch.linspace(0, inner.u.shape[1] - self.history - 1, FRAMES).long().unique().tolist()
            for n in first:
                frames = inner.u[:, n : n + self.history]
                moments.add(inner.u[:, n + self.history] - self.reference(frames, from_frame(inner, n)), inner.mask)
        rms = (moments.variance + moments.mean.square()).sqrt()
        self.residual_scale.copy_(torch.where(rms > 0, rms, 1.0))

    def reference(self, frames: Tensor, given: Trajectory) -> Float[Tensor, "batch channel *space"]:
        """Return r, the next frame as the base forecasts it, in normalised units."""
        return self.base.step(frames, given, no_draws)

    def scale(self, like: Tensor) -> Tensor:
        """Rms of the error of the base, for each channel."""
        return self.residual_scale.to(like).reshape((-1,) + (1,) * (like.ndim - 2))

    def call(
        self, z: Tensor, share: Float[Tensor, "batch"], context: Tensor, given: Trajectory
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the net's output at a level, which is given as a share of the range of ln k."""
        return self.net(torch.cat((z, context), 1), self.channels.condition(given, share))

    def denoiser(self, context: Tensor, given: Trajectory) -> Denoise:
        """Return D(y, k) of the residual in its own units."""
        net = partial(self.call, context=context, given=given)
        return denoiser(net, (self.path, self.parametrisation), self.levels)

    def conditional(self, batch: Trajectory) -> tuple[Denoise, Tensor]:
        """Return the denoiser of the residual given what is known of a batch, and a tensor of its shape."""
        inner = self.normalised(batch)
        frames = inner.u[:, : self.history]
        reference = self.reference(frames, inner)
        return self.denoiser(torch.cat((reference, self.context(frames, inner)), 1), inner), reference

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        batch = self.normalised(batch)
        frames = batch.u[:, : self.history]
        with torch.no_grad():
            reference = self.reference(frames, batch)
        clean = inside_or_zero((batch.u[:, self.history] - reference) / self.scale(reference), batch.mask)
        k = self.levels.random(len(batch))
        z, wanted = noised((self.path, self.parametrisation), clean, k)
        context = torch.cat((reference, self.context(frames, batch)), 1)
        error = self.call(z, self.levels.share(k).to(z), context, batch) - wanted
        loss = mean_square(error, batch.mask)
        return loss, {"loss": loss.detach()}

    def step(
        self,
        frames: Float[Tensor, "batch time channel *space"],
        given: Trajectory,
        noise: Callable[[Tensor, int], Tensor],
    ) -> Float[Tensor, "batch channel *space"]:
        reference = self.reference(frames, given)
        context = torch.cat((reference, self.context(frames, given)), 1)
        start = self.levels.k_max * noise(reference, 0)
        sample = self.sampler(
            self.denoiser(context, given), start, self.levels.grid(), lambda i: noise(reference, i + 1)
        )
        return reference + self.scale(reference) * sample


def no_draws(like: Tensor, call: int) -> Tensor:
    """The noise of a stepper that draws none.

    Raises:
        ValueError: if it draws after all.
    """
    raise ValueError("expected a base that draws no noise, got one that does; set model.base to a regression")
