"""Grids and time steps that are equal up to rounding: coordinates in float32, or sums in another order."""

from __future__ import annotations

import dataclasses
import math

from pdekit.fields import Grid, Points, Problem

ROUNDED = 1e-3  # of the smaller spacing, by which two ends of one box may differ
STEP_ROUNDED = 1e-6  # share by which two time steps may differ: 16 roundings of float32


def same_box(a: Grid | Points, b: Grid | Points) -> bool:
    """Return whether two grids have one box, up to a thousandth of the smaller spacing; False for points.

    Points of a periodic axis may lie at the lower ends of its cells or at the centres, see `Grid.resized`.

    >>> same_box(Grid((4,), (0.3,)), Grid((8,), (0.1 + 0.2,))), same_box(Grid((4,), (1.0,)), Grid((4,), (1.1,)))
    (True, False)
    """
    if not a.uniform or not b.uniform or a.layout != b.layout:
        return False
    moved = a.resized(b.shape)
    ends = zip(moved.origin, a.extent, b.origin, b.extent, a.spacing, b.spacing, strict=True)
    return all(
        max(abs(first - other), abs(first + length - other - wide)) <= ROUNDED * min(h, step)
        for first, length, other, wide, h, step in ends
    )


def same_points(a: Grid | Points, b: Grid | Points) -> bool:
    """Return whether two grids have the same points up to rounding; unstructured ones the same largest number."""
    return a == b or (a.shape == b.shape and same_box(a, b))


def same_step(a: float | None, b: float | None) -> bool:
    """Return whether two time steps are equal up to the rounding of times that are stored in float32.

    >>> same_step(0.1, 0.100000001), same_step(0.1, 0.1001), same_step(None, None)
    (True, False, True)
    """
    return a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=STEP_ROUNDED))


def rounded_as(problem: Problem, other: Problem) -> Problem:
    """Return a problem with the grid and the time step of another one, as far as both are equal up to rounding."""
    return dataclasses.replace(
        problem,
        grid=other.grid if same_points(problem.grid, other.grid) else problem.grid,
        dt=other.dt if same_step(problem.dt, other.dt) else problem.dt,
    )
