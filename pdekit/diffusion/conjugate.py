"""Conjugate gradients for a batch of linear systems, each with a step length of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def solve_symmetric(
    apply: Callable[[Tensor], Tensor], rhs: Tensor, iterations: int, tolerance: float = 1e-12
) -> Tensor:
    """Return x of apply(x) = rhs by conjugate gradients from x = 0, the iterate of the smallest residual.

    With few iterations that is not always the last one, the one of the smallest energy x^T A x / 2 - rhs^T x, which a
    plain conjugate-gradient loop returns: the residual may rise while the energy falls. With Jacobians of trained nets
    the smallest residual is the safe choice; see `MMPS`.

    A sample rests as soon as its residual is below ``tolerance`` times its right-hand side, or its curvature
    p^T A p is not positive: the Jacobian of a trained net is neither exactly symmetric nor exactly positive.

    Args:
        apply: the symmetric positive operator, "batch ..." to itself.
        rhs: "batch ...".
        iterations: at most; each calls ``apply`` once.
        tolerance: of the residual.
    """
    x = torch.zeros_like(rhs)
    best, residual, direction = x, rhs, rhs
    square = _dot(residual, residual)
    least, goal = square, tolerance**2 * square
    for _ in range(iterations):
        moving = square > goal
        if not bool(moving.any()):
            break
        image = apply(direction)
        curvature = _dot(direction, image)
        moving = moving & (curvature > 0)
        step = torch.where(moving, square / torch.where(moving, curvature, 1), 0)
        x = x + step * direction
        residual = residual - step * image
        before, square = square, torch.where(moving, _dot(residual, residual), 0)
        better = moving & (square < least)
        best, least = torch.where(better, x, best), torch.where(better, square, least)
        direction = residual + torch.where(moving, square / torch.where(moving, before, 1), 0) * direction
    return best


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner product of each sample, "batch 1 ..."."""
    return (a * b).sum(tuple(range(1, a.ndim)), keepdim=True)
