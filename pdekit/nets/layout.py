"""Places of the points of an axis: x_i / L = i / n (periodic, half_open), (i + 1/2) / n (cells), i / (n - 1) (nodes).

Nodes include both ends of a bounded axis; a half-open axis is bounded, too, and includes its lower end only.

The words are those of `pdekit.fields.Grid`. A net gets one for each axis, and never a number of points: whatever
depends on the place or on a length is then the same on every grid of a box.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LAYOUTS = ("periodic", "cells", "nodes", "half_open")


def checked_layout(layout: Sequence[str] | None, ndim: int) -> tuple[str, ...]:
    """The layout of each axis; periodic ones for None.

    Raises:
        ValueError: if there is not one for each axis, or one is no layout.
    """
    layout = ("periodic",) * ndim if layout is None else layout
    if len(layout) != ndim or not {*layout} <= {*LAYOUTS}:
        raise ValueError(
            f"expected layout with {ndim} entries, one for each axis, among {LAYOUTS}, got {layout!r}; "
            "give the layout of the problem's grid"
        )
    return tuple(layout)


def axes_of(layout: int | Sequence[str]) -> tuple[str, ...]:
    """Return the layout of each of one to three axes; a number n means n periodic ones.

    Raises:
        ValueError: on another number of axes, or what is no layout.

    >>> axes_of(2)
    ('periodic', 'periodic')
    """
    axes = ("periodic",) * layout if isinstance(layout, int) else layout
    if not 1 <= len(axes) <= 3:
        raise ValueError(f"expected a layout of one to three axes, got {layout!r}; a grid net works on these")
    return checked_layout(axes, len(axes))


def intervals(n: int, layout: str) -> int:
    """Number of point spacings in the length of an axis of n points.

    >>> intervals(29, "nodes"), intervals(28, "cells"), intervals(28, "periodic")
    (28, 28, 28)
    """
    return max(n - 1, 1) if layout == "nodes" else n


def axis_shares(n: int, layout: str, like: Tensor) -> Tensor:
    """The points of an axis as shares of its length, shape (n,), in the precision and on the device of ``like``.

    >>> axis_shares(3, "nodes", torch.zeros(())).tolist(), axis_shares(2, "cells", torch.zeros(())).tolist()
    ([0.0, 0.5, 1.0], [0.25, 0.75])
    """
    i = torch.arange(n, dtype=like.dtype, device=like.device)
    return (i + 0.5 if layout == "cells" else i) / intervals(n, layout)


def for_each_axis(value: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """Return the number of each axis, given as one number for all or one for each.

    >>> for_each_axis(4, 2), for_each_axis([4, 8], 2)
    ((4, 4), (4, 8))
    """
    return (value,) * ndim if isinstance(value, int) else tuple(value)


def modes_of_axes(modes: int | Sequence[int] | str, ndim: int) -> tuple[int, ...]:
    """The highest wavenumber of each axis, given as one number for all or one for each.

    Raises:
        ValueError: on another count, a number below 1, or a word.

    >>> modes_of_axes(4, 2)
    (4, 4)
    """
    if isinstance(modes, str):
        raise ValueError(
            f"expected modes as numbers, got {modes!r}; a configuration may say auto, in Python call "
            "pdekit.models.modes.choose_modes(data.problem, data.calibration_batches())"
        )
    each = for_each_axis(modes, ndim)
    if len(each) != ndim or min(each) < 1:
        raise ValueError(f"expected modes >= 1, one number or one for each of {ndim} axes, got {modes}; correct modes")
    return each


def bounded_coordinates(u: Tensor, layout: Sequence[str]) -> Tensor:
    """Appends to u "batch channel *space" a channel for each bounded axis: the place, from -1 to 1 over the axis.

    Walls make the place matter; a periodic axis gets none, so that a net stays equivariant along it.
    """
    columns = [u]
    for axis, where in enumerate(layout, start=2):
        if where != "periodic":
            line = 2 * axis_shares(u.shape[axis], where, u) - 1
            line = line.reshape([-1 if a == axis else 1 for a in range(u.ndim)])
            columns.append(line.expand(u.shape[0], 1, *u.shape[2:]))
    return torch.cat(columns, 1) if len(columns) > 1 else u
