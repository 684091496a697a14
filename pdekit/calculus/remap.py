"""Cell averages from one grid to another of the same box: integrate a linear reconstruction over the new cells."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def remap(
    u: Float[Tensor, "batch channel *space"], shape: Sequence[int], layout: Sequence[str] | None = None
) -> Float[Tensor, "batch channel *new"]:
    """Cell averages on another number of cells of the same box, cell i centred at point i of its grid.

    Axes are periodic or cells (``layout``, periodic if None). In each old cell the field is taken as linear with the
    slope of `limited_slope`, and integrated over the parts of the new cells, one axis after the other. Sums times cell
    sizes are kept, no new extrema arise, any sizes will do; second order where the field is smooth, first order in the
    cells next to an end.

    >>> remap(torch.tensor([[[1.0, 1.0, 5.0, 5.0]]]), (2,)).tolist()
    [[[2.0, 4.0]]]
    """
    if len(shape) != u.ndim - 2:
        raise ValueError(
            f"expected {u.ndim - 2} sizes, one for each axis of u {tuple(u.shape)}, got {tuple(shape)}; "
            "give one for each axis"
        )
    for axis, (n, where) in enumerate(zip(shape, layout or ("periodic",) * len(shape), strict=True), start=2):
        if where not in ("periodic", "cells"):
            raise ValueError(f"expected periodic axes or cells for averages over cells, got {where}; take cells")
        if n != u.shape[axis]:
            share, moment = (matrix.to(u) for matrix in _overlaps(u.shape[axis], n, where == "periodic"))
            slope = limited_slope(u, axis).movedim(axis, -1)
            if where == "cells":
                slope = torch.cat((0 * slope[..., :1], slope[..., 1:-1], 0 * slope[..., :1]), -1)
            u = (u.movedim(axis, -1) @ share.T + slope @ moment.T).movedim(-1, axis)
    return u


def _overlaps(old: int, new: int, periodic: bool) -> tuple[Tensor, Tensor]:
    """For each (new, old) pair of cells: the share of the new cell that lies in the old one, and that share times the
    mean distance of the common part from the old centre, in old spacings. In units of the box: old cells are
    1/old wide."""
    h, width, first = 1 / old, 1 / new, 0.0 if periodic else 0.5
    centre = (torch.arange(old, dtype=torch.float64) + first) * h
    share = torch.zeros(new, old, dtype=torch.float64)
    moment = torch.zeros_like(share)
    lower = (torch.arange(new, dtype=torch.float64)[:, None] + first - 0.5) * width
    for shift in (-1, 0, 1) if periodic else (0,):  # periodic images of the old cells
        left = torch.maximum(lower, centre + shift - h / 2)
        right = torch.minimum(lower + width, centre + shift + h / 2)
        length = (right - left).clamp_min(0.0)
        share += length / width
        moment += length / width * ((left + right) / 2 - centre - shift) / h
    return share, moment


def limited_slope(u: Tensor, dim: int) -> Tensor:
    """The slope per cell by the monotonized central limiter: the smallest of twice the backward, the central and twice
    the forward difference where all have one sign, else 0.

    >>> limited_slope(torch.tensor([[[0.0, 1.0, 2.0, 6.0]]]), 2).tolist()
    [[[0.0, 1.0, 2.0, 0.0]]]
    """
    forward = torch.roll(u, -1, dim) - u
    backward = torch.roll(forward, 1, dim)
    size = torch.minimum(2 * torch.minimum(forward.abs(), backward.abs()), (forward + backward).abs() / 2)
    return torch.where(forward * backward > 0, torch.sign(forward) * size, torch.zeros_like(u))
