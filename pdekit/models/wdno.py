"""WDNO: whole trajectories are generated at once, as wavelet coefficients, by diffusion or flow matching.

Source: Hu et al. (2025), "Wavelet Diffusion Neural Operator" (ICLR), https://arxiv.org/abs/2412.04833.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.guidance import descent, guided
from pdekit.diffusion.levels import LogLevels
from pdekit.fields import Problem, Trajectory
from pdekit.models.bands import Bands
from pdekit.models.base import TICKS, Surrogate, in_physical_units, mean_square, repeat, steps_wanted
from pdekit.models.generation import BlockSampling, Net, denoiser, form_of, generated, noised
from pdekit.models.inputs import (
    InputChannels,
    check_axes,
    check_history,
    forcing_of,
    from_frame,
    history_of,
    normalised,
)
from pdekit.models.noise import Noise
from pdekit.models.normaliser import Normaliser
from pdekit.models.pyramid import Coarser, Pyramid, Rung, pyramid_of
from pdekit.nets.condition import Condition

CALIBRATED = 64  # trajectories from which the scales of the bands are taken


class WDNO(Surrogate):
    """Samples the frames after the history, given the history, from a diffusion model of their wavelet coefficients.

    x = W(u(t_1), ..., u(t_n)) / scale: one level of the separable wavelet transform over time and space; the 2^(1 + d)
    bands are channels, each divided by its rms on the training split. The net sees z = signal x + sigma e, the spatial
    bands of history, coeffs and mask, repeated over time, the bands of the forcing, ln k and the params. It returns

    ``diffusion``  v = signal e - sigma x on the variance-preserving path,
    ``flow``       e - x on the straight path,

    and is trained by the mean square of the error with ln k uniform on [ln k_min, ln k_max]. A steady problem is one
    frame, and has no axis of time.

    Differences from the released code: conditions are channels of their own that stay clean, instead of channels of z
    that are overwritten at each step; levels are uniform in ln k instead of a cosine schedule of 1000; few levels of a
    second-order sampler instead of 50 to 100 of DDIM; scales are measured instead of set by hand; samples are not
    clamped. Time is always zero-padded; so is every bounded axis, and periodic axes are periodized.

    ``flow`` is the default: at equal training it had two thirds of the error of ``diffusion`` (`burgers`, 500 steps).

    ``resolutions`` > 0 trains the same net on that many halvings of space and time as well (`Pyramid`), and for half of
    the training samples of these also as a model of what a trajectory with half as many points or frames leaves: x =
    W(u - interpolated coarse u) / scale, next to the bands of the interpolation. `finer` applies it, beyond the
    training grid too. The paper has a second net, which generates all bands next to the coarse ones, repeated.

    Limits: the net has an axis more than the problem, so that problems in time have one or two spatial axes. A longer
    forecast begins again from the last frames of the one before.

    Args:
        problem: problem to forecast, on a uniform grid; periodic axes have an even number of points.
        net: factory of a grid net, called with layout, in_channels, out_channels and n_conditions.
        history: frames that are given; a steady problem has none.
        wavelet: "haar", "db2", "bior2.4", ..., see `pdekit.calculus.wavelet_filters`; for comparison, "fourier" for a
            diffusion model of cosines and sines, each divided by its own rms, and None for one of the values at the
            points.
        path: "diffusion" or "flow".
        levels: levels of training and sampling, in units of the rms of each band; ten from 20 to 0.02 if None.
        sampling: rule of the sampling; DPM-Solver++ of order 2 with new noise in each block if None.
        resolutions: halvings of the grid and of the frames on which the net is trained as well; 0 for one resolution.

    Raises:
        ValueError: on a problem without a grid or space, or in time with three axes; an odd number of points on a
            periodic axis; an unknown wavelet or path; resolutions of a problem that has no `Pyramid`, or with more than
            one frame of history.
    """

    configurable = True
    stochastic = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., nn.Module],
        history: int = 1,
        wavelet: str | None = "haar",
        path: str = "flow",
        levels: LogLevels | None = None,
        sampling: BlockSampling | None = None,
        resolutions: int = 0,
    ):
        check_transformable(problem)
        history = history_of(problem, history)
        super().__init__(problem, (history, 1 if problem.steady else "all"))
        self.history, self.n_target = history, problem.n_frames - history
        self.levels = levels or LogLevels()
        self.path, self.parametrisation = self.form = form_of(path)
        sampling = sampling or BlockSampling()
        self.sampler, self.fixed_noise = sampling.sampler, sampling.fixed_noise
        self.normaliser = Normaliser(problem)
        self.channels = InputChannels(dataclasses.replace(problem, forcing=()), history, 0)
        times = (not problem.steady, self.n_target)
        self.frames = Bands(problem.box, wavelet, problem.n_channels, *times)
        self.known = Bands(problem.box, wavelet, self.channels.count, in_time=False)
        self.forcing = Bands(problem.box, wavelet, len(problem.forcing), *times)
        if resolutions and self.frames.of_modes:
            raise ValueError(
                f"expected resolutions=0 for wavelet=fourier, whose coefficients belong to one grid, got "
                f"{resolutions}; set model.wavelet=haar"
            )
        self.pyramid = pyramid_of(problem, self.n_target, resolutions, history, self.frames.n_channels)
        interpolated, scalars = (self.frames.n_channels, Pyramid.n_scalars) if self.pyramid else (0, 0)
        self.net = net(
            layout=self.frames.layout,
            in_channels=self.frames.n_channels + interpolated + self.known.n_channels + self.forcing.n_channels,
            out_channels=self.frames.n_channels,
            n_conditions=1 + len(problem.params) + scalars,
        )

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        kept: list[Trajectory] = []

        def watched() -> Iterable[Trajectory]:
            for batch in batches:
                kept.extend(batch.samples(slice(i, i + 1)) for i in range(min(len(batch), CALIBRATED - len(kept))))
                yield batch

        self.normaliser.calibrate(watched())
        inner = [normalised(batch, self.normaliser) for batch in kept]
        self.frames.calibrate(batch.u[:, self.history :] for batch in inner)
        self.known.calibrate(self.channels.assembled(batch.u[:, : self.history], batch)[:, None] for batch in inner)
        if self.problem.forcing:
            forcings = [batch.forcing for batch in inner if batch.forcing is not None]
            self.forcing.calibrate(forcing[:, self.history :] for forcing in forcings)
        if self.pyramid is not None:
            self.pyramid.calibrate(inner, self.frames)

    def context(self, frames: Tensor, given: Trajectory, base: Tensor) -> Float[Tensor, "batch channel *coarse"]:
        """Return the clean channels next to z: bands of a coarser trajectory, spatial bands of what is known, at each
        time, and bands of the forcing.

        Args:
            frames: frames of the history, normalised.
            given: other known data, normalised; its forcing begins with the first of these frames.
            base: interpolated coarser trajectory after these frames, zero if none is known.
        """
        known = self.known(self.channels.assembled(frames, given)[:, None])
        if not self.problem.steady:
            n_times = self.frames.sizes(base.shape[1], base.shape[3:])[0]
            known = known[:, :, None].expand(-1, -1, n_times, *known.shape[2:])
        parts = [known] if self.pyramid is None else [self.frames(base), known]
        if self.problem.forcing:
            forcing = forcing_of(given, self.history + base.shape[1])[:, self.history :]
            parts.append(self.forcing(forcing))
        return torch.cat(parts, 1)

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        batch = normalised(batch, self.normaliser)
        coarser = self.nothing_coarser(batch)
        if self.pyramid is not None:
            batch, coarser = self.pyramid.at(batch, self.pyramid.draw(coarser.rung.space))
        clean = self.frames(batch.u[:, self.history :] - coarser.frames) / self._rms(coarser.rung)
        k = self.levels.random(len(batch))
        z, wanted = noised(self.form, clean, k)
        context = self.context(batch.u[:, : self.history], batch, coarser.frames)
        net = self.net_given(context, batch, coarser.rung)
        loss = mean_square(net(z, self.levels.share(k).to(z)) - wanted, None)
        return loss, {"loss": loss.detach()}

    def net_given(self, context: Tensor, given: Trajectory, rung: Rung) -> Net:
        """Return the net as a function of z and the level, given the clean channels, the params and the resolution."""

        def output(z: Tensor, level: Tensor) -> Tensor:
            condition = self.channels.condition(given, level)
            if self.pyramid is not None:
                condition = Condition(torch.cat((condition.scalars, self.pyramid.scalars(rung, z)), 1))
            return self.net(torch.cat((z, context), 1), condition)

        return output

    def _rms(self, rung: Rung) -> Tensor | float:
        """Return the rms of the scaled bands that the net makes at a resolution, one for each channel."""
        return 1.0 if self.pyramid is None else self.pyramid.rms_of(rung).reshape(-1, *(1,) * len(self.frames.modes))

    def conditional(self, batch: Trajectory) -> tuple[Denoise, Tensor]:
        """Return the denoiser of the bands given what is known of a batch, and an empty tensor of their shape."""
        inner = normalised(batch, self.normaliser)
        return self.conditional_on(inner.u[:, : self.history], inner, self.nothing_coarser(inner))

    def conditional_on(self, frames: Tensor, given: Trajectory, coarser: Coarser) -> tuple[Denoise, Tensor]:
        """Do what `conditional` does, of normalised frames, what else is known, and a coarser trajectory."""
        context = self.context(frames, given, coarser.frames)
        like = context.new_empty(len(context), self.frames.n_channels, *context.shape[2:])
        return denoiser(self.net_given(context, given, coarser.rung), self.form, self.levels), like

    def nothing_coarser(self, given: Trajectory) -> Coarser:
        """Return the coarser trajectory of the trained number of frames where none is known."""
        space = given.u.shape[3:]
        frames = given.u.new_zeros(len(given), self.n_target, self.problem.n_channels, *space)
        if self.pyramid is None:
            return Coarser(frames, Rung())
        return Coarser(frames, self.pyramid.rung(space, self.n_target, False, False))

    @torch.no_grad()
    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Return the frames at times ``t``, multiples of the time step after the last frame given.

        Frames are made in blocks of the trained length; forcing must be known to the end of the last block.

        Raises:
            ValueError: if they are not, the frames given are not ``history`` many, or forcing is missing.
        """
        check_history(given, self.history)
        steps, ticks = steps_wanted(self.problem, given, t)
        source = Noise(generator, members, given.index, len(given))
        known = repeat(normalised(given, self.normaliser), members)

        def block(frames: Tensor, made: int) -> Tensor:
            now = torch.zeros_like(ticks) if self.fixed_noise else ticks + made * TICKS
            return self.block(frames, from_frame(known, made), source, now)

        return in_physical_units(generated(known.u, steps, block), self.normaliser, given.u, members)

    @torch.no_grad()
    def steered(
        self,
        given: Trajectory,
        objective: Callable[[Tensor], Tensor],
        strength: float = 1.0,
        until: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch time channel *space"]:
        """Return one sample of the trained number of frames, guided towards small values of an objective.

        The distribution p(u) becomes p(u) exp(-strength J(u)), to first order in J:

            D_y = D - strength k^2 / (1 + k^2) dJ/dx,

        because bands have variance one; exact for independent Gaussian bands and a linear J. The gradient is taken
        through the inverse transform and not through the net, as in the paper's control by guidance.

        Args:
            given: as for `forecast`.
            objective: J of the frames in physical units, "batch time channel *space" -> "batch".
            strength: weight of the objective, whose scale is that of a negative log-likelihood.
            until: guidance is off below this level.
            generator: its initial seed fixes the sample.

        Raises:
            ValueError: if the frames given are not ``history`` many.
        """
        check_history(given, self.history)
        inner = normalised(given, self.normaliser)

        def of_bands(bands: Tensor) -> Tensor:
            return objective(self.normaliser.decode(self._of_bands(bands, self.nothing_coarser(inner))))

        update = descent(of_bands, strength)
        source, ticks = Noise(generator, 1, given.index, len(given)), torch.zeros(len(given), dtype=torch.long)
        frames = self.block(inner.u, inner, source, ticks, lambda denoise: guided(denoise, update, until))
        return self.normaliser.decode(frames)

    def interpolated(
        self, frames: Tensor, coarse: Float[Tensor, "batch coarse_time channel *coarse"], in_time: bool
    ) -> Coarser:
        """Return a coarser trajectory on a grid with twice the points, at twice the times, or both, all normalised.

        Args:
            frames: frames of the history, on the finer grid.
            coarse: the frames after them, on that grid or on half of its points.
            in_time: whether there are frames half-way between those of ``coarse``, and before the first one.

        Raises:
            ValueError: if the model was trained on one resolution, or the sizes are not its own times powers of two.
        """
        if self.pyramid is None:
            raise ValueError("expected a model trained with model.resolutions > 0, got 0; train one")
        shape, n_frames = frames.shape[3:], coarse.shape[1] * (2 if in_time else 1)
        rung = self.pyramid.rung(shape, n_frames, coarse.shape[3:] != shape, in_time)
        return Coarser(self.pyramid.interpolated(frames, coarse, rung), rung)

    def finer(
        self, frames: Tensor, given: Trajectory, coarser: Coarser, draw: Callable[[Tensor, int], Tensor]
    ) -> Float[Tensor, "batch time channel *space"]:
        """Return a sample of the frames after these, given a coarser trajectory, all normalised.

        Args:
            frames: frames of the history.
            given: what else is known, on the finer grid and at its times.
            coarser: see `interpolated`.
            draw: ``draw(like, call)``, unit normal numbers.
        """
        return self._sampled(frames, given, draw, coarser)

    def block(
        self,
        frames: Tensor,
        given: Trajectory,
        source: Noise,
        ticks: Int[Tensor, "sample"],
        guide: Callable[[Denoise], Denoise] = lambda denoise: denoise,
    ) -> Tensor:
        """Return a sample of the ``n_target`` frames after these, all in normalised units."""
        coarser = self.nothing_coarser(given)
        return self._sampled(frames, given, lambda like, i: source.draw(like, ticks, i), coarser, guide)

    def _sampled(
        self,
        frames: Tensor,
        given: Trajectory,
        draw: Callable[[Tensor, int], Tensor],
        coarser: Coarser,
        guide: Callable[[Denoise], Denoise] = lambda denoise: denoise,
    ) -> Tensor:
        denoise, like = self.conditional_on(frames, given, coarser)
        start = self.levels.k_max * draw(like, 0)
        bands = self.sampler(guide(denoise), start, self.levels.grid(), lambda i: draw(like, i + 1))
        return self._of_bands(bands, coarser)

    def _of_bands(self, bands: Tensor, coarser: Coarser) -> Float[Tensor, "batch time channel *space"]:
        """Return the normalised frames of what the net makes."""
        base = coarser.frames
        return base + self.frames.inverse(bands * self._rms(coarser.rung), base.shape[1], base.shape[3:])


def check_transformable(problem: Problem) -> None:
    """Raises ValueError on problems whose trajectories have no wavelet transform that a grid net takes."""
    check_axes(problem, "wavelets need them")
    if not problem.steady and problem.ndim > 2:
        raise ValueError(
            f"expected a problem in time with one or two spatial axes, got {problem.ndim}: time is an axis too, and "
            "grid nets have up to three; use a stepper (model=unet, pde_refiner)"
        )
