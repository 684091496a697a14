"""Effect of the coupling between fields, and the share of it that a forecast has captured.

With u the reference, u_0 the solution of the same problem with the coupling cut, and v a forecast,

    effect   = ||u - u_0|| / ||u||                       0: the fields do not feel each other
    captured = <v - u_0, u - u_0> / ||u - u_0||^2        1: all of it, 0: a forecast that ignores the coupling
    relative = ||v - u|| / ||u - u_0||                   1: no better than the uncoupled solution

Norms are averages over space inside the mask; components of a vector and parts of a complex field count together.
A field that the coupling does not touch has effect 0, and no value of the others (NaN). Effect and share are not
defined (NaN) in frames in which u vanishes, see `pdekit.metrics.vanishing`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem
from pdekit.metrics.quadrature import average, joint

# an effect below this is rounding of stored float32 fields
SMALLEST = 1e-6


def coupling_effect(
    reference: Float[Tensor, "batch time channel *space"],
    uncoupled: Float[Tensor, "batch time channel *space"],
    problem: Problem,
    mask: Tensor | None = None,
) -> Float[Tensor, "batch time channel"]:
    """||u - u_0|| / ||u||, see the module."""
    reference, uncoupled = reference.double(), uncoupled.double()
    change = joint(average((reference - uncoupled) ** 2, problem, mask), problem)
    size = joint(average(reference**2, problem, mask), problem)
    return torch.where(change == 0, 0.0, (change / size).sqrt())


def coupling_captured(
    u: Float[Tensor, "batch time channel *space"],
    reference: Float[Tensor, "batch time channel *space"],
    uncoupled: Float[Tensor, "batch time channel *space"],
    problem: Problem,
    mask: Tensor | None = None,
) -> tuple[Float[Tensor, "batch time channel"], Float[Tensor, "batch time channel"]]:
    """(captured, relative), see the module; NaN where there is no effect.

    >>> from pdekit.fields import Field, Grid
    >>> problem = Problem(Grid((2,), (1.0,)), (Field("u"),))
    >>> u, cut = torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[1.0, 1.0]]]])
    >>> [float(part) for part in coupling_captured(0.5 * (u + cut), u, cut, problem)]
    [0.5, 0.5]
    """
    u, reference, uncoupled = u.double(), reference.double(), uncoupled.double()
    change = reference - uncoupled
    size = joint(average(change**2, problem, mask), problem)
    along = joint(average((u - uncoupled) * change, problem, mask), problem)
    error = joint(average((u - reference) ** 2, problem, mask), problem)
    touched = coupling_effect(reference, uncoupled, problem, mask) > SMALLEST
    relative = (error / size).sqrt()
    # a forecast that diverged has captured nothing, infinitely wrongly
    finite = torch.isfinite(relative)
    captured = torch.where(finite, along / size, -torch.inf)
    relative = torch.where(finite, relative, torch.inf)
    return torch.where(touched, captured, torch.nan), torch.where(touched, relative, torch.nan)
