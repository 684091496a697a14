"""Joint prior of coefficients and solution: forward problem, inverse problem and everything between from one net.

Source: Huang et al. (2024), "DiffusionPDE" (NeurIPS), https://arxiv.org/abs/2406.17763.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import LogLevels
from pdekit.diffusion.observations import Observation, masked
from pdekit.diffusion.parametrisations import edm
from pdekit.diffusion.paths import CosinePath
from pdekit.diffusion.posterior import MMPS, Guide
from pdekit.diffusion.samplers.base import Sampler
from pdekit.diffusion.samplers.exponential import Exponential
from pdekit.fields import Problem, Trajectory
from pdekit.models.base import TICKS, Surrogate, in_physical_units, mean_square, repeat, steps_wanted
from pdekit.models.generation import Form, Net, denoiser, form_of, generated, noised
from pdekit.models.inputs import InputChannels, check_axes, check_history, from_frame, normalised
from pdekit.models.linear_posterior import KnownValues
from pdekit.models.linear_prior import LinearPrior
from pdekit.models.masking import Masking, checked_masking
from pdekit.models.noise import Noise
from pdekit.models.normaliser import Normaliser

LINEAR, KRIGING = "linear", "kriging"
LINEAR_FORM: Form = (CosinePath(), edm(1.0))  # what `LinearPrior` is without directions
SHARES = (0.01, 0.3)  # of the points that are known when a mask of training is sparse


class DiffusionPDE(Surrogate):
    """Samples x = (coeffs, u(t_1), ..., u(t_n)), normalised and stacked as channels, from a diffusion model.

    The net sees z = signal x + sigma e, ln k, the params, and what is always known: the mask of the fields and the
    forcing. ``path`` and training are those of `WDNO`: the mean square of v or e - x, with ln k uniform.

    ``amortised``: the net also sees a mask of known values and the values, and learns p(x | known) directly. Each
    training sample draws one of five masks with equal probability: nothing; all of what a forecast is given (coeffs and
    history); 1 to 30 % of the points of that; 1 to 30 % of the points of the other frames; the same of everything.
    Known values are not in the loss. With nothing known it is the prior, which guidance takes for other observations.

    ``path=linear``: the net learns what the best linear denoiser of the training samples leaves, see `LinearPrior`.
    ``path=kriging``: the same, and that denoiser is given what the amortised net knows, see `linear_posterior`.

    ``observed_only``: trained on incomplete fields. A sample's mask says where its fields were measured, and is an
    input; coefficients are missing where they are not finite. The noisy sample is zero where it is missing, and the
    loss is that of measured values. Sampling sees noisy values everywhere: it extrapolates from the training masks
    unless some samples are nearly complete. With path=linear or kriging the covariance is that of the pairs of values
    that were measured together, and the linear denoiser knows what is missing.

    A forecast samples the posterior given coeffs and history: by the amortised net, or by `MMPS` without it. A longer
    one begins again from the last frames of the one before.

    Differences from the paper: an amortised net next to guidance; `MMPS` instead of DPS; tens of levels instead of
    2000; the residual of the equation enters as a term of its own, see `pdekit.workflows.inference`.

    Limits: frames are channels of one net, so that joints of more than about 16 frames are costly. Known values are
    taken as exact by the amortised net: for noisy ones use guidance. It never saw masks of another kind.

    Args:
        problem: on a uniform grid with axes.
        net: factory of a grid net, called with layout, in_channels, out_channels and n_conditions.
        n_frames: frames of the joint distribution, the first of which is the history of a forecast; 1 if steady.
        masking: ``amortised`` and ``observed_only``, see above; the first alone if None.
        path: "diffusion", "flow", "linear", or "kriging".
        levels: of training and sampling, in units of the deviation of each channel; 16 from 20 to 0.02 if None.
        sampler: one of `pdekit.diffusion.samplers`; DPM-Solver++ of order 2 if None.
        guide: of forecasts without the amortised net; `MMPS` with 10 iterations if None.

    Raises:
        ValueError: on a problem without a grid or space, an unknown path, n_frames outside of 2 to the frames of a
            trajectory, a joint too large for path=linear, path=kriging without the amortised net, or observed_only
            without a mask.
    """

    configurable = True
    stochastic = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., nn.Module],
        n_frames: int = 2,
        masking: Masking | None = None,
        path: str = "flow",
        levels: LogLevels | None = None,
        sampler: Sampler | None = None,
        guide: Guide | None = None,
    ):
        check_joint(problem, n_frames)
        frames, history = (1, 0) if problem.steady else (n_frames, 1)
        super().__init__(problem, (history, frames - history))
        masking = checked_masking(problem, masking)
        self.n_frames, self.history = frames, history
        self.amortised, self.observed_only = masking.amortised, masking.observed_only
        self.levels = levels or LogLevels(16)
        on_linear, self.given_values = path in (LINEAR, KRIGING), path == KRIGING
        if self.given_values and not self.amortised:
            raise ValueError("expected masking.amortised=true with path=kriging, got false; set model.path=linear")
        self.path, self.parametrisation = self.form = LINEAR_FORM if on_linear else form_of(path)
        self.sampler, self.guide = sampler or Exponential("clean", 2), guide or MMPS(10)
        self.normaliser = Normaliser(problem)
        self.n_given = len(problem.coeffs) + history * problem.n_channels
        self.n_joint = len(problem.coeffs) + self.n_frames * problem.n_channels
        masked = problem.has_mask and not self.observed_only
        self.channels = InputChannels(dataclasses.replace(problem, coeffs=(), has_mask=masked), 0, self.n_frames)
        copies = 1 + on_linear + 2 * self.amortised + self.observed_only  # of the joint: z, L, known values, masks
        self.linear = LinearPrior(self.n_joint, problem.grid.shape) if on_linear else None
        self.net = net(
            layout=problem.grid.layout,
            in_channels=self.n_joint * copies + self.channels.count,
            out_channels=self.n_joint,
            n_conditions=1 + len(problem.params),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the joint's channels: coefficients, then fields, numbered by frame if there are several."""
        fields = [field.name for field in self.problem.fields]
        frames = [f"{name}[{n}]" for n in range(self.n_frames) for name in fields]
        coeffs = [field.name for field in self.problem.coeffs]
        return (*coeffs, *(fields if self.problem.steady else frames))

    @property
    def mean(self) -> Float[Tensor, "joint *one"]:
        """Mean of each channel of the joint in physical units, shaped to broadcast over "batch joint *space"."""
        return self._of_channels(self.normaliser.coeffs_mean, self.normaliser.mean)

    @property
    def scale(self) -> Float[Tensor, "joint *one"]:
        """Deviation of each channel of the joint in physical units, shaped as the mean."""
        return self._of_channels(self.normaliser.coeffs_scale, self.normaliser.scale)

    def _of_channels(self, coeffs: Tensor, fields: Tensor) -> Tensor:
        return torch.cat((coeffs, fields.repeat(self.n_frames))).reshape(-1, *(1,) * self.problem.ndim)

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        kept: list[Trajectory] = []

        def watched() -> Iterable[Trajectory]:
            for batch in batches:
                if self.linear is not None and sum(map(len, kept)) < self.linear.samples_wanted:
                    kept.extend(self.windows(batch))
                yield batch

        self.normaliser.calibrate(watched())
        if self.linear is not None:
            joints = torch.cat([self.joint(normalised(batch, self.normaliser)) for batch in kept])
            n = min(self.linear.samples_wanted, len(joints))
            some = torch.linspace(0, len(joints) - 1, n).long()
            if self.observed_only:
                measured = torch.cat([self.measured(batch) for batch in kept])
                self.linear.calibrate_on_pairs(joints[some], measured[some].to(joints))
            else:
                self.linear.calibrate(joints[some])

    def windows(self, batch: Trajectory) -> list[Trajectory]:
        """Return the frames of joints, one after another, of whole trajectories."""
        starts = range(0, batch.u.shape[1] - self.n_frames + 1, self.n_frames)
        return [batch.frames(slice(first, first + self.n_frames)) for first in starts]

    def joint(self, batch: Trajectory) -> Float[Tensor, "batch joint *space"]:
        """Return coeffs and frames of a batch as channels, in the units of the batch."""
        frames = batch.u.flatten(1, 2)
        return frames if batch.coeffs is None else torch.cat((batch.coeffs, frames), 1)

    def split(
        self, joint: Float[Tensor, "batch joint *space"]
    ) -> tuple[Float[Tensor, "batch coeff *space"], Float[Tensor, "batch time channel *space"]]:
        """Return (coeffs, frames) of the joint."""
        n = len(self.problem.coeffs)
        return joint[:, :n], joint[:, n:].unflatten(1, (self.n_frames, self.problem.n_channels))

    def inside(self, batch: Trajectory) -> Tensor | None:
        """Return the mask of the joint, 1 where a channel exists; None if all do everywhere."""
        if batch.mask is None:
            return None
        fields = batch.mask.expand(-1, self.problem.n_channels, *batch.mask.shape[2:])
        somewhere = fields.amax(1, keepdim=True).expand(-1, len(self.problem.coeffs), *fields.shape[2:])
        return torch.cat((somewhere, *(fields,) * self.n_frames), 1)

    def measured(self, batch: Trajectory) -> Float[Tensor, "batch joint *space"]:
        """Return the mask of the joint of an incomplete sample, in physical units: 1 where a value was measured."""
        fields = batch.mask.expand(-1, self.problem.n_channels, *batch.mask.shape[2:])
        coeffs = () if batch.coeffs is None else (torch.isfinite(batch.coeffs).to(fields),)
        return (torch.cat((*coeffs, *(fields,) * self.n_frames), 1) > 0).to(fields)

    def random_known(self, clean: Float[Tensor, "batch joint *space"]) -> Float[Tensor, "batch joint *space"]:
        """Draw the mask of known values of each sample, see `DiffusionPDE`; from torch's global generator."""
        like, ones = {"dtype": clean.dtype, "device": clean.device}, (1,) * (clean.ndim - 1)
        kind = torch.randint(5, (len(clean), *ones), device=clean.device)
        low, high = (math.log(share) for share in SHARES)
        share = torch.exp(low + (high - low) * torch.rand(len(clean), *ones, **like))
        points = (torch.rand(len(clean), 1, *clean.shape[2:], **like) < share).to(clean)
        first = (torch.arange(self.n_joint, device=clean.device) < self.n_given).to(clean).reshape(1, -1, *ones[1:])
        sparse = torch.where(kind == 2, first * points, torch.where(kind == 3, (1 - first) * points, points))
        return torch.where(kind == 0, torch.zeros_like(points), torch.where(kind == 1, first, sparse))

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        loss = self.loss_at(batch, self.levels.random(len(batch)))
        return loss, {"loss": loss.detach()}

    def loss_at(self, batch: Trajectory, k: Float[Tensor, "batch"]) -> Float[Tensor, ""]:
        """Return the mean square error of the net's output at given levels, over what is not known.

        Args:
            batch: in physical units.
            k: level of each sample.
        """
        inner = normalised(batch, self.normaliser)
        clean = self.joint(inner)
        measured = self.measured(batch).to(clean) if self.observed_only else None
        z, wanted, known = self._task(clean, k, measured)
        net = self.net_given(self.context(inner, known * clean, known, measured), inner)
        error = net(z, self.levels.share(k).to(z)) - wanted
        inside = self.inside(inner) if measured is None else measured
        return mean_square(error, 1 - known if inside is None else (1 - known) * inside)

    def _task(self, clean: Tensor, k: Float[Tensor, "batch"], measured: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the net sees of samples at levels k, what it should return, and the mask of known values."""
        if self.linear is None:
            z, wanted = noised(self.form, clean, k)
            z = z if measured is None else z * measured
            return z, wanted, self._known(clean, measured)
        if not self.given_values and measured is None:
            return *self.linear.noised(clean, k), self._known(clean, measured)
        known = self._known(clean, measured)
        of_linear = known if self.given_values else torch.zeros_like(known)
        return *self.linear.noised(clean, k, KnownValues(of_linear * clean, of_linear, measured)), known

    def _known(self, clean: Tensor, measured: Tensor | None) -> Tensor:
        """Draw the mask of known values of a training; zero of a net that sees none."""
        known = self.random_known(clean) if self.amortised else torch.zeros_like(clean)
        return known if measured is None else known * measured

    def context(
        self, given: Trajectory, values: Tensor, known: Tensor, measured: Tensor | None = None
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the clean channels next to z.

        Args:
            given: normalised; its mask and the forcing of the joint's frames.
            values: known values of the joint, normalised, 0 where they are not known.
            known: their mask.
            measured: mask of the values of which z is a noisy one, of a training on incomplete samples; all if None.
        """
        parts = [values, known] if self.amortised else []
        if self.observed_only:
            parts.append(torch.ones_like(values) if measured is None else measured)
        if self.channels.count:
            parts.append(self.channels.assembled(given.u[:, :0], given))
        return torch.cat(parts, 1) if parts else values[:, :0]

    def net_given(self, context: Tensor, given: Trajectory) -> Net:
        """Return the net as a function of z and the level, given the clean channels and the params."""
        return lambda z, level: self.net(torch.cat((z, context), 1), self.channels.condition(given, level))

    def denoiser(self, context: Tensor, given: Trajectory) -> Denoise:
        """Return D(y, k) of the normalised joint, given the clean channels and the params."""
        net = self.net_given(context, given)
        if self.linear is None:
            return denoiser(net, self.form, self.levels)
        known = KnownValues(*context[:, : 2 * self.n_joint].chunk(2, 1)) if self.given_values else None
        return self.linear.denoiser(net, self.levels, known)

    def sample(
        self,
        given: Trajectory,
        values: Float[Tensor, "batch joint *space"],
        known: Float[Tensor, "batch joint *space"],
        draws: Callable[[Tensor, int], Tensor],
        guide: Callable[[Denoise], Denoise] = lambda denoise: denoise,
    ) -> Float[Tensor, "batch joint *space"]:
        """Return a sample of the normalised joint.

        Args:
            given: normalised; params, mask, and the forcing of the joint's frames.
            values: known values for the amortised net, normalised.
            known: their mask; zero for the prior.
            draws: ``draws(like, call)``, unit normal numbers.
            guide: what else is known.
        """
        context = self.context(given, values * known, known)
        denoise = guide(self.denoiser(context, given))
        start = self.levels.k_max * draws(values, 0)
        return self.sampler(denoise, start, self.levels.grid(), lambda i: draws(values, i + 1))

    @torch.no_grad()
    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Sample the frames at times ``t``, multiples of the time step after the last frame given.

        Raises:
            ValueError: if they are not, the frames given are not ``history`` many, or forcing is missing.
        """
        check_history(given, self.history)
        steps, ticks = steps_wanted(self.problem, given, t)
        source = Noise(generator, members, given.index, len(given))
        known = repeat(normalised(given, self.normaliser), members)

        def block(frames: Tensor, made: int) -> Tensor:
            now = dataclasses.replace(from_frame(known, made), u=frames)
            return self._next_frames(now, source, ticks + made * TICKS)

        return in_physical_units(generated(known.u, steps, block), self.normaliser, given.u, members)

    def _next_frames(self, given: Trajectory, source: Noise, ticks: Int[Tensor, "sample"]) -> Tensor:
        """Return the joint's frames after the history, given coeffs and history, all normalised."""
        first = self.joint(given)
        values = torch.cat((first, first.new_zeros(len(first), self.n_joint - self.n_given, *first.shape[2:])), 1)
        known = torch.zeros_like(values)
        known[:, : self.n_given] = 1
        if self.observed_only and given.mask is not None and not self.problem.steady:
            known[:, len(self.problem.coeffs) : self.n_given] *= (given.mask > 0).to(known)

        def draws(like: Tensor, call: int) -> Tensor:
            return source.draw(like, ticks, call)

        if self.amortised:
            joint = self.sample(given, values, known, draws)
        else:
            observation = Observation(masked(known), values, self.levels.k_min)
            joint = self.sample(
                given, values, known, draws, lambda denoise: self.guide(denoise, observation, self.levels.grid())
            )
        return self.split(joint)[1][:, self.history :]


def check_joint(problem: Problem, n_frames: int) -> None:
    """Raises ValueError on problems without a joint distribution on a grid, and numbers of frames that do not fit."""
    check_axes(problem, "grid nets need them")
    if not problem.steady and not 2 <= n_frames <= problem.n_frames:
        raise ValueError(
            f"expected 2 <= n_frames <= {problem.n_frames}, the frames of a trajectory, got {n_frames}; set "
            "model.n_frames=2"
        )
