"""The contract of all methods: `calibrate`, `loss` and `forecast`."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pdekit.fields import Problem, Trajectory
from pdekit.models.inputs import (
    InputChannels,
    Preparation,
    check_history,
    checked_inputs,
    forcing_of,
    from_frame,
    normalised,
)
from pdekit.models.noise import Noise
from pdekit.models.normaliser import Normaliser
from pdekit.models.stages import Stage, adam_stage
from pdekit.rollout import rollout
from pdekit.settings import Training
from pdekit.simulators.base import Simulator
from pdekit.typed_values import MAX_FRAMES

# a time may differ from a multiple of dt by this share of dt: rounding of float32 times
TIME_TOLERANCE = 1e-2
# integer times, in which noise is keyed, are sixteenths of a step: any phase of the first frame is distinguished
TICKS = 16


class Surrogate(nn.Module, ABC):
    """Something that forecasts. Every method and every baseline is one.

    Args:
        problem: problem to forecast.
        window: (history, target), how many frames a training sample holds; target may be "all".

    ``stochastic`` is a fact of the method: whether its members differ, because a forecast draws random numbers. Of a
    method that is not, an evaluation makes one member.

    ``forecasts`` is false of a method that makes no forecast, an autoencoder: its reconstructions are scored instead.

    ``simulator`` is what a numerical solver among the surrogates advances; None of all others.

    ``requires`` names submodules that are surrogates and must be trained before this one, such as an autoencoder. They
    are trained first, into a folder of that name in the run, or take the weights of ``requires.<name>=RUN``. Their
    weights are stored with those of this method; its stages name the parameters that it trains itself.
    """

    stochastic: bool = False
    forecasts: bool = True
    simulator: Simulator | None = None
    requires: tuple[str, ...] = ()
    arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *arguments, **options):
        """Keep the arguments of the constructor, from which a run builds the model again (`models.construction`)."""
        made = super().__new__(cls)
        made.arguments = (arguments, options)
        return made

    def __init__(self, problem: Problem, window: tuple[int, int | Literal["all"]]):
        super().__init__()
        self.problem = problem
        self.window = window

    @property
    def n_parameters(self) -> int:
        """Number of parameters that a forecast uses; all of them by default."""
        return sum(p.numel() for p in self.parameters())

    @property
    def unconstrained(self) -> Surrogate:
        """The surrogate whose forecasts `within` changes: itself, unless constraints are put around it."""
        return self

    def within(
        self, u: Float[Tensor, "member batch time channel *space"], given: Trajectory
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Return frames of the unconstrained surrogate within the constraints: unchanged without any."""
        return u

    @property
    def n_reached(self) -> int | None:
        """Frames of a trajectory that a forecast reaches, counted from t = 0; None for any time."""
        return None

    @abstractmethod
    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Read from the training split what is not learnt by gradients: statistics, into buffers."""

    @abstractmethod
    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """A scalar to minimise, and numbers to log."""

    @abstractmethod
    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Forecast the frames at times ``t``, in physical units.

        Args:
            given: known data: history frames, coeffs, forcing, params, text, geometry.
            t: absolute times wanted.
            members: size of the ensemble; members of a deterministic method are equal.
            generator: its initial seed fixes each (member, sample), whatever the batch size.
        """

    def attempt(self, batch: Trajectory, generator: torch.Generator) -> Float[Tensor, "batch time channel *space"]:
        """Return the frames that a validation compares with those after the history: by default one forecast, of as
        many of them as the method reaches.
        """
        history = self.window[0]
        return self.forecast(batch.known(history), batch.t[:, history : self.n_reached], generator=generator)[0]

    def stages(self, settings: Training) -> Sequence[Stage]:
        """Return the stages of training; an empty sequence if there is nothing to learn."""
        return (adam_stage(settings),)

    def before_step(self, stage: Stage, step: int) -> None:
        """Called before each optimiser step of a stage, after the random seed of that step has been set.

        Change here what the loss depends on in addition to batch and parameters (collocation points, loss weights):
        an optimiser may evaluate the loss several times within a step, and it must not change under it. What changes
        belongs into buffers, so that a resumed run goes on from the same state. By default nothing.
        """

    def findings(self) -> Sequence[str]:
        """Return results of training other than forecasts, one sentence each; empty by default."""
        return ()

    def batches(self, data) -> Iterable:
        """Return the batches to train on; by default the training loader of a data module."""
        return data.train_dataloader()


class Stepper(Surrogate):
    """A surrogate that goes from frame to frame: `forecast` is a rollout of `step`.

    Args:
        problem: problem on a uniform grid. A step sees the forcing at the history frames and at the next one.
        history: frames that a step sees; a steady problem has none.
        target: frames of a training sample beyond them.
        inputs: the way in which fields become input channels.

    ``on_points`` is true of a method for points instead of grids.
    """

    on_points: bool = False

    def __init__(
        self,
        problem: Problem,
        history: int,
        target: int,
        inputs: Preparation | None = None,
    ):
        if not self.on_points and not problem.grid.uniform:
            raise ValueError(
                f"expected a problem on a uniform grid, got {type(problem.grid).__name__}; grid nets need one: "
                "model=latent_grid takes points"
            )
        if not problem.ndim:
            raise ValueError(
                "expected a problem with one to three axes, got a system without space; grid nets need axes"
            )
        if problem.steady:
            history = 0
            if not (problem.coeffs or problem.has_mask):
                raise ValueError(
                    "expected two frames or more, or an input field (coeffs) or a mask of a steady problem, found one "
                    "frame and no input; set n_frames, or give coeffs"
                )
        elif history < 1:
            raise ValueError(f"expected history >= 1 for a problem in time, got {history}; set model.history=1")
        inputs = checked_inputs(problem, inputs)
        super().__init__(problem, (history, target))
        self.history = history
        self.inputs = inputs
        self.channels = InputChannels(problem, history, history + 1, inputs.distance)
        self.normaliser = Normaliser(problem, inputs.normalisation)
        self.n_context = self.channels.count
        self.n_params = len(problem.params)

    def change_scale(self, like: Tensor) -> Tensor:
        """Return the deviation of the normalised change of each channel, to be multiplied with frames like one."""
        return self.normaliser.change_scale.reshape((-1,) + (1,) * (like.ndim - 2))

    @property
    @abstractmethod
    def calls_per_step(self) -> int:
        """Network evaluations of one step (NFE)."""

    @abstractmethod
    def step(
        self,
        frames: Float[Tensor, "batch time channel *space"],
        given: Trajectory,
        noise: Callable[[Tensor, int], Tensor],
    ) -> Float[Tensor, "batch channel *space"]:
        """The next frame, all in normalised units.

        Args:
            frames: the last ``history`` frames.
            given: normalised coeffs and params, the mask, and the forcing from the first of these frames on.
            noise: ``noise(like, call)``, unit normal numbers; ``call`` counts the draws of this step.
        """

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        self.normaliser.calibrate(batches)

    def normalised(self, batch: Trajectory) -> Trajectory:
        """The batch in normalised units, see `pdekit.models.inputs.normalised`."""
        return normalised(batch, self.normaliser)

    def context(self, frames: Tensor, given: Trajectory) -> Float[Tensor, "batch channel *space"]:
        """The channels that a net sees, see `InputChannels`."""
        return self.channels.assembled(frames, given)

    @torch.no_grad()
    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """A rollout. ``t`` must be multiples of the time step after the last frame given, which may be a param
        and differ from sample to sample; the number of steps must be the same for all samples.

        Of a problem with forcing, ``given.forcing`` holds a frame for each step from the first frame given on to the
        last time wanted.

        Raises:
            ValueError: if it is not, or the frames given are not ``history`` many, or the forcing is too short, or a
                step draws noise although its method does not declare itself ``stochastic``.
        """
        n_samples = len(given)
        check_history(given, self.history)
        steps, ticks = steps_wanted(self.problem, given, t)
        source = Noise(generator, members, given.index, n_samples)
        if self.problem.forcing:
            forcing_of(given, self.history + int(steps[-1]))
        known = repeat(self.normalised(given), members)
        count = itertools.count()

        def next_frame(frames: Tensor) -> Tensor:
            n = next(count)
            now = ticks + n * TICKS

            def noise(like: Tensor, call: int) -> Tensor:
                if not self.stochastic:
                    raise ValueError(
                        f"expected a step without noise, because {type(self).__name__} is not declared stochastic; set "
                        "stochastic = True on the class"
                    )
                return source.draw(like, now, call)

            return self.step(frames, from_frame(known, n), noise)

        out = rollout(next_frame, known.u, int(steps[-1]))
        return in_physical_units(out[:, (steps - 1).to(out.device)], self.normaliser, given.u, members)


def time_steps(problem: Problem, given: Trajectory) -> Float[Tensor, "batch"]:
    """The time step of each trajectory: the param ``dt`` where it varies, else the problem's."""
    if "dt" in problem.params and given.params is not None:
        return given.params[:, problem.params.index("dt")].double()
    return torch.full((len(given),), problem.step, dtype=torch.float64, device=given.u.device)


def steps_to(
    t: Float[Tensor, "batch time"], t_last: Float[Tensor, "batch"], dt: Float[Tensor, "batch"]
) -> tuple[Int[Tensor, "time"], Int[Tensor, "batch"]]:
    """(numbers of steps from the last given frame to the times t, ticks of that frame).

    >>> steps, _ = steps_to(torch.tensor([[1.5, 2.0]]), torch.tensor([1.0]), torch.tensor([0.5]))
    >>> steps.tolist()
    [1, 2]
    """
    exact = (t.double() - t_last.double()[:, None]) / dt[:, None]
    steps = exact.round()
    wrong = ((exact - steps).abs() > TIME_TOLERANCE) | (steps < 1)
    if wrong.any():
        sample, time = (int(i) for i in wrong.nonzero()[0])
        last, step = float(t_last[sample]), float(dt[sample])
        raise ValueError(
            f"expected times at multiples of dt = {step:g} after the last given frame at t = {last:g}, found "
            f"t = {float(t[sample, time]):g}; ask for t = {last + max(1.0, float(steps[sample, time])) * step:g}"
        )
    if (steps > MAX_FRAMES).any():
        raise ValueError(
            f"expected at most {MAX_FRAMES:,} steps to the last time, found {float(steps.max()):.3g}; ask for earlier "
            "times, or go on from the last frame of a first forecast"
        )
    if (steps != steps[:1]).any() or (steps[0].diff() <= 0).any():
        raise ValueError(
            f"expected increasing times, the same number of steps away for all samples, found steps {steps.tolist()}; "
            "forecast samples with other times separately"
        )
    return steps[0].long().cpu(), (TICKS * t_last.double() / dt).round().long().cpu()


def steps_wanted(
    problem: Problem, given: Trajectory, t: Float[Tensor, "batch time"]
) -> tuple[Int[Tensor, "time"], Int[Tensor, "batch"]]:
    """Return what `steps_to` does for the frames given; one step from tick 0 for a steady problem."""
    if problem.steady:
        return torch.ones(1, dtype=torch.long), torch.zeros(len(given), dtype=torch.long)
    return steps_to(t, given.t[:, -1], time_steps(problem, given))


def repeat(batch: Trajectory, members: int) -> Trajectory:
    """The batch, ``members`` times: "member*batch"."""
    return batch.samples(torch.arange(len(batch)).repeat(members)) if members > 1 else batch


def in_physical_units(
    u: Float[Tensor, "rows time channel *space"], normaliser: Normaliser, like: Tensor, members: int
) -> Float[Tensor, "member batch time channel *space"]:
    """Return frames of a batch that `repeat` made, in physical units and the wider precision of the two."""
    out = normaliser.decode(u.to(torch.promote_types(u.dtype, like.dtype)))
    return out.unflatten(0, (members, len(out) // members))


def mean_square(error: Float[Tensor, "batch ..."], mask: Tensor | None) -> Float[Tensor, ""]:
    """Mean of the squared error where the mask (None: everywhere) is not zero."""
    return mean_inside(inside_or_zero(error, mask).square(), mask)


def inside_or_zero(values: Float[Tensor, "..."], mask: Tensor | None) -> Float[Tensor, "..."]:
    """Return the values, and 0 where the mask is zero: a field may be NaN where it does not exist."""
    return values if mask is None else torch.where((mask > 0).expand_as(values), values, 0.0)


def mean_inside(values: Float[Tensor, "..."], mask: Tensor | None) -> Float[Tensor, ""]:
    """Mean of values that are 0 where the mask (None: no mask) is zero, over the other points."""
    if mask is None:
        return values.mean()
    return values.sum() / (mask > 0).to(values).expand_as(values).sum().clamp_min(1)
