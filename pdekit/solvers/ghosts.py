"""Ghost cells: what a conservation law finds outside the ends of a box.

With cells numbered from the end inwards, u_1, u_2, ..., and ghosts from the end outwards,

    Wall("free_slip")    g_i = R u_i, with the signs R of the equation's reflection
    Outflow()            g_i = u_1
    Inflow(a)            g_i = a
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.boundaries import Boundary, Inflow, Outflow, Sides, Wall
from pdekit.fields import Grid
from pdekit.pdes.base import ConservationLaw

GHOSTS = 2  # outside each end: a linear reconstruction sees two cells


def check_ends(pde: ConservationLaw, grid: Grid, sides: Sides) -> None:
    """Raise ValueError on an end that has no ghost cells for this equation."""
    for axis, ends in enumerate(sides):
        letter, layout, n = grid.axes[axis], grid.layout[axis], grid.shape[axis]
        if layout != "periodic" and (layout != "cells" or n < GHOSTS):
            raise ValueError(
                f"expected periodic points or at least {GHOSTS} cells on the axis {letter} for finite volumes, got "
                f"{n} {layout}; set its layout to cells"
            )
        for end in ends if layout == "cells" else ():
            reflects = end == Wall("free_slip") and pde.reflection(axis) is not None
            enters = isinstance(end, Inflow) and isinstance(end.profile, float) and len(pde.fields) == 1
            if not (reflects or enters or isinstance(end, Outflow)):
                possible = [
                    *(["wall free_slip"] if pde.reflection(axis) is not None else []),
                    *(["inflow with a number"] if len(pde.fields) == 1 else []),
                    "outflow",
                ]
                raise ValueError(
                    f"expected a boundary among {', '.join(possible)} on the axis {letter} for finite volumes of "
                    f"{type(pde).__name__}, got '{end}'; choose one of these, or a periodic grid"
                )


def with_ghosts(
    pde: ConservationLaw, u: Float[Tensor, "batch channel *space"], axis: int, ends: tuple[Boundary, Boundary]
) -> Float[Tensor, "batch channel *padded"]:
    """Cell averages with `GHOSTS` cells more at both ends of an axis, whose ends `check_ends` accepts."""
    dim, n = 2 + axis, u.shape[2 + axis]
    lower = _outside(pde, u.narrow(dim, 0, GHOSTS), axis, ends[0])
    upper = _outside(pde, u.narrow(dim, n - GHOSTS, GHOSTS).flip(dim), axis, ends[1])
    return torch.cat((lower.flip(dim), u, upper), dim)


def _outside(pde: ConservationLaw, near: Tensor, axis: int, end: Boundary) -> Tensor:
    """Return ghosts from the end outwards for cells from the end inwards."""
    if isinstance(end, Inflow):
        return torch.full_like(near, end.profile)
    if isinstance(end, Outflow):
        return near.narrow(2 + axis, 0, 1).expand_as(near)
    signs = torch.tensor(pde.reflection(axis), dtype=near.dtype, device=near.device)
    return near * signs.reshape(-1, *[1] * (near.ndim - 2))
