"""Text2PDE: whole trajectories are generated at once, in the latent space of an autoencoder, from a caption, from
parameters or from a first frame.

Source: Zhou et al. (2025), "Text2PDE: Latent Diffusion Models for Accessible Physics Simulation" (ICLR),
https://arxiv.org/abs/2410.01153.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.fields import Problem, Trajectory
from pdekit.models.anchored_step import AnchoredStep
from pdekit.models.autoencoder import Autoencoder, check_trajectories
from pdekit.models.base import TICKS, Stepper, Surrogate, in_physical_units, repeat, steps_to, time_steps
from pdekit.models.generation import Generation
from pdekit.models.inputs import InputChannels, check_history, normalised
from pdekit.models.latent_cache import LatentCache
from pdekit.models.noise import Noise
from pdekit.models.normaliser import Moments
from pdekit.models.stages import Stage, adam_stage
from pdekit.nets.attention import TIME
from pdekit.nets.condition import Condition
from pdekit.nets.text_encoder import TextEncoder
from pdekit.nets.tokens import FieldTokens, ScalarTokens
from pdekit.settings import Training

CONDITIONS = ("text", "params", "frame")
CONTINUATION = "continuation"
OWN = ("net.", "text.", "scalars.", "field_tokens.")  # parameters that this method trains itself


class Text2PDE(Surrogate):
    """Samples trajectories from a flow (or diffusion) model of their latent values z, given tokens of what is known.

    z = (E(u) - mean) / scale, E the encoder of an autoencoder that is trained first, mean and scale of each latent
    channel on the training split. The net sees the noisy z on its grid of time and space, the level of the noise, and
    tokens: one for each word and number of the caption (``text``), one for each parameter (``params``), one for each
    place of the coarsened first frame (``frame``). Coefficient fields and masks are tokens like those of a frame, in
    any case. A share of the training samples loses all tokens, so that guidance can be used in sampling. The frames
    are D(mean + scale z).

    Differences from the released code: the text encoder is small and trained from scratch, with numbers as values;
    the mask of the caption is used; conditions are dropped in training; flow matching with ln k uniform and few levels
    of a second-order sampler instead of 1000 steps; latent values are standardised by measured statistics; on meshes
    the weights of the encoder's kernel are fixed (`pdekit.nets.point_autoencoder`); the continuation, whose frames
    follow from the first one as in a simulation.

    Limits: without ``frame`` exactly the frames of a stored trajectory are generated. With it a longer forecast begins
    again from the last frame of the one before. Forcing fields are refused.

    Args:
        problem: problem to forecast: in time, on a uniform grid or on points.
        autoencoder: factory of an `Autoencoder`, called with the problem.
        net: factory of a transformer, called with layout, in_channels, out_channels, n_conditions and token_width.
        encoder: factory of a `TextEncoder`; its width is that of all tokens.
        condition: some of "text", "params" and "frame"; None takes the text if the data have captions, else the frame
            and the parameters; with a continuation only the parameters, of which there may be none.
        generation: path, levels, sampler, guidance and dropout.
        continuation: factory of a stepper (`pdekit.models.anchored_step`), called with the problem; None: the whole
            trajectory is generated.

    Raises:
        ValueError: on a steady problem, one without a grid, space, captions or parameters that are asked for, or with
            forcing; on what the autoencoder refuses; on an autoencoder of no more frames than are given; and on a
            continuation of another number of frames than those of the autoencoder, or with the condition "frame".
    """

    configurable = True
    stochastic = True
    requires: tuple[str, ...] = ("autoencoder",)

    def __init__(
        self,
        problem: Problem,
        autoencoder: Callable[[Problem], Autoencoder],
        net: Callable[..., nn.Module],
        encoder: Callable[[], TextEncoder] = TextEncoder,
        condition: Sequence[str] | None = None,
        generation: Generation | None = None,
        continuation: Callable[[Problem], Stepper] | None = None,
    ):
        check_trajectories(problem)
        if condition is None:
            condition = default_condition(problem, continuation is None)
        chosen = checked_condition(problem, condition)
        history = int("frame" in chosen)
        super().__init__(problem, (history, "all"))
        self.history, self.condition = history, chosen
        self.generation = generation or Generation()
        self.autoencoder = autoencoder(problem)
        self.continuation = None if continuation is None else continuation(problem)
        if self.continuation is not None:
            check_continuation(self.continuation, self.autoencoder, chosen)
            self.requires = (*self.requires, CONTINUATION)
        elif self.n_frames <= history:
            raise ValueError(
                f"expected an autoencoder of more frames than model.condition={list(chosen)} gives, got "
                f"{self.n_frames}, which leave none to generate; set model.autoencoder.frames={history + 1} or more"
            )
        text = encoder()
        width = text.width
        self.text = text if "text" in chosen else None
        self.channels = InputChannels(problem, history, 0)
        self.scalars = ScalarTokens(len(problem.params), width) if "params" in self.condition else None
        self.field_tokens = None
        if self.channels.count:
            there = int(not problem.grid.uniform)  # a channel that says where points are
            self.field_tokens = FieldTokens(self.channels.count + there, self.autoencoder.layout, width)
        latent = self.autoencoder.net.latent_channels
        self.net = net(
            layout=(TIME, *self.autoencoder.layout),
            in_channels=latent,
            out_channels=latent,
            n_conditions=1,
            token_width=width if chosen or self.channels.count else 0,
        )
        self._latents = LatentCache()
        self.register_buffer("latent_mean", torch.zeros(latent))
        self.register_buffer("latent_scale", torch.ones(latent))

    @property
    def n_frames(self) -> int:
        """Frames that are generated at once."""
        return self.autoencoder.n_frames

    @property
    def n_reached(self) -> int | None:
        return None if self.history or self.continuation is not None else self.n_frames

    def stages(self, settings: Training) -> Sequence[Stage]:
        return (dataclasses.replace(adam_stage(settings), parameters=OWN),)

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Measure the latent values of the trained autoencoder, and learn the words of the captions."""
        for name in self.requires:
            self.get_submodule(name).requires_grad_(False)  # several processes wait for the gradients of all others
        moments = Moments(len(self.latent_mean))
        captions: list[str] = []
        with torch.no_grad():
            for batch in batches:
                inner = self.inner(batch)
                moments.add(self.autoencoder.encode(inner.u, *self.autoencoder.places(inner)))
                captions += batch.text or ()
        scale = moments.variance.sqrt()
        self._latents.clear()
        self.latent_mean.copy_(moments.mean)
        self.latent_scale.copy_(torch.where(scale > 0, scale, 1.0))
        if self.text is not None:
            self.text.vocabulary.learn(captions)

    def with_generation(self, **changes: Any) -> Text2PDE:
        """Return the same model with other settings of `Generation`; the two share their weights."""
        other = copy.copy(self)
        other.generation = dataclasses.replace(self.generation, **changes)
        return other

    def inner(self, batch: Trajectory) -> Trajectory:
        """Return the frames that are generated, in normalised units."""
        return normalised(self.autoencoder.opening(batch), self.autoencoder.normaliser)

    def latent(self, inner: Trajectory) -> Float[Tensor, "batch latent *coarse"]:
        """Return the standardised latent values of a normalised batch."""
        return self.encode(inner.u, *self.autoencoder.places(inner))

    def encode(
        self, u: Float[Tensor, "batch time channel *space"], *places: Tensor
    ) -> Float[Tensor, "batch latent *coarse"]:
        """Return the standardised latent values of normalised frames; ``places`` see `Autoencoder.places`."""
        z = self.autoencoder.encode(u, *places)
        mean, scale = (part.reshape(-1, *(1,) * (z.ndim - 2)) for part in (self.latent_mean, self.latent_scale))
        return (z - mean) / scale

    def decode(
        self, z: Float[Tensor, "batch latent *coarse"], *places: Tensor
    ) -> Float[Tensor, "batch time channel *space"]:
        """Return the normalised frames of latent values, on a mesh at these places."""
        mean, scale = (part.reshape(-1, *(1,) * (z.ndim - 2)) for part in (self.latent_mean, self.latent_scale))
        return self.autoencoder.decode(scale * z + mean, self.n_frames, *places)

    def known(self, frames: Tensor, given: Trajectory) -> tuple[Tensor, Tensor]:
        """Return the tokens of what is known, "batch token width", and which of them exist.

        Args:
            frames: the history, normalised.
            given: normalised params and coeffs, mask and captions.

        Raises:
            ValueError: if there is no caption for each sample.
        """
        tokens, masks = [], []
        if self.text is not None:
            if given.text is None or len(given.text) != len(given):
                raise ValueError(
                    f"expected a caption for each of {len(given)} samples, got "
                    f"{'none' if given.text is None else len(given.text)}; give Trajectory.text, or train with "
                    "model.condition=[frame]"
                )
            words, mask = self.text(given.text)
            tokens.append(words)
            masks.append(mask)
        if self.scalars is not None:
            tokens.append(self.scalars(given.params))
        if self.field_tokens is not None:
            fields = self.channels.assembled(frames, given)
            if not self.problem.grid.uniform:
                fields = self.autoencoder.net.on_grid(fields, *self.autoencoder.places(given))
            tokens.append(self.field_tokens(fields))
        if not tokens:
            none = frames.new_zeros(len(frames), 0, 0)
            return none, none.new_zeros(none.shape[:2], dtype=torch.bool)
        ones = [part.new_ones(part.shape[:2], dtype=torch.bool) for part in tokens[len(masks) :]]
        return torch.cat(tokens, 1), torch.cat([*masks, *ones], 1)

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        inner = self.inner(batch)
        with torch.no_grad():
            clean = self._latents.encoded(inner, self.latent) if self.training else self.latent(inner)
        tokens, mask = self.known(inner.u[:, : self.history], inner)
        kept = torch.rand(len(batch), device=mask.device) >= self.generation.dropout
        mask = mask & kept[:, None]
        loss = self.generation.loss(lambda z, level: self.net(z, Condition(level[:, None], tokens, mask)), clean)
        return loss, {"loss": loss.detach()}

    @torch.no_grad()
    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Return the frames at times ``t``, multiples of the time step: after the first frame, or without ``frame``
        from t = 0 to the end of the stored trajectories.

        Raises:
            ValueError: if they are not, the frames given are not ``history`` many, or a caption is missing.
        """
        check_history(given, self.history)
        dt = time_steps(self.problem, given)
        steps, ticks = steps_to(t, given.t[:, -1] if self.history else -dt, dt)
        if self.n_reached is not None and int(steps[-1]) > self.n_reached:
            raise ValueError(
                f"expected times up to t = {(self.n_frames - 1) * float(dt[0]):g}, the last frame that is generated, "
                f"got t = {float(t[0, -1]):g}; train with model.condition=[frame] or a continuation for longer ones"
            )
        source = Noise(generator, members, given.index, len(given))
        known = repeat(normalised(given, self.autoencoder.normaliser), members)
        frames = known.u
        wanted = self.n_frames if self.continuation is not None else int(steps[-1])
        while frames.shape[1] - self.history < wanted:
            made = frames.shape[1] - self.history
            last = frames[:, made : made + self.history]
            block = self.block(last, known, lambda z, call, made=made: source.draw(z, ticks + made * TICKS, call))
            frames = torch.cat((frames, block[:, self.history :]), 1)
        if self.continuation is not None:
            return self.continued(frames, given, dt, steps).unflatten(0, (members, len(given)))
        out = frames[:, self.history :][:, (steps - 1).to(frames.device)]
        return in_physical_units(out, self.autoencoder.normaliser, given.u, members)

    def continued(self, opening: Tensor, given: Trajectory, dt: Tensor, steps: Tensor) -> Tensor:
        """Return the frames with these numbers (from 1 on), in physical units: an opening and the steps after it.

        Args:
            opening: generated frames in normalised units, "member*batch".
            given: what is known of the batch.
            dt: time step of each trajectory of the batch.
            steps: increasing numbers of the frames.
        """
        assert self.continuation is not None
        n = opening.shape[1]
        u = self.autoencoder.normaliser.decode(opening.to(torch.promote_types(opening.dtype, given.u.dtype)))
        rows = repeat(given, len(u) // len(given))
        dt = dt.repeat(len(u) // len(given))[:, None].to(rows.t)
        start = dataclasses.replace(rows, u=u, t=dt * torch.arange(n).to(rows.t))
        if (later := steps[steps > n]).numel():
            t = dt * (later - 1).to(rows.t)
            u = torch.cat((u, self.continuation.forecast(start, t)[0].to(u)), 1)
        return torch.cat((u[:, steps[steps <= n] - 1], u[:, n:]), 1)

    def block(self, frames: Tensor, given: Trajectory, draw: Callable[[Tensor, int], Tensor]) -> Tensor:
        """Return a sample of ``n_frames`` frames that begin with these, all in normalised units."""
        tokens, mask = self.known(frames, given)
        shape = self.autoencoder.net.coarse(self.n_frames, self.problem.grid.shape)
        like = tokens.new_empty(len(tokens), len(self.latent_mean), *shape)

        def net(seen: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
            return lambda z, level: self.net(z, Condition(level[:, None], tokens, seen))

        z = self.generation.sample(net(mask), net(torch.zeros_like(mask)), lambda call: draw(like, call))
        return self.decode(z, *self.autoencoder.places(given))


def check_continuation(stepper: Stepper, autoencoder: Autoencoder, condition: Sequence[str]) -> None:
    """Raises ValueError if a stepper cannot continue the frames of an autoencoder."""
    if "frame" in condition:
        raise ValueError(
            "expected model.condition without frame for a continuation, got a first frame that is given, which the "
            "stepper alone continues; train model=anchored_step, or set model.continuation=null"
        )
    if isinstance(stepper, AnchoredStep) and stepper.caption is not None and "text" not in condition:
        raise ValueError(
            f"expected model.condition with text for a continuation that sees the captions of the data, got "
            f"{list(condition)}, for which a sample is given no caption; set model.condition=[text], or data.text=false"
        )
    if stepper.stochastic or autoencoder.n_frames != stepper.history:
        raise ValueError(
            f"expected a continuation without noise by frames as many as the autoencoder makes, got "
            f"{type(stepper).__name__} with {stepper.history} and an autoencoder of {autoencoder.n_frames}; set "
            f"model.autoencoder.frames={stepper.history}"
        )


def default_condition(problem: Problem, frame: bool) -> tuple[str, ...]:
    """Return the text if there is any, else the frame, if one is given, and the parameters that vary."""
    if problem.has_text:
        return ("text",)
    return (*(("frame",) if frame else ()), *(("params",) if problem.params else ()))


def checked_condition(problem: Problem, condition: Sequence[str]) -> tuple[str, ...]:
    """Return what generation is conditioned on.

    Raises:
        ValueError: if the problem does not have it, or has forcing.
    """
    if problem.forcing:
        raise ValueError(
            f"expected a problem without forcing fields, got {[f.name for f in problem.forcing]}; use a method that "
            "sees them (model=wdno, fno)"
        )
    chosen = tuple(condition)
    if isinstance(condition, str) or not set(chosen) <= set(CONDITIONS):
        raise ValueError(f"expected conditions among {CONDITIONS}, got {condition!r}; set model.condition=[text]")
    if "text" in chosen and not problem.has_text:
        raise ValueError(
            "expected data with captions for model.condition=[text], got data without; set data.text=true, or "
            "model.condition=[frame] or [params]"
        )
    if "params" in chosen and not problem.params:
        raise ValueError(
            "expected data with parameters that vary for model.condition=[params], got none; set "
            "model.condition=[frame] or [text]"
        )
    return chosen
