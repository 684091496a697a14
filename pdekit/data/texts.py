"""A user's own captions of arrays: texts, or a function that writes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pdekit.fields import Problem, Trajectory

Splits = dict[str, tuple[Problem, Trajectory]]


def with_texts(batches: Splits, text: Any) -> Splits:
    """Return the splits with captions.

    Args:
        batches: problem and trajectories by split.
        text: sequences of texts by split; a sequence if there is only one split; a function of the problem, the values
            of the params by name and the first frame; None for none.

    Raises:
        ValueError: if a split has no texts, or another number of them than samples, or one is no text.
    """
    if text is None:
        return batches
    if not callable(text) and not isinstance(text, Mapping):
        text = {"train": text}
    found = {}
    for split, (problem, batch) in batches.items():
        lines = _written(text, problem, batch) if callable(text) else text.get(split)
        found[split] = (dataclasses.replace(problem, has_text=True), _with_lines(split, batch, lines))
    return found


def _written(write: Callable[..., Any], problem: Problem, batch: Trajectory) -> list[Any]:
    """The captions that a user's function writes."""
    lines = []
    for row in range(len(batch)):
        values = [] if batch.params is None else batch.params[row].tolist()
        lines.append(write(problem, dict(zip(problem.params, values, strict=True)), batch.u[row, 0]))
    return lines


def _with_lines(split: str, batch: Trajectory, lines: Sequence[Any] | None) -> Trajectory:
    one = isinstance(lines, str)
    if lines is None or one or len(lines) != len(batch):
        found = "none" if lines is None else "one text" if one else len(lines)
        raise ValueError(
            f"expected a caption for each of {len(batch)} samples of the {split} split, got {found}; give "
            f"text={{{split!r}: [...]}} or a function"
        )
    wrong = next((line for line in lines if not isinstance(line, str)), None)
    if wrong is not None:
        raise ValueError(f"expected texts as captions, got {type(wrong).__name__}; convert them with str")
    return dataclasses.replace(batch, text=tuple(lines))
