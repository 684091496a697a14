"""Pointwise errors of e = u - reference: RMSE, its relative forms, MAE, the maximum, the bias and the boundary.

Shapes, quadrature and joint values of vector fields: `pdekit.metrics.quadrature`. A forecast with NaN or Inf
has the error +inf at that time; so does one whose square overflows float64, in which all squares are added.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pdekit.metrics.pair import Pair, measure
from pdekit.metrics.quadrature import diverged_as, has_edge, joint, ratio


@measure
def rmse(pair: Pair) -> Tensor:
    """Root mean square error sqrt(<e^2>), in the unit of the field."""
    return diverged_as(math.inf, pair.error.square_of_channels.sqrt())


@measure
def nrmse(pair: Pair) -> Tensor:
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
    return diverged_as(math.inf, ratio(pair.error.square.sqrt(), pair.known.square.sqrt()))


@measure
def vrmse(pair: Pair) -> Tensor:
    """RMSE over the standard deviation of the reference in space: 1 for a forecast of its mean.

    As in The Well (Ohana et al. 2024), without its additive 1e-7. A reference that is constant in space has no
    scale: a zero error gives 0 and any other +inf.
    """
    return diverged_as(math.inf, ratio(pair.error.square.sqrt(), pair.known.variation.sqrt()))


@measure
def symmetric_nrmse(pair: Pair) -> Tensor:
    """2 ||e|| / (||u|| + ||reference||), 0..2: 2 where one of the two is zero (APEBench's sRMSE, Koehler et al. 2024).

    >>> import torch
    >>> from pdekit.fields import Field, Grid, Problem
    >>> problem = Problem(Grid((2,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> one = torch.ones(1, 1, 1, 2)
    >>> symmetric_nrmse(0 * one, one, problem).item(), symmetric_nrmse(3 * one, one, problem).item()
    (2.0, 1.0)
    """
    size = pair.forecast.square.sqrt() + pair.known.square.sqrt()
    return diverged_as(math.inf, ratio(2 * pair.error.square.sqrt(), size))


@measure
def mae(pair: Pair) -> Tensor:
    """Mean absolute error <|e|>, in the unit of the field."""
    return diverged_as(math.inf, pair.error.absolute)


@measure
def relative_l1(pair: Pair) -> Tensor:
    """<|e|> / <|reference|>, components of a vector added before they are divided."""
    error, size = (joint(signal.absolute, pair.problem) for signal in (pair.error, pair.known))
    return diverged_as(math.inf, ratio(error, size))


@measure
def max_error(pair: Pair) -> Tensor:
    """Largest absolute error at a grid point, in the unit of the field; it grows with the number of points."""
    return diverged_as(math.inf, pair.error.largest)


@measure
def bias(pair: Pair) -> Tensor:
    """<e>, signed, in the unit of the field; +inf for a diverged forecast.

    Of a conserved field, <e> times the volume is the amount that was made or lost: the root of its mean square over
    samples is PDEBench's cRMSE (`pdekit.metrics.summaries.conserved_rmse`).
    """
    return diverged_as(math.inf, pair.error.mean)


@measure
def boundary_rmse(pair: Pair) -> Tensor:
    """RMSE of the points next to the boundary: the end nodes, or the outermost cells, of the axes that have ends.

    All of them count alike, corners once (PDEBench's bRMSE without its double corners). Where a mask leaves no point
    of the edge the value is NaN, whatever the forecast: it is not defined.
    """
    square = pair.error.square_at_edge
    return torch.where(has_edge(pair.problem, square, pair.mask), diverged_as(math.inf, square.sqrt()), math.nan)
