"""Layout of an axis, as far as its coordinates and its values state it."""

from __future__ import annotations

import numpy as np

from pdekit.boundaries import Ends, Periodic, boundary_of
from pdekit.round_ends import readings

JUMP = 5.0  # a step from the last point to the first that is so many times a usual one is no neighbour's
REPEATED = 1e-6  # the same of a last point that repeats the first up to rounding
LOOKED_AT = 8  # trajectories and frames whose values are looked at


def jump(values: np.ndarray, axis: int) -> float:
    """Return the difference of the values at both ends of an axis of space over that of neighbours.

    Both are root mean squares. About 1 on a periodic axis whose points are all different, and where values do not vary;
    0 where the last point repeats the first.

    Args:
        values: "sample time channel *space"; a few of the trajectories and frames are read.
        axis: number of the axis of space.
    """
    some = [slice(None, None, max(1, n // LOOKED_AT)) for n in values.shape[:2]]
    line = np.moveaxis(np.asarray(values[tuple(some)], dtype=np.float64), 3 + axis, 0)
    usual = np.sqrt(np.square(np.diff(line, axis=0)).mean())
    if usual == 0 or np.ptp(line[[0, -1]]) == 0:
        return 1.0
    return float(np.sqrt(np.square(line[0] - line[-1]).mean()) / usual)


def layout_of(name: str, points: np.ndarray, ends: Ends | None, leap: float | None) -> str:
    """Return the layout that evenly spaced coordinates state.

    Args:
        name: name of the axis.
        points: its coordinates.
        ends: its boundary conditions; None if unknown.
        leap: `jump` of the values along it; None if unknown.

    Raises:
        ValueError: if coordinates, boundary and values fit more than one layout; the message asks for it.
    """
    if ends is not None and any(boundary_of(end) == Periodic() for end in ends):
        return "periodic"
    first, last = float(points[0]), float(points[-1])
    found = readings(first, last, (last - first) / (len(points) - 1))
    best = [layout for layout, count in found.items() if count == min(found.values())]
    if ends is not None and len(best) == 1:
        return best[0]
    if best == ["half_open"] and (leap is None or leap <= JUMP):
        return "periodic"
    if best == ["cells"] and leap is not None and leap > JUMP:
        return "cells"
    if best == ["nodes"] and (leap is None or leap > REPEATED):
        return "nodes"
    reasons = {
        "half_open": f"values at both ends differ {leap or 0:.3g} times as much as neighbours: periodic or half_open",
        "cells": "cell centres of a box that is bounded (cells) or periodic",
        "nodes": "values at the last point repeat those at the first: drop it if the box is periodic",
    }
    reason = reasons[best[0]] if len(best) == 1 else f"they fit {' and '.join(best)} alike"
    raise ValueError(
        f"expected coordinates {name!r} that state the layout of the axis, found {len(points)} from {first:g} to "
        f"{last:g} ({reason}); give layout= or the attribute 'layout' of the "
        "coordinate: periodic, cells, nodes or half_open"
    )
