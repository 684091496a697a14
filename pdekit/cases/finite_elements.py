"""Parts of the finite-element cases: the optional library, a curved mesh, values on a grid, and the coupling knob.

The library is NGSolve (extra `fem`), imported when a sample is solved. Boundaries are curved to the order of the
elements, because straight sides cap the accuracy whatever that order is. A process that has used NGSolve must not be
forked afterwards; start workers by `spawn`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin
from types import ModuleType
from typing import Any

import numpy as np

from pdekit.fields import Grid


def require_ngsolve() -> ModuleType:
    """The module `ngsolve`.

    Raises:
        ImportError: if it is not installed, with the command that installs it.
    """
    try:
        import ngsolve
    except ImportError as error:
        raise ImportError(
            "expected the library ngsolve for a finite-element reference, found none; "
            "install the extra: pip install 'pdekit[fem]'"
        ) from error
    return ngsolve


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in the plane.

    Args:
        semi_axes: half its length along its own two axes.
        centre: its middle.
        angle: angle from x to its first axis, counter-clockwise, in radians.
    """

    semi_axes: tuple[float, float]
    centre: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The point of the plane to which (x, y) goes when the unit circle goes to the ellipse."""
        (a, b), c, s = self.semi_axes, cos(self.angle), sin(self.angle)
        return self.centre[0] + c * a * x - s * b * y, self.centre[1] + s * a * x + c * b * y

    def level(self, x: Any, y: Any) -> Any:
        """The square of the distance from the centre in units of the ellipse: 1 on it, less inside."""
        c, s = cos(self.angle), sin(self.angle)
        along, across = x - self.centre[0], y - self.centre[1]
        first, second = c * along + s * across, -s * along + c * across
        return (first / self.semi_axes[0]) ** 2 + (second / self.semi_axes[1]) ** 2


def _add_frame(geometry: Any, half: float, ring: float) -> None:
    """Add the edges of a square of half length ``half``, and of a ring of this width around it."""
    ticks = (-half - ring, -half, half, half + ring) if ring else (-half, half)
    n = len(ticks) - 1
    corners = [[geometry.AppendPoint(x, y) for y in ticks] for x in ticks]

    def part(i: int, j: int) -> int:
        """Number of the domain of cell (i, j): 1 the square, 3 a side of the ring, 4 a corner, 0 outside."""
        if not (0 <= i < n and 0 <= j < n):
            return 0
        away = (i != n // 2) + (j != n // 2)
        return (1, 3, 4)[away]

    def edge(start: tuple[int, int], end: tuple[int, int], left: int, right: int, name: str) -> None:
        if left == 0 or right == 1:  # so that the normal, to the right, points out
            start, end, left, right = end, start, right, left
        name = name if left == 1 else "outer" if right == 0 else "seam"
        points = [corners[i][j] for i, j in (start, end)]
        geometry.Append(["line", *points], leftdomain=left, rightdomain=right, bc=name)

    for i in range(n):
        for j in range(n + 1):
            edge((i, j), (i + 1, j), part(i, j), part(i, j - 1), "bottom" if j <= n // 2 else "top")
            edge((j, i), (j, i + 1), part(j - 1, i), part(j, i), "left" if j <= n // 2 else "right")
    for number in (3, 4) if ring else ():
        geometry.SetMaterial(number, "ring")


def square_mesh(
    length: float,
    ellipse: Ellipse,
    size: float,
    order: int,
    ellipse_size: float | None = None,
    hole: bool = False,
    ring: float = 0.0,
) -> Any:
    """Curved triangles of a square about the origin with an ellipse in it, which its edges follow exactly.

    Materials are "outside" and "inside" (of the ellipse; not if it is a hole) and "ring". Boundaries are "left",
    "right", "bottom" and "top" of the square, "ellipse", and "outer" around the ring; normals point out of the square
    and out of the ellipse, also where it is a hole. Elements follow the sides of the square through the ring, where an
    absorbing layer has its kinks.

    Args:
        length: length of the sides of the square.
        size, ellipse_size: size of the elements; and of those inside the ellipse, or of the edges around a hole.
        order: order of the polynomials that describe curved boundaries.
        ring: width of a frame around the square, 0 for none.

    Returns:
        An `ngsolve.Mesh`; the same numbers always give the same one.
    """
    ng = require_ngsolve()
    from netgen.geom2d import SplineGeometry

    geometry = SplineGeometry()
    _add_frame(geometry, length / 2, ring)
    # a quarter of an ellipse is a rational spline whose middle control point is the corner of its box
    turns = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
    points = [geometry.AppendPoint(*ellipse.place(*turn)) for turn in turns]
    fine = {"maxh": ellipse_size} if ellipse_size else {}
    for i in range(0, 8, 2):
        quarter = ["spline3", points[i], points[i + 1], points[(i + 2) % 8]]
        geometry.Append(quarter, leftdomain=0 if hole else 2, rightdomain=1, bc="ellipse", **fine)
    geometry.SetMaterial(1, "outside")
    if not hole:
        geometry.SetMaterial(2, "inside")
        geometry.SetDomainMaxH(2, ellipse_size or size)
    mesh = ng.Mesh(geometry.GenerateMesh(maxh=size))
    mesh.Curve(order)
    return mesh


INSET = 1e-5
"""Share of a length by which points on the side of a part are moved into it: NGSolve finds a point within 1e-7 of two
elements in either of them."""

ON_SIDE = 1e-9
"""Share of a length within which a point is on a side."""


def values_on_grid(
    functions: Sequence[Any],
    mesh: Any,
    grid: Grid,
    materials: Sequence[str] | None = None,
    half: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Values of functions of a mesh at the points of a grid.

    Args:
        functions: coefficient functions or grid functions; those with several components give as many channels.
        mesh: an `ngsolve.Mesh`.
        grid: whose points, in the mesh's unit of length, may lie outside of it.
        materials: parts of the mesh where the functions exist; None if everywhere.
        half: half the side of a square around the origin that these parts fill, if the mesh goes on beyond it. Points
            on its sides belong to both, and are taken inside by `INSET` of it.

    Returns:
        values "channel *space", zero where there is none, complex if a function is; mask "*space", 1.0 or 0.0.
    """
    ng = require_ngsolve()
    columns = [column.numpy().ravel() for column in grid.mesh()]
    if half is not None:
        on_side = [abs(abs(column) - half) <= ON_SIDE * half for column in columns]
        columns = [np.where(on, (1 - INSET) * column, column) for on, column in zip(on_side, columns, strict=True)]
    points = mesh(*columns)
    inside = points["nr"] >= 0
    if materials is not None:
        part = mesh.MaterialCF({name: 1.0 for name in materials}, default=0.0)
        inside[inside] = part(points[inside])[:, 0] > 0.5
    wanted = [ng.CF(function) for function in functions]
    columns = [np.asarray(function(points[inside])).reshape(inside.sum(), function.dim) for function in wanted]
    found = np.concatenate(columns, axis=1)
    values = np.zeros((found.shape[1], len(inside)), dtype=found.dtype)
    values[:, inside] = found.T
    return values.reshape(-1, *grid.shape), inside.astype(float).reshape(grid.shape)


def real_and_imaginary(values: np.ndarray) -> np.ndarray:
    """ "channel *space" complex -> twice as many real channels: real and imaginary part of each in turn.

    >>> real_and_imaginary(np.array([1 + 2j, 3 - 4j])).tolist()
    [1.0, 2.0, 3.0, -4.0]
    """
    return np.stack((values.real, values.imag), axis=1).reshape(-1, *values.shape[1:])
