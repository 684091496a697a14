"""Any surrogate whose forecasts are pulled towards a trained joint prior (TSDiff's "refine")."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.diffusion.refine import refine
from pdekit.fields import Trajectory
from pdekit.models.base import TICKS, Surrogate, inside_or_zero, repeat, steps_wanted
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.models.inputs import from_frame, normalised
from pdekit.models.noise import Noise
from pdekit.same_box import rounded_as

SAME = ("fields", "coeffs", "forcing", "params", "has_mask", "grid", "dt")
"""Parts of a problem that a surrogate and its prior have in common."""


class Refined(Surrogate):
    """A surrogate whose forecasts descend on the energy of a prior, see `pdekit.diffusion.refine`.

    The frames of a forecast are refined in windows of the prior's frames, one after the other. The first frame of a
    window is the last one of the window before, or the one that is given, and stays as it is, as coefficients do; so
    does every frame of the last window that the one before it has refined. Fields are zero where they do not exist. The
    refinement acts on what a forecast returns, and not between the steps of a rollout.

    Args:
        model: trained, of the prior's problem.
        prior: a trained `DiffusionPDE`.
        level: k, in units of the deviation of each channel: the size of the errors that are corrected.
        weight: of the distance to the forecast.
        steps: of the descent.
        seed: of its noise.

    Raises:
        ValueError: if the prior is another method or of another problem, or level, weight or steps are not positive.
    """

    def __init__(
        self,
        model: Surrogate,
        prior: Surrogate,
        level: float = 0.1,
        weight: float = 1.0,
        steps: int = 20,
        seed: int = 0,
    ):
        super().__init__(model.problem, model.window)
        if not isinstance(prior, DiffusionPDE):
            raise ValueError(
                f"expected a model of model=diffusion_pde as the prior, got {type(prior).__name__}; train one"
            )
        known = rounded_as(prior.problem, model.problem)
        other = [name for name in SAME if getattr(model.problem, name) != getattr(known, name)]
        if other:
            raise ValueError(
                f"expected a prior of the problem of the surrogate, got one with another {', '.join(other)}; train it "
                "on the same data"
            )
        if not level > 0 or not weight > 0 or steps < 1:
            raise ValueError(
                f"expected level > 0, weight > 0, steps >= 1, got {level}, {weight}, {steps}; correct them"
            )
        self.model, self.prior, self.stochastic = model, prior, model.stochastic
        self.level, self.weight, self.n_steps, self.seed = level, weight, steps, seed

    @property
    def n_reached(self) -> int | None:
        return self.model.n_reached

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        self.model.calibrate(batches)

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        return self.model.loss(batch)

    @torch.no_grad()
    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Return the refined forecast.

        Raises:
            ValueError: if the times are not those of the next frames, or fewer than the prior's frames after the first.
        """
        prior = self.prior
        steps, ticks = steps_wanted(self.problem, given, t)
        wanted = torch.arange(1, len(steps) + 1)
        if not torch.equal(steps.cpu(), wanted) or len(steps) < prior.n_frames - prior.history:
            raise ValueError(
                f"expected the times of the next frames, {prior.n_frames - prior.history} or more, for a refined "
                f"forecast, got steps {steps.tolist()}; ask for all frames"
            )
        rough = self.model.forecast(given, t, members, generator)
        # the frame before a forecast is known to both; what is known of it is normalised by the prior
        known = repeat(normalised(given, prior.normaliser), members)
        frames = torch.cat((known.u[:, given.u.shape[1] - prior.history :], self._encoded(rough, known)), 1)
        source = Noise(torch.Generator().manual_seed(self.seed), members, given.index, len(given))
        stride = max(prior.n_frames - prior.history, 1)
        done = prior.history
        for first in (*range(0, frames.shape[1] - prior.n_frames, stride), frames.shape[1] - prior.n_frames):
            window = dataclasses.replace(
                from_frame(known, given.u.shape[1] - prior.history + first),
                u=frames[:, first : first + prior.n_frames],
                t=frames.new_zeros(len(frames), prior.n_frames),
            )
            fine = self._window(window, source, ticks + first * TICKS, done - first)
            frames = torch.cat((frames[:, :first], fine, frames[:, first + prior.n_frames :]), 1)
            done = first + prior.n_frames
        fine = prior.normaliser.decode(frames[:, prior.history :].to(rough.dtype))
        return fine.unflatten(0, (members, len(given)))

    def _encoded(self, rough: Tensor, known: Trajectory) -> Tensor:
        inner = self.prior.normaliser.encode(rough.flatten(0, 1)).to(known.u)
        return inside_or_zero(inner, None if known.mask is None else known.mask[:, None])

    def _window(
        self, window: Trajectory, source: Noise, ticks: Tensor, known: int
    ) -> Float[Tensor, "batch time channel *space"]:
        """Return the frames of one window, refined after the first ``known`` ones, all normalised."""
        prior = self.prior
        joint = prior.joint(window)
        nothing = torch.zeros_like(joint)
        free = joint.new_ones(prior.n_joint, *[1] * (joint.ndim - 2))
        free[: prior.n_given + (known - prior.history) * self.problem.n_channels] = 0
        denoise = prior.denoiser(prior.context(window, nothing, nothing), window)
        fine = refine(
            denoise, joint, self.level, self.weight, lambda i: source.draw(joint, ticks, i), free, self.n_steps
        )
        return prior.split(fine)[1]
