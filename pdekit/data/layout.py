"""Places of the channels of a problem in a file of The Well's layout.

Components of a vector whose length is the dimension share one dataset of ``t1_fields`` (components last); every
other channel is a dataset of ``t0_fields``. Forcing varies in time like the fields; coeffs do not.
Source: The Well, Ohana et al. 2024, "Data format".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import h5py

from pdekit.fields import Field, Grid, Points, Problem
from pdekit.plain import from_plain, to_plain

OURS = "pdekit"  # the group that holds what The Well's layout has no place for
FORMAT = 1
TEXT = h5py.string_dtype()
OPTIONAL = ("mask", "points", "point_mask", "cells")  # parts of a trajectory that lie in the group pdekit
RESERVED = ("time_grid", "space_grid", "boundary_output", "time")


@dataclass(frozen=True)
class Placement:
    """One dataset of a file: its group and name, the channels it holds, and whether it varies in time."""

    group: str
    name: str
    channels: tuple[int, ...]
    time_varying: bool

    @property
    def path(self) -> str:
        return f"{self.group}/{self.name}"


def placements(fields: Sequence[Field], ndim: int, time_varying: bool = True) -> tuple[Placement, ...]:
    """The datasets that hold these channels.

    >>> uv = (Field("u", vector="velocity"), Field("v", vector="velocity"), Field("p"))
    >>> [(p.path, p.channels) for p in placements(uv, 2)]
    [('t1_fields/velocity', (0, 1)), ('t0_fields/p', (2,))]
    """
    groups: dict[str, list[int]] = {}
    for i, item in enumerate(fields):
        if item.vector:
            groups.setdefault(item.vector, []).append(i)
    whole = {name: tuple(channels) for name, channels in groups.items() if len(channels) == ndim}
    found: list[Placement] = []
    for i, item in enumerate(fields):
        if item.vector in whole:
            if whole[item.vector][0] == i:
                found.append(Placement("t1_fields", item.vector, whole[item.vector], time_varying))
        else:
            found.append(Placement("t0_fields", item.name, (i,), time_varying))
    return tuple(found)


@dataclass(frozen=True)
class Datasets:
    """The datasets of the three kinds of channels."""

    u: tuple[Placement, ...]
    coeffs: tuple[Placement, ...]
    forcing: tuple[Placement, ...]

    @property
    def all(self) -> tuple[Placement, ...]:
        return self.u + self.coeffs + self.forcing


def datasets(problem: Problem) -> Datasets:
    """The datasets of a problem.

    Raises:
        ValueError: if two of them, or a parameter, share one name (readers of this layout keep one table of names).
    """
    ndim = problem.ndim
    found = Datasets(
        placements(problem.fields, ndim),
        placements(problem.coeffs, ndim, time_varying=False),
        placements(problem.forcing, ndim),
    )
    seen: set[str] = set(RESERVED)
    for name in [p.name for p in found.all] + list(problem.params):
        if name in seen or "/" in name or not name:
            raise ValueError(
                f"expected names that occur once, without '/' and not among {RESERVED}, got {name!r}; rename a field, "
                "coeff, forcing or param"
            )
        seen.add(name)
    return found


def spatial_dims(problem: Problem) -> tuple[str, ...]:
    """Names of the stored spatial axes: x, y, z, or one axis of points for a mesh."""
    if not problem.grid.uniform:
        return ("point",)
    return problem.grid.axes


def problem_to_plain(problem: Problem) -> dict:
    """The parts of a problem as plain values."""
    return to_plain(problem)


def problem_from_plain(node: dict, trust: Sequence[str] = ()) -> Problem:
    """The problem of its plain values; its equation must lie in pdekit or a trusted package."""
    problem = from_plain(node, trust)
    if not isinstance(problem, Problem) or not isinstance(problem.grid, (Grid, Points)):
        raise ValueError(f"expected a stored problem, got {type(problem).__name__}; the file is damaged or foreign")
    return problem
