"""Violation of the conditions at the ends of bounded axes, where the problem prescribes them in numbers.

`Problem.boundary` holds a condition for each end. Two of them prescribe a number g for every field,

    Dirichlet(g):  u = g,        Neumann(g):  du/dn = g (outwards).

The others (a wall, an inflow, values of an input field) prescribe no number for single fields. The violation is not
defined there.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.boundaries import Dirichlet, Neumann
from pdekit.fields import Grid, Problem
from pdekit.metrics.quadrature import diverged_as

ORDERS = {Dirichlet: 0, Neumann: 1}
"""Of the derivative that a condition prescribes."""

WEIGHTS = {
    "nodes": ((1.0, 0.0, 0.0), (1.5, -2.0, 0.5)),
    "cells": ((1.875, -1.25, 0.375), (2.0, -3.0, 1.0)),
    "one beyond": ((3.0, -3.0, 1.0), (2.5, -4.0, 1.5)),
}
"""Of the three points next to an end, for the value at it and the slope outwards (on unit spacing), by the distance of
the first point: none, half a spacing, one spacing."""
ENDS = {
    "nodes": ("nodes", "nodes"),
    "cells": ("cells", "cells"),
    "half_open": ("nodes", "one beyond"),
}


def known_ends(problem: Problem) -> dict[tuple[int, int], tuple[int, float]]:
    """The ends (axis, 0 or -1) with a condition in numbers: the order of the derivative, and its value.

    >>> from pdekit.fields import Field
    >>> grid = Grid((9,), (1.0,), layout=("nodes",))
    >>> known_ends(Problem(grid, (Field("u"),), boundary=(("dirichlet 1.5", "open"),)))
    {(0, 0): (0, 1.5)}
    """
    if not isinstance(problem.grid, Grid) or problem.has_mask:
        return {}
    found = {}
    for axis, ends in enumerate(problem.sides):
        for side, end in zip((0, -1), ends, strict=True):
            if type(end) in ORDERS and isinstance(end.given, float) and problem.grid.shape[axis] >= 3:
                found[axis, side] = ORDERS[type(end)], end.given
    return found


@torch.no_grad()
def boundary_violation(
    u: Float[Tensor, "batch time channel *space"], problem: Problem
) -> Float[Tensor, "batch time channel"]:
    """Root mean square over the points of all known ends of u less its value there, in the unit of the field.

    Values at the faces of cells and slopes are those of the parabola through the three points next to the end. A slope
    counts as what its error makes over the length of the axis. +inf for a diverged frame.

    >>> from pdekit.fields import Field
    >>> grid = Grid((5,), (2.0,), layout=("nodes",))
    >>> problem = Problem(grid, (Field("u"),), boundary=(("dirichlet", "neumann 2"),))
    >>> u = 0.3 + grid.coordinates(0) ** 2 / 2
    >>> round(boundary_violation(u.reshape(1, 1, 1, 5), problem).item() * 2**0.5, 9)  # the slope is right
    0.3
    """
    ends = known_ends(problem)
    if not ends:
        raise ValueError(
            "expected a boundary that is known in numbers (dirichlet, neumann), got "
            f"{[tuple(map(str, ends)) for ends in problem.boundary]}; "
            "ask `known_ends` first"
        )
    u, errors = u.double(), []
    for (axis, side), (order, value) in ends.items():
        layout, spacing, length = (
            part[axis] for part in (problem.grid.layout, problem.grid.spacing, problem.grid.extent)
        )
        near = [u.select(axis - problem.grid.ndim, n if side == 0 else -1 - n) for n in range(3)]
        found = sum(w * v for w, v in zip(WEIGHTS[ENDS[layout][side]][order], near, strict=True))
        error = found - value if order == 0 else (found / spacing - value) * length
        errors.append(error.reshape(*u.shape[:3], -1))
    return diverged_as(math.inf, (torch.cat(errors, -1) ** 2).mean(-1).sqrt())
