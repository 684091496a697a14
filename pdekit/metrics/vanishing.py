"""Frames at which a reference is zero to rounding, or has faded, so that no error relative to it is defined.

A field vanishes in a frame where its RMS over space is at most a share of its largest RMS over the trajectory.
The share is `ROUNDINGS` times the machine precision of the numbers in which the reference is stored. An example is the
velocity of a standing wave at each half period. Its values there are rounding of larger ones, and the error relative to
them would be 1e10 for all models. A reference in float64 that decays to 1e-8 of its start is well defined.

An equation can declare a larger share for fields that come into the box or leave it (`PDE.fading`): smoke that has left
through an exit but for its last traces. An error relative to such a trace says nothing of a forecast.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdekit.fields import Problem
from pdekit.metrics.quadrature import average, joint

ROUNDINGS = 16
"""A field is zero at so many roundings of its largest RMS: a share of 1.9e-6 in float32, 3.6e-15 in float64."""


def frame_rms(
    u: Float[Tensor, "batch time channel *space"], problem: Problem, mask: Tensor | None = None
) -> Float[Tensor, "batch time channel"]:
    """RMS over space sqrt(<u^2>), jointly for the components of a vector or complex field."""
    return joint(average(u.double().square(), problem, mask), problem).sqrt()


def vanished(
    size: Float[Tensor, "batch time channel"],
    problem: Problem,
    eps: float,
    largest: Float[Tensor, "batch channel"] | None = None,
) -> Bool[Tensor, "batch time channel"]:
    """True where a field is zero to rounding in a frame, or has faded: size <= max(`ROUNDINGS` eps, fading) largest.

    Args:
        size: from `frame_rms`.
        problem: its equation may declare ``fading``.
        eps: machine precision of the numbers in which the field is stored, `pdekit.metrics.sums.rounding_of`.
        largest: over the whole trajectory; over the frames of ``size`` if None.

    >>> import torch
    >>> from pdekit.fields import Field, Grid
    >>> problem = Problem(Grid((4,), (1.0,)), (Field("u"),), dt=1.0, n_frames=3)
    >>> size = torch.tensor([[[1.0], [1e-3], [1e-8]]])
    >>> [vanished(size, problem, torch.finfo(kind).eps).flatten().tolist() for kind in (torch.float32, torch.float64)]
    [[False, False, True], [False, False, False]]
    """
    largest = size.amax(1) if largest is None else largest
    fading = {} if problem.pde is None else problem.pde.fading
    shares = [max(ROUNDINGS * eps, fading.get(field.name, 0.0)) for field in problem.fields]
    return size <= torch.tensor(shares, dtype=size.dtype, device=size.device) * largest.unsqueeze(1)
