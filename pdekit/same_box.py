"""Grids that are equal up to the rounding of their ends: coordinates in float32, or sums in another order."""

from __future__ import annotations

import dataclasses

from pdekit.fields import Grid, Points, Problem

ROUNDED = 1e-3  # of the smaller spacing, by which two ends of one box may differ


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


def on_the_grid_of(problem: Problem, other: Problem) -> Problem:
    """Return a problem with the grid of another one, if both have the same points; else the problem itself."""
    return dataclasses.replace(problem, grid=other.grid) if same_points(problem.grid, other.grid) else problem
