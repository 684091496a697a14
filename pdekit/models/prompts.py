"""Samples of a generative model from a prompt."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.diffusion.samplers.base import Sampler
from pdekit.fields import Trajectory
from pdekit.models.base import Surrogate
from pdekit.models.text2pde import Text2PDE
from pdekit.plain import by_name, is_number
from pdekit.typed_values import check_types

MAX_CALLS = 10_000
LONGEST = 100  # trajectories of the training, of the longest sample


@dataclass(frozen=True)
class Prompt:
    """Request for samples.

    Args:
        text: of a model that is conditioned on text.
        params: values by name, of a model that is conditioned on parameters.
        members: how many samples.
        seed: of the samples.
        guidance: weight of the condition; None takes that of the model.
        calls: calls of the net for one sample, without those of guidance; None takes those of the model.
        anyway: whether to sample with words and values that the training did not have.
        start: the first frame, "channel *space", of a model that is conditioned on it, in physical units.
        duration: time of the last frame wanted; None takes that of the training. Longer samples need a model that is
            conditioned on the first frame, where each stretch begins with the last frame of the one before, or one with
            a continuation.

    Raises:
        ValueError: on members or calls below 1, a duration that is not positive, and on numbers that are not finite.
    """

    text: str | None = None
    params: Mapping[str, float] = field(default_factory=dict)
    members: int = 1
    seed: int = 0
    guidance: float | None = None
    calls: int | None = None
    anyway: bool = False
    start: Float[Tensor, "channel *space"] | None = None
    duration: float | None = None

    def __post_init__(self):
        params = by_name(self.params, "params")
        optional = {"guidance": self.guidance, "duration": self.duration}
        numbers = {**{name: value for name, value in optional.items() if value is not None}, **params}
        wrong = {name: value for name, value in numbers.items() if not (is_number(value) and math.isfinite(value))}
        if wrong:
            raise ValueError(f"expected finite numbers in a prompt, got {wrong}; correct them")
        check_types(self)
        if self.members < 1 or not 1 <= (1 if self.calls is None else self.calls) <= MAX_CALLS:
            raise ValueError(
                f"expected members >= 1 and calls from 1 to {MAX_CALLS}, got {self.members} and {self.calls}; "
                "correct them"
            )
        if self.duration is not None and self.duration <= 0:
            raise ValueError(f"expected duration > 0, got {self.duration}; give the time of the last frame wanted")


def sample_prompt(
    model: Surrogate, prompt: Prompt
) -> tuple[Float[Tensor, "member time channel *space"], Float[Tensor, "time"]]:
    """Return trajectories that follow a prompt, in physical units, and their times; a first frame that is given is the
    first one returned.

    Raises:
        ValueError: if the model needs coefficient fields or a mask, if text, parameters or first frame are missing or
            not wanted, if the duration is longer than the method allows, or if the prompt has words or values that the
            training did not have (the message names the nearest ones).
    """
    model = _checked(model, prompt)
    problem = model.problem
    changes: dict[str, Any] = {}
    if prompt.guidance is not None:
        changes["guidance"] = prompt.guidance
    if prompt.calls is not None:
        n = levels_for(model.generation.sampler, prompt.calls)
        changes["levels"] = type(model.generation.levels)(
            n, model.generation.levels.k_min, model.generation.levels.k_max
        )
    t = torch.arange(frames_wanted(model, prompt), dtype=torch.float64) * problem.step
    places = sample_points(model)
    space = problem.grid.shape if places is None else (len(places),)
    start = torch.zeros(0, problem.n_channels, *space) if prompt.start is None else prompt.start[None]
    values = [[float(prompt.params[name]) for name in problem.params]] if "params" in model.condition else None
    given = Trajectory(
        u=start[None].float(),
        t=t[None, : len(start)],
        params=torch.tensor(values, dtype=torch.float64) if values else _absent(model),
        text=None if prompt.text is None else (prompt.text,),
        index=torch.zeros(1, dtype=torch.long),
        points=None if places is None else places[None],
        point_mask=None if places is None else torch.ones(1, len(places), dtype=torch.bool),
    )
    generator = torch.Generator().manual_seed(prompt.seed)
    u = model.with_generation(**changes).eval().forecast(given, t[None, len(start) :], prompt.members, generator)
    return torch.cat((start.to(u).expand(prompt.members, *start.shape), u[:, 0]), 1), t


def sample_points(model: Text2PDE) -> Float[Tensor, "point dim"] | None:
    """Return the points of samples on a mesh, a lattice in the box of the training with at most `Points.max_points`
    points, in the order of pdekit; None on a grid. A caption does not give a mesh, and the decoder needs none.
    """
    box, problem = model.autoencoder.box, model.problem
    if box is None:
        return None
    sizes = lattice_sizes([float(length) for length in box.upper - box.lower], problem.grid.max_points)
    shares = torch.cartesian_prod(*(torch.linspace(0, 1, n) for n in sizes)).reshape(-1, problem.ndim)
    return (box.lower + shares.to(box.lower) * (box.upper - box.lower)).cpu()


def lattice_sizes(lengths: Sequence[float], n: int) -> list[int]:
    """Return the points of each axis of a lattice of at most n points, with about the same distance along all axes; at
    least two along an axis, and one along one without length.

    >>> lattice_sizes([4.0, 1.0], 60), lattice_sizes([100.0, 1.0], 10), lattice_sizes([2.0, 0.0], 9)
    ([15, 3], [5, 2], [9, 1])
    """
    sizes = [1] * len(lengths)
    left = sorted((axis for axis, length in enumerate(lengths) if length > 0), key=lengths.__getitem__)
    while left:
        spacing = (math.prod(lengths[axis] for axis in left) * math.prod(sizes) / n) ** (1 / len(left))
        if lengths[left[0]] >= 2 * spacing:
            break
        sizes[left.pop(0)] = 2
    for axis in left:
        sizes[axis] = math.floor(lengths[axis] / spacing * (1 + 1e-9))
    return sizes


def levels_for(sampler: Sampler, calls: int) -> int:
    """Return the most levels for which a sampler makes at most so many calls; at least 1.

    >>> from pdekit.diffusion.samplers.heun import Heun
    >>> levels_for(Heun(), 9)
    5
    """
    return max([1, *(n for n in range(1, calls + 1) if sampler.calls(n) <= calls)])


def _absent(model: Text2PDE) -> Tensor | None:
    """Parameters of a model that does not look at them."""
    n = len(model.problem.params)
    return torch.zeros(1, n, dtype=torch.float64) if n else None


def frames_wanted(model: Text2PDE, prompt: Prompt) -> int:
    """Return the number of frames of a sample, the first one included.

    Raises:
        ValueError: if the duration is longer than what the model generates, and it neither sees the first frame nor has
            a continuation.
    """
    reached, dt = model.n_reached, float(model.problem.step)
    n = model.problem.n_frames if reached is None else reached
    if prompt.duration is None:
        return n
    longest = (LONGEST * n - 1) * dt
    if prompt.duration > longest:
        raise ValueError(
            f"expected duration <= {longest:g}, {LONGEST} times that of the training, got {prompt.duration:g}; "
            "generate in parts, each from the last frame of the one before"
        )
    wanted = max(2, 1 + math.floor(prompt.duration / dt + 0.5))
    if reached is not None and wanted > n:
        raise ValueError(
            f"expected duration <= {(n - 1) * dt:g}, that of the training, got {prompt.duration:g}: a model that is "
            f"conditioned on {list(model.condition)} has only seen flows from their beginning; train "
            "model.condition=[frame] (or [text,frame]) or model=text2pde_continued, whose samples go on from "
            "their last frame"
        )
    return wanted


def answering(model: Surrogate) -> Text2PDE | None:
    """Return a model that needs no more than a text or parameters; None for any other."""
    return model if isinstance(model, Text2PDE) and not model.history and model.field_tokens is None else None


def _not_prompted(found: str) -> ValueError:
    return ValueError(
        f"expected a model that generates from text, parameters or a first frame, got {found}; train model=text2pde on "
        "a problem without fields as conditions, or use run.forecast"
    )


def _checked(model: Surrogate, prompt: Prompt) -> Text2PDE:
    """Return the model if it can answer the prompt."""
    if not isinstance(model, Text2PDE):
        raise _not_prompted(type(model).__name__)
    if model.channels.count > model.history * model.problem.n_channels:
        raise _not_prompted("one that is conditioned on fields or a mask")
    if model.history and not model.problem.grid.uniform:
        raise ValueError(
            f"expected a model on meshes that is conditioned on text or parameters, got one that is conditioned on "
            f"{list(model.condition)}; a first frame on a mesh is given by run.forecast"
        )
    if bool(model.history) != (prompt.start is not None):
        wanted = "a first frame, start=" if model.history else "no first frame"
        raise ValueError(
            f"expected {wanted} for a model that is conditioned on {list(model.condition)}, got "
            f"{'one' if model.history == 0 else 'none'}; correct start="
        )
    shape = (model.problem.n_channels, *model.problem.grid.shape)
    if prompt.start is not None and tuple(prompt.start.shape) != shape:
        raise ValueError(
            f"expected a first frame of shape {shape}, got {tuple(prompt.start.shape)}; the method works on the grid "
            "of its training only, because the layers of its autoencoder count points: interpolate to it"
        )
    if ("text" in model.condition) != (prompt.text is not None):
        wanted = "a prompt" if "text" in model.condition else "no prompt"
        raise ValueError(
            f"expected {wanted} for a model that is conditioned on {list(model.condition)}, got {prompt.text!r}; "
            "correct prompt="
        )
    names = set(model.problem.params) if "params" in model.condition else set()
    if names != set(prompt.params):
        raise ValueError(
            f"expected values of the parameters {sorted(names)}, got {sorted(prompt.params)}; give all of them"
        )
    if model.problem.pde is not None:
        model.problem.pde.check({name: torch.tensor([float(value)]) for name, value in prompt.params.items()})
    if prompt.text is not None and not prompt.text.strip():
        warnings.warn("the prompt is empty: the samples follow no caption", stacklevel=4)
    remarks = model.text.vocabulary.remarks(prompt.text) if model.text is not None and prompt.text is not None else []
    if remarks and not prompt.anyway:
        raise ValueError(
            f"expected a prompt like the captions of the training, got one that is not: {'; '.join(remarks)}. "
            "Change the prompt; anyway=true samples nevertheless"
        )
    return model
