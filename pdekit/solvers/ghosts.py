"""Ghost cells: what a conservation law finds outside the ends of a box.

With cells numbered from the end inwards, u_1, u_2, ..., and ghosts from the end outwards,

    Wall("free_slip")    g_i = R u_i, with the signs R of the equation's reflection
    Outflow()            g_i = u_1
    Inflow(a)            g_i = a
    Dirichlet(a)         g_i = a: the flux through the end is that between a and the cell inside

a is a number for an equation of one field, and the name of a state, one number for each field, for the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.boundaries import Boundary, Dirichlet, Inflow, Outflow, Sides, Wall
from pdekit.fields import Grid
from pdekit.pdes.base import ConservationLaw

GHOSTS = 2  # outside each end, unless a reconstruction sees more cells
PRESCRIBED = (Inflow.word, Dirichlet.word)
States = Mapping[str, Sequence[float]]
"""States by name, one number for each field of the equation."""


def check_ends(pde: ConservationLaw, grid: Grid, sides: Sides, states: States, ghosts: int = GHOSTS) -> None:
    """Raise ValueError on an end that has no ghost cells for this equation, or a state of the wrong length."""
    for name, state in states.items():
        if len(state) != len(pde.fields):
            raise ValueError(
                f"expected a state of {len(pde.fields)} numbers ({', '.join(f.name for f in pde.fields)}), got "
                f"{name}={list(state)}; give one for each field"
            )
    for axis, ends in enumerate(sides):
        letter, layout, n = grid.axes[axis], grid.layout[axis], grid.shape[axis]
        if layout != "periodic" and (layout != "cells" or n < ghosts):
            raise ValueError(
                f"expected periodic points or at least {ghosts} cells on the axis {letter} for finite volumes, got "
                f"{n} {layout}; set its layout to cells"
            )
        for end in ends if layout == "cells" else ():
            reflects = end == Wall("free_slip") and pde.reflection(axis) is not None
            if not (reflects or end == Outflow() or _has_state(pde, end, states)):
                possible = [
                    *(["wall free_slip"] if pde.reflection(axis) is not None else []),
                    *(["inflow or dirichlet with a number"] if len(pde.fields) == 1 else []),
                    *(["inflow or dirichlet with one of the states " + ", ".join(states)] if states else []),
                    "outflow",
                ]
                raise ValueError(
                    f"expected a boundary among {', '.join(possible)} on the axis {letter} for finite volumes of "
                    f"{type(pde).__name__}, got '{end}'; choose one of these, or a periodic grid"
                )


def _has_state(pde: ConservationLaw, end: Boundary, states: States) -> bool:
    """True if the end prescribes a state: a number for one field, or a name of `states`."""
    one_number = end.number is not None and len(pde.fields) == 1
    return end.word in PRESCRIBED and (end.field in states or one_number)


def with_ghosts(
    pde: ConservationLaw,
    u: Float[Tensor, "batch channel *space"],
    axis: int,
    ends: tuple[Boundary, Boundary],
    states: States,
    ghosts: int = GHOSTS,
) -> Float[Tensor, "batch channel *padded"]:
    """Cell averages with ghost cells at both ends of an axis, whose ends `check_ends` accepts."""
    dim, n = 2 + axis, u.shape[2 + axis]
    lower = _outside(pde, u.narrow(dim, 0, ghosts), axis, ends[0], states)
    upper = _outside(pde, u.narrow(dim, n - ghosts, ghosts).flip(dim), axis, ends[1], states)
    return torch.cat((lower.flip(dim), u, upper), dim)


def _outside(pde: ConservationLaw, near: Tensor, axis: int, end: Boundary, states: States) -> Tensor:
    """Return ghosts from the end outwards for cells from the end inwards."""
    if end == Outflow():
        return near.narrow(2 + axis, 0, 1).expand_as(near)
    if end.word in PRESCRIBED:
        values = (end.number,) if end.field is None else states[end.field]
        state = torch.tensor(values, dtype=near.dtype, device=near.device)
        return state.reshape(-1, *[1] * (near.ndim - 2)).expand_as(near)
    signs = torch.tensor(pde.reflection(axis), dtype=near.dtype, device=near.device)
    return near * signs.reshape(-1, *[1] * (near.ndim - 2))
