"""Grids of nodes that contain the nodes of a coarser one."""

from __future__ import annotations

import math

from pdekit.fields import Grid


def nodes_of(grid: Grid, intervals: float, ndim: int) -> Grid:
    """Return a grid of nodes with at least so many intervals along each axis, of which those of a grid are a part.

    Raises:
        ValueError: for another dimension, a layout without both ends, or fewer than 3 points.
    """
    if set(grid.layout) != {"nodes"} or grid.ndim != ndim or min(grid.shape) < 3:
        raise ValueError(
            f"expected a grid of {ndim} axes with layout nodes (both ends included) and 3 points or more, got "
            f"{grid.layout} with {grid.shape}; correct the grid of the recipe"
        )
    return grid.resized([(n - 1) * max(1, math.ceil(intervals / (n - 1) - 1e-9)) + 1 for n in grid.shape])
