"""Checks before an evaluation: model and data have the same problem, and there are enough frames."""

from __future__ import annotations

from collections.abc import Sequence

from pdekit.evaluation.settings import KeptForecasts
from pdekit.fields import Problem
from pdekit.same_box import rounded_as, same_box


def check_problem(name: str, found: Problem, expected: Problem, any_shape: bool = False) -> None:
    """Check that a model was made for the problem of the data.

    Args:
        name: name of the model.
        found, expected: problem of the model and problem of the data.
        any_shape: accept the same box with another number of points.

    Raises:
        ValueError: if a part differs; the message names the first one.
    """
    found, one_box = rounded_as(found, expected), same_box(found.grid, expected.grid)
    for part in ("fields", "coeffs", "forcing", "params", "dt", "grid"):
        ours, theirs = getattr(found, part), getattr(expected, part)
        if ours != theirs and not (part == "grid" and one_box and any_shape):
            remedy = "evaluate it on data of its own problem, or train it on these"
            if part == "grid" and one_box:
                sizes = [f"resolution={resolution_text(grid.shape)}" for grid in (ours, theirs)]
                remedy = f"set {sizes[0]} or {sizes[1]} to evaluate it there"
            raise ValueError(
                f"expected data with the {part} that {name!r} was made for, {ours}, found {theirs}; {remedy}"
            )


def resolution_text(shape: tuple[int, ...]) -> str:
    """A resolution as it is typed.

    >>> resolution_text((64, 64)), resolution_text((64, 128))
    ('64', '[64,128]')
    """
    return str(shape[0]) if len(set(shape)) == 1 else f"[{','.join(map(str, shape))}]"


def check_horizon(horizon: int | None, history: int, start: int, problem: Problem) -> int:
    """The number of frames to forecast, all that there are if None.

    Raises:
        ValueError: if the data have fewer.
    """
    available = problem.n_frames - history - start
    if horizon is None:
        horizon = available
    if not 1 <= horizon <= available:
        raise ValueError(
            f"expected a horizon of 1 to {available} frames (of {problem.n_frames} stored, {history} are given, from "
            f"frame {start} on), got {horizon}; shorten it, or generate longer test trajectories"
        )
    return horizon


def check_kept(keep: KeptForecasts, n_samples: int) -> Sequence[int]:
    """Numbers of the samples that are kept.

    Raises:
        ValueError: if there is none of a number.
    """
    if keep.samples is None:
        return range(min(keep.n_samples, n_samples))
    if not keep.samples or not all(0 <= sample < n_samples for sample in keep.samples):
        raise ValueError(
            f"expected samples to keep from 0 to {n_samples - 1}, at least one, got {list(keep.samples)}; correct "
            "keep.samples=[...]"
        )
    return keep.samples
