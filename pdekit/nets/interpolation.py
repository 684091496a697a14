"""Values between the points of a regular grid, by linear interpolation along each axis."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor


def interpolate(
    values: Float[Tensor, "batch channel *space"],
    axes: Sequence[Float[Tensor, "_"]],
    points: Float[Tensor, "point coordinate"],
    periods: Sequence[float | None],
) -> Float[Tensor, "batch channel point"]:
    """Multilinear interpolation: exact at the points of the grid and for linear functions, second order in between.

    Args:
        values: at the points of the grid.
        axes: evenly spaced coordinates of each axis.
        points: points of the values; outside a bounded axis its outermost cell is continued.
        periods: period of each axis, None if it is bounded.

    >>> line = torch.tensor([[[0.0, 1.0, 4.0]]])
    >>> interpolate(line, [torch.tensor([0.0, 0.5, 1.0])], torch.tensor([[0.25], [1.0]]), [None]).tolist()
    [[[0.5, 4.0]]]
    """
    flat = values.flatten(2)
    below, shares, sizes = [], [], []
    for axis, (line, period) in enumerate(zip(axes, periods, strict=True)):
        n = len(line)
        spacing = line[1] - line[0] if n > 1 else torch.ones_like(line[0])
        place = (points[:, axis] - line[0]) / spacing
        # rounding must not move a point of the grid into its neighbour's cell
        near = place.round()
        place = torch.where((place - near).abs() < 1e-4, near, place)
        cell = place.floor() if period is not None else place.floor().clamp(0, max(n - 2, 0))
        below.append(cell.long())
        shares.append((place - cell).to(values) if n > 1 else torch.zeros_like(place).to(values))
        sizes.append((n, period is not None))
    total = torch.zeros((), dtype=values.dtype, device=values.device)
    for corner in product((0, 1), repeat=len(axes)):
        index, weight = torch.zeros_like(below[0]), torch.ones_like(shares[0])
        for step, cell, share, (n, wraps) in zip(corner, below, shares, sizes, strict=True):
            i = cell + step
            index = index * n + (i % n if wraps else i.clamp(0, n - 1))
            weight = weight * (share if step else 1 - share)
        total = total + weight * flat[..., index]
    return total
