"""A first frame that is drawn on the page: smooth bumps that are added to a state of the test split."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem
from pdekit.plain import is_list_of, is_number, is_whole

MOST_STROKES = 200
"""Of a drawing; a request of that many has less than the bytes that the server accepts."""


@dataclass(frozen=True)
class Stroke:
    """A bump height exp(-d^2 / (2 radius^2)) of one field.

    Args:
        field: its number.
        x, y: place as shares of the box, from 0 to 1.
        radius: as a share of the shorter side of the box.
        height: in the unit of the field.
    """

    field: int
    x: float
    y: float
    radius: float
    height: float


def strokes_of(value: Any) -> list[Stroke]:
    """Return the strokes of a request: rows of field, x, y, radius and height.

    Raises:
        ValueError: on anything else, a place outside the box, a radius beyond 0 to 1, or too many strokes.
    """
    if not is_list_of(value, _is_row) or len(value) > MOST_STROKES:
        raise ValueError(
            f"expected a list of at most {MOST_STROKES} strokes, each a field number, x, y, radius and height, found "
            "something else; draw again, or fewer"
        )
    found = []
    for row in value:
        stroke = Stroke(*row)
        if not (0 <= stroke.x <= 1 and 0 <= stroke.y <= 1 and 0 < stroke.radius <= 1):
            raise ValueError(f"expected x and y from 0 to 1 and a radius above 0 and up to 1, found {row}; correct it")
        found.append(stroke)
    return found


def _is_row(value: Any) -> bool:
    return is_list_of(value, _is_finite) and len(value) == 5 and is_whole(value[0])


def _is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)


def can_draw(problem: Problem, history: int) -> bool:
    """True if a forecast needs one frame with two axes."""
    return problem.ndim == 2 and history == 1


def with_strokes(u: Float[Tensor, "channel *space"], strokes: list[Stroke], problem: Problem) -> Tensor:
    """Return a frame with the strokes added. Distances go around periodic axes.

    Raises:
        ValueError: if a stroke is of a field that the problem does not have.
    """
    extent = problem.grid.extent
    u = u.clone()
    for stroke in strokes:
        if not 0 <= stroke.field < problem.n_channels:
            raise ValueError(
                f"expected a field from 0 to {problem.n_channels - 1}, got {stroke.field}; choose one of these"
            )
        square = torch.zeros(())
        for axis, share in enumerate((stroke.x, stroke.y)):
            length, places = float(extent[axis]), problem.grid.coordinates(axis)
            away = (places - share * length).abs()
            if problem.grid.layout[axis] == "periodic":
                away = torch.minimum(away, length - away)
            square = square[..., None] + away.square() if axis else away.square()
        radius = stroke.radius * float(min(extent[:2]))
        u[stroke.field] += (stroke.height * torch.exp(-square / (2 * radius**2))).to(u)
    return u
