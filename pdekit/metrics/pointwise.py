"""Pointwise errors of e = u - reference: RMSE, its relative forms, MAE, the maximum, the bias and the boundary.

Shapes, quadrature and joint values of vector fields: `pdekit.metrics.quadrature`. A forecast with NaN or Inf
has the error +inf at that time; so does one whose square overflows float64, in which all squares are added.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pdekit.metrics.quadrature import diverged_as, edge_average, has_edge, ratio
from pdekit.metrics.sums import FieldSums, measure


@measure
def rmse(sums: FieldSums) -> Tensor:
    """Root mean square error sqrt(<e^2>), in the unit of the field."""
    return diverged_as(math.inf, sums.error.square.sqrt())


@measure
def nrmse(sums: FieldSums) -> Tensor:
    """Normalised RMSE sqrt(<e^2> / <reference^2>) = ||e||_2 / ||reference||_2, one value for each sample and time.

    Also called the relative L2 error. The reference's mean counts in its norm: for a field with an offset (kelvin) take
    `vrmse`. Where the whole reference is zero, a zero error gives 0 and any other +inf. Differs from torchmetrics' "l2"
    normalisation, which is too small by the square root of the number of values (APEBench sums over channels, we do
    not).

    >>> import torch
    >>> from pdekit.fields import Field, Grid, Problem
    >>> problem = Problem(Grid((4,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> reference = torch.tensor([[[[3.0, 0.0, 4.0, 0.0]]]])
    >>> nrmse(reference + torch.tensor([0.0, 0.5, 0.0, 0.0]), reference, problem).item()
    0.1
    """
    error, size = (sums.joint(field.square).sqrt() for field in (sums.error, sums.reference))
    return diverged_as(math.inf, ratio(error, size))


@measure
def vrmse(sums: FieldSums) -> Tensor:
    """RMSE over the standard deviation of the reference in space: 1 for a forecast of its mean.

    As in The Well (Ohana et al. 2024), without its additive 1e-7. A reference that is constant in space has no
    scale: a zero error gives 0 and any other +inf.
    """
    error, deviation = sums.joint(sums.error.square).sqrt(), sums.joint(sums.reference.variation).sqrt()
    return diverged_as(math.inf, ratio(error, deviation))


@measure
def symmetric_nrmse(sums: FieldSums) -> Tensor:
    """2 ||e|| / (||u|| + ||reference||), 0..2: 2 where one of the two is zero (APEBench's sRMSE, Koehler et al. 2024).

    >>> import torch
    >>> from pdekit.fields import Field, Grid, Problem
    >>> problem = Problem(Grid((2,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> one = torch.ones(1, 1, 1, 2)
    >>> symmetric_nrmse(0 * one, one, problem).item(), symmetric_nrmse(3 * one, one, problem).item()
    (2.0, 1.0)
    """
    error, u, r = (sums.joint(field.square).sqrt() for field in (sums.error, sums.forecast, sums.reference))
    return diverged_as(math.inf, ratio(2 * error, u + r))


@measure
def mae(sums: FieldSums) -> Tensor:
    """Mean absolute error <|e|>, in the unit of the field."""
    return diverged_as(math.inf, sums.error.absolute)


@measure
def relative_l1(sums: FieldSums) -> Tensor:
    """<|e|> / <|reference|>, components of a vector added before they are divided."""
    error, size = (sums.joint(field.absolute) for field in (sums.error, sums.reference))
    return diverged_as(math.inf, ratio(error, size))


@measure
def max_error(sums: FieldSums) -> Tensor:
    """Largest absolute error at a grid point, in the unit of the field; it grows with the number of points."""
    return diverged_as(math.inf, sums.error.largest)


@measure
def bias(sums: FieldSums) -> Tensor:
    """<e>, signed, in the unit of the field; +inf for a diverged forecast.

    Of a conserved field, <e> times the volume is the amount that was made or lost: the root of its mean square over
    samples is PDEBench's cRMSE (`pdekit.metrics.summaries.conserved_rmse`).
    """
    return diverged_as(math.inf, sums.error.mean)


@measure
def boundary_rmse(sums: FieldSums) -> Tensor:
    """RMSE of the points next to the boundary: the end nodes, or the outermost cells, of the axes that have ends.

    All of them count alike, corners once (PDEBench's bRMSE without its double corners). Where a mask leaves no point
    of the edge the value is NaN, whatever the forecast: it is not defined.
    """
    square = edge_average(sums.error.u.square(), sums.problem, sums.mask)
    there = has_edge(sums.problem, square, sums.mask)
    return torch.where(there, diverged_as(math.inf, square.sqrt()), math.nan)
