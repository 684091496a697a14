"""Whether a forecast keeps the conditions at the ends of bounded axes, where the problem says what they are.

`Problem.boundary` names a condition for each end. Two of them are known in numbers and hold for every field,

    "dirichlet"  or "dirichlet 2.5":  u = 0, or 2.5,        "neumann"  or "neumann -1":  du/dn = 0, or -1 (outwards);

any other name ("wall", "open") says nothing of single fields, and the violation is not defined there.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Grid, Problem
from pdekit.metrics.quadrature import diverged_as

ORDERS = {"dirichlet": 0, "neumann": 1}

WEIGHTS = {
    "nodes": ((1.0, 0.0, 0.0), (1.5, -2.0, 0.5)),
    "cells": ((1.875, -1.25, 0.375), (2.0, -3.0, 1.0)),
}
"""Of the three points next to an end, for the value at it and the slope outwards (on unit spacing)."""


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
    for axis, ends in enumerate(problem.boundary):
        for side, text in zip((0, -1), ends, strict=True):
            kind, _, value = text.partition(" ")
            if kind in ORDERS and problem.grid.shape[axis] >= 3:
                found[axis, side] = ORDERS[kind], _number(value, text)
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
            f"expected a boundary that is known in numbers (dirichlet, neumann), got {problem.boundary}; "
            "ask `known_ends` first"
        )
    errors = []
    for (axis, side), (order, value) in ends.items():
        layout, spacing, length = (
            part[axis] for part in (problem.grid.layout, problem.grid.spacing, problem.grid.extent)
        )
        near = [u.select(axis - problem.grid.ndim, n if side == 0 else -1 - n) for n in range(3)]
        found = sum(w * v for w, v in zip(WEIGHTS[layout][order], near, strict=True))
        error = found - value if order == 0 else (found / spacing - value) * length
        errors.append(error.reshape(*u.shape[:3], -1))
    return diverged_as(math.inf, (torch.cat(errors, -1) ** 2).mean(-1).sqrt())


def _number(value: str, text: str) -> float:
    try:
        return float(value or 0)
    except ValueError:
        raise ValueError(f'expected a number after the name, as in "dirichlet 2.5", got {text!r}; correct it') from None
