"""States at the two faces of each cell, from averages over cells: constant, linear with a limited slope, or WENO."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus.remap import limited_slope

Averages = Float[Tensor, "batch channel *space"]
FacePair = tuple[Tensor, Tensor]
"""(lower, upper): the states at the lower and at the upper face of each cell."""

Reconstruct = Callable[[Tensor, int], FacePair]
POSITIVE = 1e-6  # share of the average below which no face state of a positive channel falls


def minmod_slope(u: Averages, dim: int) -> Averages:
    """Return the slope per cell by the minmod limiter: the smaller of both differences, 0 where their signs differ.

    >>> minmod_slope(torch.tensor([[[0.0, 1.0, 3.0, 3.5]]]), 2).tolist()
    [[[0.0, 1.0, 0.5, 0.0]]]
    """
    forward = torch.roll(u, -1, dim) - u
    backward = torch.roll(forward, 1, dim)
    size = torch.minimum(forward.abs(), backward.abs())
    return torch.where(forward * backward > 0, torch.sign(forward) * size, torch.zeros_like(u))


def van_leer_slope(u: Averages, dim: int) -> Averages:
    """Return the slope per cell by van Leer's limiter: the harmonic mean of both differences, 0 where signs differ.

    >>> van_leer_slope(torch.tensor([[[0.0, 1.0, 4.0, 4.5]]]), 2).tolist()
    [[[0.0, 1.5, 0.8571428656578064, 0.0]]]
    """
    forward = torch.roll(u, -1, dim) - u
    backward = torch.roll(forward, 1, dim)
    rising = forward * backward > 0
    total = torch.where(rising, forward + backward, torch.ones_like(u))
    return torch.where(rising, 2 * forward * backward / total, torch.zeros_like(u))


LIMITERS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "mc": limited_slope,
    "minmod": minmod_slope,
    "van_leer": van_leer_slope,
}


def constant(u: Averages, dim: int) -> FacePair:
    """The average of the cell at both faces; first order."""
    return u, u


def muscl(limiter: str) -> Reconstruct:
    """Return the reconstruction that is linear in each cell, with the slope of a limiter; second order."""
    slope = LIMITERS[limiter]

    def linear(u: Averages, dim: int) -> FacePair:
        half = slope(u, dim) / 2
        return u - half, u + half

    return linear


def weno5(u: Averages, dim: int) -> FacePair:
    """Face states of fifth order where u is smooth: three parabolas weighted by their smoothness.

    With the smoothness indicators b_k of Jiang and Shu and tau = |b_0 - b_2|, the weights are proportional to
    d_k (1 + (tau / (b_k + e))^2), where e is the rounding of the sum of the indicators.

    Source: Jiang and Shu (1996), equations 2.16 and 3.2 to 3.4; the weights are those of Borges et al. (2008),
    WENO-Z with power 2. Difference: e is relative, so that a change of units changes nothing.
    """
    left2, left, right, right2 = (torch.roll(u, shift, dim) for shift in (2, 1, -1, -2))
    curved = (left2 - 2 * left + u, left - 2 * u + right, u - 2 * right + right2)
    tilted = (left2 - 4 * left + 3 * u, left - right, 3 * u - 4 * right + right2)
    rough = [13 / 12 * a * a + b * b / 4 for a, b in zip(curved, tilted, strict=True)]
    small = torch.finfo(u.dtype).eps * (rough[0] + rough[1] + rough[2]) + torch.finfo(u.dtype).tiny
    tau = (rough[0] - rough[2]).abs()
    trust = [1 + (tau / (b + small)) ** 2 for b in rough]
    upper = ((2 * left2 - 7 * left + 11 * u) / 6, (-left + 5 * u + 2 * right) / 6, (2 * u + 5 * right - right2) / 6)
    lower = ((-left2 + 5 * left + 2 * u) / 6, (2 * left + 5 * u - right) / 6, (11 * u - 7 * right + 2 * right2) / 6)
    return _blended(lower, trust, (0.3, 0.6, 0.1)), _blended(upper, trust, (0.1, 0.6, 0.3))


def _blended(values: Sequence[Tensor], trust: Sequence[Tensor], ideal: Sequence[float]) -> Tensor:
    """The mean of three values with weights ideal x trust."""
    weights = [share * one for share, one in zip(ideal, trust, strict=True)]
    total = weights[0] + weights[1] + weights[2]
    return (weights[0] * values[0] + weights[1] * values[1] + weights[2] * values[2]) / total


def kept_positive(faces: FacePair, average: Averages, channels: Sequence[int]) -> FacePair:
    """Move both face states of a channel towards the average, until none is below `POSITIVE` of it.

    Args:
        faces: states at the lower and the upper face.
        average: of the cells, positive in these channels.
        channels: numbers of the channels.

    Source: Zhang and Shu (2010), section 2, for each channel of its own.

    >>> faces = torch.tensor([[[-1.0]]]), torch.tensor([[[3.0]]])
    >>> [round(float(face), 5) for face in kept_positive(faces, torch.tensor([[[1.0]]]), [0])]
    [0.0, 2.0]
    """
    share = torch.ones_like(average)
    for channel in channels:
        mean = average[:, channel]
        lowest = torch.minimum(faces[0][:, channel], faces[1][:, channel])
        floor = POSITIVE * mean
        gap = torch.where(lowest < floor, mean - lowest, torch.ones_like(mean))
        share[:, channel] = torch.where(lowest < floor, (mean - floor) / gap, torch.ones_like(mean))
    lower, upper = (torch.where(share < 1, average + share * (face - average), face) for face in faces)
    return lower, upper
