"""Layout of an axis, as far as its coordinates and its values state it."""

from __future__ import annotations

from math import pi

import numpy as np

from pdekit.boundaries import Ends, Periodic, boundary_of

EVEN = 1e-3  # of a step: coordinates in files are rounded to float32
NOT_ROUND = 7  # digits from which a number counts as arbitrary
JUMP = 5.0  # a step from the last point to the first that is so many times a usual one is no neighbour's
REPEATED = 1e-6  # the same of a last point that repeats the first up to rounding
LOOKED_AT = 8  # trajectories and frames whose values are looked at


def digits(value: float, step: float) -> int:
    """Return how many significant digits a number, or the number over pi and one more, has within 1e-3 of a step.

    >>> digits(0.25, 0.01), digits(1 / 3, 0.001), digits(2 * pi, 0.01), digits(0.0, 0.1)
    (2, 6, 2, 0)
    """
    tolerance = EVEN * step
    if abs(value) <= tolerance:
        return 0
    for count in range(1, NOT_ROUND):
        if abs(float(f"{value:.{count - 1}e}") - value) <= min(tolerance, 1e-4 * abs(value)):
            return count
        multiple = value / pi
        if abs(float(f"{multiple:.{max(count - 2, 0)}e}") - multiple) <= 1e-6 * abs(multiple):
            return count + (count == 1)
    return NOT_ROUND


def readings(first: float, last: float, step: float) -> dict[str, int]:
    """Return the digits of both ends of the box, for each layout that the points may have.

    >>> readings(0.0, 1.0, 0.1), readings(0.0, 0.9375, 0.0625)
    ({'nodes': 1, 'cells': 4, 'half_open': 2}, {'nodes': 4, 'cells': 8, 'half_open': 1})
    """
    return {
        "nodes": digits(first, step) + digits(last, step),
        "cells": digits(first - step / 2, step) + digits(last + step / 2, step),
        "half_open": digits(first, step) + digits(last + step, step),
    }


def short_decimal(value: float, tolerance: float) -> float:
    """Return the short decimal, or short multiple of pi, that a coordinate was rounded from; else the value itself.

    >>> short_decimal(0.99999994, 1e-6), short_decimal(6.2831855, 1e-6) == 2 * pi, short_decimal(1 / 3, 1e-9) == 1 / 3
    (1.0, True, True)
    """
    for form in (0.0, float(f"{value:.6g}"), float(f"{value / pi:.3g}") * pi):
        if abs(form - value) <= tolerance:
            return form
    return value


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
