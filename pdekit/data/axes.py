"""Grid and time step of coordinates; an option that contradicts them is refused."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from pdekit.boundaries import Ends, sides_of
from pdekit.data.ends import JUMP, jump, layout_of
from pdekit.data.given import Given
from pdekit.fields import AXES, LAYOUTS, Grid
from pdekit.round_ends import short_decimal

TOLERANCE = 1e-3  # of a spacing; coordinates are often stored in float32


def spacing(values: np.ndarray, name: str) -> float:
    """Distance of neighbours.

    Raises:
        ValueError: if they are not evenly spaced and increasing.
    """
    steps = np.diff(values)
    if not np.isfinite(values).all() or not (steps > 0).all() or np.ptp(steps) > 2 * TOLERANCE * steps.mean():
        raise ValueError(
            f"expected evenly spaced, increasing coordinates {name!r}, got steps from {steps.min():.6g} to "
            f"{steps.max():.6g}; resample or sort them"
        )
    return float((values[-1] - values[0]) / len(steps))


def grid_of(
    given: Given,
    extent: Sequence[float] | None,
    origin: Sequence[float],
    layout: Sequence[str],
    boundary: Sequence[Ends],
) -> Grid:
    """The grid of a split: of its coordinates where it has them, with which the options must agree.

    Raises:
        ValueError: if the points of the grid that the options describe are not those of the coordinates.
    """
    shape = given.values.shape[3:]
    for name, entries in (("layout", layout), ("boundary", boundary), ("origin", origin)):
        if entries and len(entries) != len(shape):
            raise ValueError(
                f"expected {name} with one entry for each of {len(shape)} axes, got {entries!r}; "
                f"give {len(shape)} entries"
            )
    stated = [entry for entry in given.layout if entry is not None]
    taken = tuple(layout) or (given.layout if len(stated) == len(shape) else _layout(given, boundary))
    if len(stated) == len(shape) and taken != given.layout:
        raise ValueError(f"expected the layout {given.layout} that the coordinates state, got {taken}; leave one out")
    chosen = tuple(str(entry) for entry in taken)
    for entry in chosen:
        if entry not in LAYOUTS:
            raise ValueError(f"expected a layout among {LAYOUTS}, got {entry!r}; correct layout=")
    sides_of(boundary, chosen, AXES)
    if given.axes is None or min(shape, default=0) < 2:
        if extent is None:
            raise ValueError("expected the lengths of the box, got none; give extent=(Lx, ...)")
        return Grid(shape, tuple(extent), tuple(origin), chosen)
    lengths, ends = [], []
    for name, values, entry in zip(AXES, given.axes, chosen, strict=False):
        h = spacing(values, name)
        rounding = 4 * float(np.finfo(values.dtype).eps * abs(values).max())
        lower = short_decimal(float(values[0]) - (h / 2 if entry == "cells" else 0.0), rounding)
        n = len(values) - 1 if entry == "nodes" else len(values)
        lengths.append(short_decimal(h * n, len(values) * rounding))
        ends.append(lower)
    found = Grid(shape, tuple(lengths), tuple(ends), chosen)
    if extent is None and not origin:
        return found
    wanted = Grid(shape, tuple(extent or found.extent), tuple(origin or found.origin), chosen)
    check_points(wanted, given.axes)
    return wanted


def _layout(given: Given, boundary: Sequence[Ends]) -> tuple[str, ...]:
    """The layout that coordinates and values state; periodic without coordinates, with a warning if values jump."""
    shape = given.values.shape[3:]
    if min(shape, default=0) < 2:
        return ("periodic",) * len(shape)
    leaps = [None if given.mask is not None else jump(given.values, axis) for axis in range(len(shape))]
    if given.axes is not None:
        for name, points in zip(AXES, given.axes, strict=False):
            spacing(points, name)
        ends = tuple(boundary) or (None,) * len(shape)
        return tuple(layout_of(*entry) for entry in zip(AXES, given.axes, ends, leaps, strict=False))
    far = [f"{name} ({leap:.3g} times)" for name, leap in zip(AXES, leaps, strict=False) if leap and leap > JUMP]
    if far:
        warnings.warn(
            f"the box is taken as periodic, but values at both ends of {', '.join(far)} differ more than neighbours "
            "do; if the box is bounded, give layout= (nodes, cells or half_open for each axis)",
            stacklevel=6,
        )
    return ("periodic",) * len(shape)


def check_points(grid: Grid, axes: Sequence[np.ndarray]) -> None:
    """Raise ValueError if coordinates are not the points of a grid."""
    for i, (name, values) in enumerate(zip(AXES, axes, strict=False)):
        expected = grid.coordinates(i).numpy()
        if len(values) != len(expected) or abs(values - expected).max() > TOLERANCE * grid.spacing[i]:
            raise ValueError(
                f"expected {len(expected)} coordinates {name!r} from {expected[0]:g} to {expected[-1]:g} (layout "
                f"{grid.layout[i]!r}, extent {grid.extent[i]:g}, origin {grid.origin[i]:g}), found {len(values)} from "
                f"{values[0]:g} to {values[-1]:g}; correct extent, origin and layout (points i/n of "
                "a bounded box are half_open), or leave extent and origin out"
            )


def times_of(given: Given, dt: float | None) -> tuple[float | None, np.ndarray, np.ndarray | None]:
    """(time step, times "sample time", steps "sample" where they differ from trajectory to trajectory).

    Raises:
        ValueError: if times are uneven, or not ``dt`` apart.
    """
    n, n_frames = given.values.shape[:2]
    if given.times is None or n_frames == 1:
        first = np.zeros(n) if given.times is None else np.broadcast_to(given.times, (n, 1))[:, 0]
        return dt, first[:, None] + np.arange(n_frames) * (dt or 0.0), None
    times = np.broadcast_to(given.times, (n, n_frames))
    steps = np.array([spacing(row, "time") for row in times])
    differ = np.ptp(steps) > TOLERANCE * steps.mean()
    if dt is not None and not differ and abs(steps - dt).max() > TOLERANCE * dt:
        raise ValueError(f"expected times dt = {dt:g} apart, found {steps[0]:g}; correct dt= or leave it out")
    if differ and dt is None:
        dt = float(steps.mean())
    return float(steps[0]) if dt is None else dt, times.copy(), steps if differ else None
