"""Violation of the conditions at the ends of bounded axes, where the problem prescribes them.

`Problem.boundary` holds a condition for each end. Three of them prescribe a value g for every field,

    Dirichlet(g):  u = g,   Neumann(g):  du/dn = g (outwards),   Robin(alpha, beta, g):  alpha u + beta du/dn = g,

with g a number, a signal in time, or an input field whose values at the end are meant. The others (a wall, an inflow)
prescribe no value for single fields. The violation is not defined there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.boundaries import Value
from pdekit.fields import Grid, Problem
from pdekit.metrics.quadrature import diverged_as

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


@dataclass(frozen=True)
class EndInputs:
    """Inputs from which conditions take their values.

    Args:
        t: times of the frames, "batch time".
        coeffs: input fields, "batch coeff *space".
        forcing: forcing of the frames, "batch time forcing *space".
    """

    t: Tensor | None = None
    coeffs: Tensor | None = None
    forcing: Tensor | None = None


NOTHING = EndInputs()


def known_ends(problem: Problem) -> dict[tuple[int, int], tuple[float, float, Value]]:
    """Return the ends (axis, 0 or -1) that prescribe a value: alpha, beta and g of alpha u + beta du/dn = g.

    >>> from pdekit.fields import Field
    >>> grid = Grid((9,), (1.0,), layout=("nodes",))
    >>> known_ends(Problem(grid, (Field("u"),), boundary=(("dirichlet 1.5", "open"),)))
    {(0, 0): (1.0, 0.0, 1.5)}
    """
    if problem.has_mask:
        return {}
    found = {}
    for axis, ends in enumerate(problem.sides):
        for side, end in zip((0, -1), ends, strict=True):
            if end.coefficients is not None and end.given is not None and problem.grid.shape[axis] >= 3:
                found[axis, side] = *end.coefficients, end.given
    return found


def named_forcing(problem: Problem) -> bool:
    """Return whether a condition takes its value from the forcing."""
    names = [item.name for item in problem.forcing]
    return any(given in names for _, _, given in known_ends(problem).values())


@torch.no_grad()
def boundary_violation(
    u: Float[Tensor, "batch time channel *space"], problem: Problem, inputs: EndInputs = NOTHING
) -> Float[Tensor, "batch time channel"]:
    """Root mean square over the points of all known ends of what a field misses there, in the unit of the field.

    A point misses (alpha u + beta du/dn - g) / (|alpha| + |beta| / L) with the length L of the axis: u less its value
    under Dirichlet, and what the error of a slope makes over the length under Neumann. Values at the faces of cells and
    slopes are those of the parabola through the three points next to the end. +inf for a diverged frame.

    Args:
        u: frames.
        problem: problem of the frames.
        inputs: times for values that vary in time, and the input fields that a condition names.

    Raises:
        ValueError: if no end prescribes a value, or an input that a condition needs is missing.

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
            "expected a boundary with values (dirichlet, neumann, robin), got "
            f"{[tuple(map(str, ends)) for ends in problem.boundary]}; "
            "ask `known_ends` first"
        )
    u, grid, errors = u.double(), problem.box, []
    for (axis, side), (alpha, beta, given) in ends.items():
        length = grid.extent[axis]
        value, slope = (_at_end(u, grid, axis, side, order) for order in (0, 1))
        error = alpha * value + beta * slope - _prescribed(given, problem, inputs, axis, side)
        errors.append(error.reshape(*u.shape[:3], -1) / (abs(alpha) + abs(beta) / length))
    return diverged_as(math.inf, (torch.cat(errors, -1) ** 2).mean(-1).sqrt())


def _at_end(u: Tensor, grid: Grid, axis: int, side: int, order: int) -> Tensor:
    """Return the value at an end, or the slope outwards, of "... *space"."""
    weights = WEIGHTS[ENDS[grid.layout[axis]][side]][order]
    near = [u.select(axis - grid.ndim, n if side == 0 else -1 - n) for n in range(3)]
    return sum(w * v for w, v in zip(weights, near, strict=True)) / grid.spacing[axis] ** order


def _prescribed(given: Value, problem: Problem, inputs: EndInputs, axis: int, side: int) -> Tensor | float:
    """Return g at an end: a number, or "batch time 1 *points"."""
    grid = problem.box
    if callable(given):  # a signal
        t = _known(inputs.t, "t=, the times of the frames", given)
        return given(t.double()).reshape(*t.shape, *[1] * grid.ndim)
    coeffs, forcing = ([item.name for item in items] for items in (problem.coeffs, problem.forcing))
    if given in coeffs:
        values = _known(inputs.coeffs, "coeffs=", given).double()[:, None, [coeffs.index(given)]]
    elif given in forcing:
        values = _known(inputs.forcing, "forcing= of the frames", given).double()[:, :, [forcing.index(given)]]
    else:
        return given
    return _at_end(values, grid, axis, side, 0)


def _known(values: Tensor | None, what: str, given: Value) -> Tensor:
    if values is None:
        raise ValueError(f"expected {what}, for a boundary with the value '{given}', found none; give it in EndInputs")
    return values
