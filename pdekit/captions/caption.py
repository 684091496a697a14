"""The caption of a trajectory: a level of detail, a wording chosen by (seed, split, trajectory), and its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from pdekit.captions import cylinder, patterns, smoke, turbulence, warm_disc
from pdekit.captions.sentences import Subject, sentences_about
from pdekit.captions.wording import Wording
from pdekit.fields import Problem

OWN_GRAMMARS = (cylinder, smoke, patterns, turbulence, warm_disc)
"""Modules that have more to say about an equation; importing them adds to `sentences_about`."""
VERSION = 1
"""Raised when a change alters captions, so that stored ones are not silently stale."""
LEVELS = ("short", "medium", "full")
MIXED = "mixed"
"""A level of each trajectory's own, so that a model learns to read all of them."""
Captioner = Callable[[Problem, Mapping[str, float], Tensor], str]
"""A user's own caption: of a problem, the values of its params and the first frame, "channel *space"."""


def caption(
    problem: Problem,
    params: Mapping[str, float],
    level: str = "full",
    key: Sequence[int] = (),
    frame: Tensor | None = None,
) -> str:
    """Return the caption of a trajectory.

    Args:
        problem: with an equation.
        params: values by name, of those that vary.
        level: "short" (what happens and where), "medium" (the values that matter) or "full" (every varying parameter
            with four digits, the box and its ends, the regions of the first frame).
        key: numbers that choose the wording, e.g. (seed, split, trajectory); the first wording if empty.
        frame: the first frame, "channel *space", for its regions.

    Raises:
        ValueError: without an equation, or for an unknown level.

    >>> from pdekit.fields import Field, Grid
    >>> from pdekit.pdes import Burgers
    >>> problem = Problem(Grid((8,), (1.0,)), (Field("u"),), dt=0.1, n_frames=3, params=("viscosity",), pde=Burgers())
    >>> caption(problem, {"viscosity": 0.01})[56:]
    'viscosity 0.01. The parameters are viscosity 0.01. The box measures 1 and is periodic.'
    """
    if problem.pde is None:
        raise ValueError("expected a problem with an equation for a caption, got none; give text= of your own instead")
    if level not in LEVELS:
        raise ValueError(f"expected a level of detail among {LEVELS}, got {level!r}; choose one of these")
    return " ".join(sentences_about(problem.pde, Subject(problem, params, level, Wording(*key), frame)))


def captions_of(
    problem: Problem,
    params: Tensor | None,
    frames: Tensor,
    keys: Sequence[Sequence[int]],
    level: str = MIXED,
    own: Captioner | None = None,
) -> tuple[str, ...]:
    """Return one caption for each trajectory.

    Args:
        problem: of the trajectories.
        params: "sample param", in the order of `Problem.params`.
        frames: the first frame of each, "sample channel *space".
        keys: numbers that fix the wording of each.
        level: one of `LEVELS`, or "mixed": a level of each trajectory's own.
        own: a user's function in place of the grammar.
    """
    found = []
    for row, key in enumerate(keys):
        values = [] if params is None else params[row].double().tolist()
        named = dict(zip(problem.params, values, strict=True))
        if own is not None:
            found.append(own(problem, named, frames[row]))
            continue
        detail = Wording(*key, len(LEVELS)).of(LEVELS) if level == MIXED else level
        found.append(caption(problem, named, detail, key, torch.as_tensor(frames[row])))
    return tuple(found)
