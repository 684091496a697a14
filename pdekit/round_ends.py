"""Ends of a box that are round numbers state where the points of an axis lie."""

from __future__ import annotations

from math import pi
from typing import Any

EVEN = 1e-3  # of a step: coordinates in files are rounded to float32
NOT_ROUND = 7  # digits from which a number counts as arbitrary


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


def resized_origin(origin: float, length: Any, n: int, m: int) -> float:
    """Return the first point of a periodic axis of the same box with m points in place of n.

    Points lie at the lower ends of n cells, and the first one stays; or they lie at the centres, if that makes the ends
    of the box rounder, and the first one stays at the centre of its cell. Lengths that are tensors move nothing.

    >>> resized_origin(-1.0, 2.0, 8, 4), resized_origin(-0.875, 2.0, 8, 4), resized_origin(0.0, 50.4, 63, 21)
    (-1.0, -0.75, 0.0)
    """
    if n == m or not isinstance(length, (int, float)):
        return origin
    h = length / n
    lower = short_decimal(origin - h / 2, EVEN * h)
    found = readings(origin, origin + length - h, h)
    if digits(lower, h) > digits(origin, h) or found["cells"] >= found["half_open"]:
        return origin
    return lower + length / m / 2
