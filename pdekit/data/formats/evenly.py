"""Grids and times from coordinates in files of others: evenly spaced up to rounding to float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pdekit.fields import Grid
from pdekit.round_ends import EVEN, readings, short_decimal


def step_of(what: str, values: np.ndarray) -> float:
    """Return the distance of neighbours.

    Args:
        what: file and key, for the message.
        values: coordinates or times, "point".

    Raises:
        ValueError: if they are not finite, increasing and evenly spaced, or fewer than two.
    """
    values = np.asarray(values)
    if values.ndim != 1 or len(values) < 2 or values.dtype.kind not in "fiu":
        raise ValueError(
            f"expected two or more numbers in {what}, found shape {values.shape} of {values.dtype}; correct them"
        )
    exact = values.astype(np.float64)
    rounding = 4 * float(np.finfo(np.float32).eps) * float(np.abs(exact).max())
    steps = np.diff(exact)
    step = (exact[-1] - exact[0]) / (len(exact) - 1)
    if not np.isfinite(exact).all() or not (steps > 0).all() or np.abs(steps - step).max() > EVEN * step + rounding:
        raise ValueError(
            f"expected finite, increasing, evenly spaced numbers in {what}, found steps {steps[:3]} to {steps[-1:]}; "
            "resample the data"
        )
    return short_decimal(step, 4 * float(np.finfo(np.float32).eps) * float(np.abs(exact).max()))


def grid_from(file: str, axes: Mapping[str, np.ndarray], layout: Sequence[str | None]) -> Grid:
    """Return the grid of coordinates.

    Args:
        file: name of the file for error messages.
        axes: coordinates by key, in the order x, y, z.
        layout: layout of each axis; None for a bounded one that is cells or nodes, whichever has the rounder ends.

    Raises:
        ValueError: if coordinates are uneven, or fit cells and nodes alike.
    """
    lengths, origins, layouts = [], [], []
    for (key, points), stated in zip(axes.items(), layout, strict=True):
        h, first, last = step_of(f"{key} of {file}", points), float(points[0]), float(points[-1])
        h = (last - first) / (len(points) - 1)
        where = stated
        if where is None:
            digits = readings(first, last, h)
            if digits["nodes"] == digits["cells"]:
                raise ValueError(
                    f"expected coordinates that state nodes or cells in {key} of {file}, found {first:g} to {last:g}; "
                    "load the arrays yourself and give them to pdekit.data.from_arrays"
                )
            where = "nodes" if digits["nodes"] < digits["cells"] else "cells"
        tolerance = EVEN * h
        lengths.append(short_decimal(h * (len(points) - 1 if where == "nodes" else len(points)), tolerance))
        origins.append(short_decimal(first - (h / 2 if where == "cells" else 0.0), tolerance))
        layouts.append(where)
    return Grid(tuple(len(points) for points in axes.values()), tuple(lengths), tuple(origins), tuple(layouts))
