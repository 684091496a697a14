"""Pointwise errors of e = u - reference: RMSE, nRMSE, VRMSE, MAE and the maximum.

Shapes, quadrature and joint values of vector fields: `pdekit.metrics.quadrature`. A forecast with NaN or Inf
has the error +inf at that time; so does one whose square overflows its floating type.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pdekit.fields import Problem
from pdekit.metrics.quadrature import average, centred, diverged_as, joint, ratio, space_dims


def rmse(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """Root mean square error sqrt(<e^2>), in the unit of the field."""
    return diverged_as(math.inf, average((u - reference) ** 2, problem, mask).sqrt())


def nrmse(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """Normalised RMSE sqrt(<e^2> / <reference^2>) = ||e||_2 / ||reference||_2, one value for each sample and time.

    The reference's mean counts in its norm: for a field with an offset (kelvin) take `vrmse`. Where the whole
    reference is zero, a zero error gives 0 and any other +inf. Differs from torchmetrics' "l2" normalisation,
    which is too small by the square root of the number of values (APEBench sums over channels, we do not).

    >>> from pdekit.fields import Field, Grid
    >>> problem = Problem(Grid((4,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> reference = torch.tensor([[[[3.0, 0.0, 4.0, 0.0]]]])
    >>> nrmse(reference + torch.tensor([0.0, 0.5, 0.0, 0.0]), reference, problem).item()
    0.10000000149011612
    """
    error = joint(average((u - reference) ** 2, problem, mask), problem)
    norm = joint(average(reference**2, problem, mask), problem)
    return diverged_as(math.inf, ratio(error.sqrt(), norm.sqrt()))


def vrmse(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """RMSE over the standard deviation of the reference in space: 1 for a forecast of its mean.

    As in The Well (Ohana et al. 2024), without its additive 1e-7. A reference that is constant in space has no
    scale: a zero error gives 0 and any other +inf.
    """
    error = joint(average((u - reference) ** 2, problem, mask), problem)
    variance = joint(average(centred(reference, problem, mask) ** 2, problem, mask), problem)
    return diverged_as(math.inf, ratio(error.sqrt(), variance.sqrt()))


def mae(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """Mean absolute error <|e|>, in the unit of the field."""
    return diverged_as(math.inf, average((u - reference).abs(), problem, mask))


def max_error(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """Largest absolute error at a grid point, in the unit of the field; it grows with the number of points."""
    error = (u - reference).abs()
    if mask is not None:
        error = torch.where((mask > 0).unsqueeze(1), error, torch.zeros_like(error))
    space = space_dims(problem)
    return diverged_as(math.inf, error.amax(space) if space else error)
