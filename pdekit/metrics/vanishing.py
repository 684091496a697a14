"""Frames at which a reference is zero to rounding, so that no error relative to it is defined.

A field vanishes in a frame where its RMS over space is at most `VANISHING` of its largest RMS over the trajectory: the
velocity of a standing wave at each half period. Its values there are rounding of larger ones, in a reference that is
stored in float32 and in every forecast. The error relative to them would be 1e10 for all models.
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from pdekit.fields import Problem
from pdekit.metrics.quadrature import average, joint

VANISHING = 16 * 2.0**-23
"""Share of a field's largest RMS over the trajectory at which it is zero: 16 roundings of float32, about 1.9e-6."""


def frame_rms(
    u: Float[Tensor, "batch time channel *space"], problem: Problem, mask: Tensor | None = None
) -> Float[Tensor, "batch time channel"]:
    """RMS over space sqrt(<u^2>), jointly for the components of a vector or complex field."""
    return joint(average(u.double().square(), problem, mask), problem).sqrt()


def vanished(
    size: Float[Tensor, "batch time channel"], largest: Float[Tensor, "batch channel"] | None = None
) -> Bool[Tensor, "batch time channel"]:
    """True where a field is zero to rounding in a frame: size <= `VANISHING` largest.

    Args:
        size: from `frame_rms`.
        largest: over the whole trajectory; over the frames of ``size`` if None.

    >>> import torch
    >>> vanished(torch.tensor([[[1.0], [1e-3], [1e-8]]])).flatten().tolist()
    [False, False, True]
    """
    largest = size.amax(1) if largest is None else largest
    return size <= VANISHING * largest.unsqueeze(1)
