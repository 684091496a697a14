"""A staggered grid: the velocity along an axis lies on the faces of the cells across it, scalars at the centres.

Along its own axis a velocity has one value for each of the n + 1 faces, or n on a periodic axis, where the last face is
the first. Source: Harlow and Welch (1965), Numerical calculation of time-dependent viscous incompressible flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from pdekit.boundaries import Boundary, Outflow, Sides, Wall
from pdekit.fields import Grid

Rule = tuple[float, Tensor | float]
"""Sign and value of a ghost: the value outside an end is sign * (value inside) + value."""
SAME_OUTSIDE: Rule = (1.0, 0.0)


def mirror(value: Tensor | float) -> Rule:
    """Ghost that makes the mean of both sides of an end a value."""
    return -1.0, 2 * value


@dataclass(frozen=True)
class Staggered:
    """Shapes, faces and differences of a box with ends.

    Args:
        grid: cells; its lengths are numbers.
        sides: (lower, upper) condition of each axis.
    """

    grid: Grid
    sides: Sides

    @property
    def ndim(self) -> int:
        return self.grid.ndim

    def periodic(self, axis: int) -> bool:
        return self.grid.layout[axis] == "periodic"

    def opens(self, axis: int, side: int) -> bool:
        """True at an outflow, whose pressure is zero."""
        return self.sides[axis][side] == Outflow()

    def face_shape(self, axis: int) -> tuple[int, ...]:
        """Values of the velocity along an axis."""
        extra = 0 if self.periodic(axis) else 1
        return tuple(n + extra if place == axis else n for place, n in enumerate(self.grid.shape))

    def shapes(self, n_scalars: int) -> list[tuple[int, ...]]:
        """Shapes of all parts of a state: velocities, then scalars."""
        return [self.face_shape(axis) for axis in range(self.ndim)] + [self.grid.shape] * n_scalars

    def parts(self, state: Tensor, n_scalars: int) -> list[Tensor]:
        """Take a state "batch value" apart into fields "batch *space"."""
        shapes = self.shapes(n_scalars)
        pieces = state.split([prod(shape) for shape in shapes], 1)
        return [piece.unflatten(1, shape) for piece, shape in zip(pieces, shapes, strict=True)]

    def free_faces(self, axis: int, dtype: torch.dtype, device: object = None) -> Tensor:
        """1 on faces whose velocity the flow decides, 0 where an end prescribes it, "*faces"."""
        free = torch.ones(self.face_shape(axis), dtype=dtype, device=device)  # type: ignore[call-overload]
        if not self.periodic(axis):
            for side, place in ((0, 0), (1, -1)):
                if not self.opens(axis, side):
                    free.select(axis, place).zero_()
        return free

    def all_faces(self, u: Tensor, axis: int) -> Tensor:
        """The velocity along an axis on n + 1 faces, whether it is periodic or not."""
        dim = 1 + axis
        return torch.cat((u, u.narrow(dim, 0, 1)), dim) if self.periodic(axis) else u

    def own_faces(self, u: Tensor, axis: int) -> Tensor:
        """The values on n + 1 faces as a state keeps them."""
        return u.narrow(1 + axis, 0, self.grid.shape[axis]) if self.periodic(axis) else u

    def divergence(self, velocity: Sequence[Tensor]) -> Tensor:
        """div u of cells."""
        total = torch.zeros((), dtype=velocity[0].dtype, device=velocity[0].device)
        for axis, u in enumerate(velocity):
            total = total + torch.diff(self.all_faces(u, axis), dim=1 + axis) / self.grid.spacing[axis]
        return total

    def gradient(self, p: Tensor, axis: int) -> Tensor:
        """dp/d(axis) on faces: zero where a velocity is prescribed, with p = 0 at the face of an outflow."""
        outside = [(-1.0, 0.0) if self.opens(axis, side) else SAME_OUTSIDE for side in (0, 1)]
        slope = torch.diff(self.padded(p, axis, outside[0], outside[1]), dim=1 + axis) / self.grid.spacing[axis]
        return self.own_faces(slope, axis)

    def padded(self, u: Tensor, axis: int, lower: Rule, upper: Rule, width: int = 1) -> Tensor:
        """Values with ghosts at both ends of an axis along which they lie at centres of cells."""
        dim, n = 1 + axis, u.shape[1 + axis]
        first, last = u.narrow(dim, 0, width), u.narrow(dim, n - width, width)
        if self.periodic(axis):
            return torch.cat((last, u, first), dim)
        below, above = (sign * near.flip(dim) + value for near, (sign, value) in ((first, lower), (last, upper)))
        return torch.cat((below, u, above), dim)


def tangential(end: Boundary, along: int, across: int) -> Rule:
    """Ghost of the velocity along an axis outside an end of another axis.

    A sliding wall moves along the first axis that lies in it.
    """
    if end == Outflow() or end == Wall("free_slip"):
        return SAME_OUTSIDE
    moving = end.speed if along == (0 if across else 1) else 0.0
    return mirror(moving)


def mean_of_neighbours(u: Tensor, axis: int) -> Tensor:
    """Means of neighbours along an axis: one value fewer."""
    dim, n = 1 + axis, u.shape[1 + axis]
    return (u.narrow(dim, 0, n - 1) + u.narrow(dim, 1, n - 1)) / 2
