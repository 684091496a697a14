"""A user's arrays on several grids: a list with an array for each grid, and lists of what belongs to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from pdekit.data.assembly import batches_of
from pdekit.data.description import Description
from pdekit.data.from_xarray import is_xarray
from pdekit.data.given import is_path
from pdekit.data.texts import with_texts
from pdekit.fields import Problem, Trajectory
from pdekit.plain import are_texts, mapping_or_empty

INPUTS = ("coeffs", "params", "forcing", "mask")


def is_several(part: Any) -> bool:
    """Return whether a split is a list with an array for each grid: of paths, xarray objects or unequal arrays.

    Raises:
        ValueError: on a list whose rows differ in length.

    >>> is_several([np.zeros((2, 1, 1, 8)), np.zeros((2, 1, 1, 4))]), is_several([[[[0.0, 1.0]]]])
    (True, False)
    """
    if not isinstance(part, (list, tuple)) or not part:
        return False
    if all(is_path(item) or is_xarray(item) for item in part):
        return True
    try:
        shapes = [np.shape(item) for item in part]
    except ValueError:  # NumPy's, of lists of unequal lengths
        raise ValueError(
            "expected arrays, or lists of numbers of one length at each depth, found a list whose rows differ in "
            "length; give one array for each grid, or trajectories of one length"
        ) from None
    return len({shape[1:] for shape in shapes}) > 1 and all(len(shape) > 2 for shape in shapes)


def on_several_grids(data: Mapping[str, Any], about: Description) -> dict[str, list[tuple[Problem, Trajectory]]]:
    """Return problem and trajectories of each grid of each split.

    Args:
        data: by split, an array or a list of them, one for each grid.
        about: description of what the arrays do not state themselves. Inputs, masks and captions are lists by split,
            ``coeffs={"train": [{"a": fine}, {"a": coarse}], ...}``, ``text={"train": [of_fine, of_coarse], ...}``.

    Raises:
        ValueError: on other numbers of inputs or captions than arrays, and as `batches_of` and `with_texts`.
    """
    found: dict[str, list[tuple[Problem, Trajectory]]] = {}
    for split, part in data.items():
        arrays = list(part) if is_several(part) else [part]
        for number, array in enumerate(arrays):
            own = {name: _own(name, getattr(about, name), split, number, len(arrays)) for name in INPUTS}
            pairs = batches_of({"train": array}, dataclasses.replace(about, **own))
            texts = _texts(about.text, split, number, len(arrays))
            found.setdefault(split, []).append(with_texts({split: pairs["train"]}, texts)[split])
    return found


def _texts(given: Any, split: str, number: int, n: int) -> Any:
    """Return the captions of one array of a split by the split, or the function that writes them; None for none."""
    if given is None or callable(given):
        return given
    by_split = given if isinstance(given, Mapping) else {"train": given}
    lines = by_split.get(split)
    if n == 1 and are_texts(lines or ()):
        return {split: lines}
    return {split: _own("text", by_split, split, number, n)}


def _own(name: str, given: Any, split: str, number: int, n: int) -> Any:
    """The inputs of one kind, or the mask, of one array of a split."""
    if given is None:
        return None
    part = mapping_or_empty(given).get(split)
    part = [part] if isinstance(part, Mapping) and n == 1 else part
    if not isinstance(part, (list, tuple)) or len(part) != n:
        raise ValueError(
            f"expected {name}={{split: [...]}} with an entry for each of the {n} arrays of the {split} split, found "
            f"{'none' if part is None else type(part).__name__}; give a list"
        )
    return part[number]
