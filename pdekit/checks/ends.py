"""Symmetries that the ends of a box allow: reflections along an axis, and quarter turns.

A reflection along an axis maps its two ends on each other and keeps those of the other axes, and changes the sign of
some channels (`PDE.reflection`). A condition a u + b du/dn = g holds after a change of sign only if g = 0; a wall that
slides along itself, and an inflow, have a direction of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from pdekit.fields import AXES, Problem

MIRRORED = ("periodic", "cells", "nodes")
"""Layouts of an axis whose points are mapped on points by a reflection."""


def no_mirror(problem: Problem, axis: int, signs: Sequence[int]) -> str:
    """Return the reason why the ends of the axes forbid a reflection along an axis; empty if they allow it.

    Args:
        problem: problem on a box.
        axis: axis that is reflected.
        signs: signs of the channels under the reflection.
    """
    layout, (lower, upper) = problem.box.layout[axis], problem.sides[axis]
    if layout not in MIRRORED:
        return f"the axis {AXES[axis]} has a point at one end only"
    if lower != upper:
        return f"the ends of the axis {AXES[axis]} differ ({lower}, {upper})"
    return _directed(problem) or _of_one_sign(problem, signs)


def no_turn(problem: Problem) -> str:
    """Return the reason why the box forbids a quarter turn in the plane of x and y; empty if it allows it."""
    box, ends = problem.box, [end for sides in problem.sides[:2] for end in sides]
    if box.shape[0] != box.shape[1] or box.extent[0] != box.extent[1]:
        return "the box is not square"
    if box.layout[0] != box.layout[1] or box.layout[0] not in MIRRORED or len(set(ends)) > 1:
        return "the ends of the axes x and y differ"
    return _directed(problem)


def _directed(problem: Problem) -> str:
    for end in (end for sides in problem.sides for end in sides):
        if end.speed:
            return f"a wall slides along itself ({end})"
        if end.word == "inflow":
            return f"fluid enters through an end ({end})"
    return ""


def _of_one_sign(problem: Problem, signs: Sequence[int]) -> str:
    if all(sign == 1 for sign in signs):
        return ""
    given = [end for sides in problem.sides for end in sides if end.given is not None and end.given != 0]
    return f"an end prescribes a value of one sign ({given[0]}), and the reflection changes signs" if given else ""
