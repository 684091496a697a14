"""Meshes in the order that pdekit keeps: points sorted along x, then y, then z; padding up to one size."""

from __future__ import annotations

import numpy as np


def order_of(points: np.ndarray) -> np.ndarray:
    """Return the numbers of points "point dim" in the order in which they are kept."""
    return np.lexsort(points.T[::-1])


def filled_up(values: np.ndarray, size: int) -> np.ndarray:
    """Return values whose last axis is filled with zeros up to a size.

    >>> filled_up(np.array([[1.0, 2.0]]), 3).tolist()
    [[1.0, 2.0, 0.0]]
    """
    whole = np.zeros((*values.shape[:-1], size), values.dtype)
    whole[..., : values.shape[-1]] = values
    return whole


def corners_of(cells: np.ndarray, order: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the corners of cells among sorted points, filled with -1 up to a number of cells and corners.

    Args:
        cells: numbers of points before they were sorted, "cell corner".
        order: from `order_of`.
        shape: cells and corners with padding.

    Raises:
        ValueError: if a corner is no point.

    >>> corners_of(np.array([[0, 1, 2]]), np.array([2, 0, 1]), (2, 4)).tolist()
    [[1, 2, 0, -1], [-1, -1, -1, -1]]
    """
    if cells.size and (cells.min() < 0 or cells.max() >= len(order)):
        raise ValueError(f"corners from 0 to {len(order) - 1}, found {cells.min()} to {cells.max()}")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    found = np.full(shape, -1, np.int64)
    found[: cells.shape[0], : cells.shape[1]] = place[cells]
    return found
