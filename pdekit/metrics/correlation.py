"""Pearson correlation over space: rho = <a b> / sqrt(<a^2> <b^2>), a = u - <u>, b = reference - <reference>.

Computed by `pdekit.metrics.sums.cosine`: exactly 1 for a field with itself in any precision, without cancellation where
rho is near 1, and right for forecasts 1e-8 or 1e15 times as large as their reference. (The Well divides a biased
covariance by unbiased deviations: 0.875 for eight points with themselves. torch-cfd, jax-cfd and APEBench do not
centre, which flatters every field with a mean.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pdekit.metrics.sums import FieldSums, Sums, cosine, measure


@measure
def correlation(sums: FieldSums) -> Tensor:
    """Correlation of each field with its reference, -1..1; -inf where the forecast has diverged.

    Components of a vector or complex field are centred each and then correlated jointly. If one of the two is
    constant in space (to the rounding of its values) the value is 0, if both are it is 1: neither has a pattern
    that the other misses.

    >>> from pdekit.fields import Field, Grid, Problem
    >>> problem = Problem(Grid((4,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> u = torch.tensor([[[[1.0, 2.0, 3.0, 2.0]]]])
    >>> correlation(5 + 2 * u, u, problem).item(), round(correlation(-u, u, problem).item(), 6)
    (1.0, -1.0)
    """
    product, square_e = sums.joint(sums.covariance), sums.joint(sums.error.variation)
    u, r = ((sums.joint(field.variation), field.flat) for field in (sums.forecast, sums.reference))
    return _pearson(square_e, product, u, r)


@measure
def correlation_all(sums: FieldSums) -> Tensor:
    """Correlation over all channels and points together, centred once: pdearena's number (Lippe et al. 2023).

    Repeated in every channel, so that it is stored like the others. It means something only where the channels
    share a unit; with one channel it is `correlation`.
    """
    if len(sums.problem.fields) == 1:
        return correlation.of_sums(sums)
    u, r = sums.forecast, sums.reference
    product = _over_all(sums.covariance + _apart(u) * _apart(r))
    return _pearson(_varying(sums.error), product, (_varying(u), _flat(u)), (_varying(r), _flat(r)))


def _over_all(of_channels: Tensor) -> Tensor:
    return of_channels.mean(-1, keepdim=True).expand(of_channels.shape)


def _apart(field: Sums) -> Tensor:
    """Means of the channels less that of all."""
    return field.mean - field.mean.mean(-1, keepdim=True)


def _varying(field: Sums) -> Tensor:
    return _over_all(field.variation + _apart(field) ** 2)


def _flat(field: Sums) -> Tensor:
    return _varying(field).sqrt() <= 16 * field.eps * _over_all(field.square).sqrt()


def _pearson(square_e: Tensor, product: Tensor, u: tuple[Tensor, Tensor], r: tuple[Tensor, Tensor]) -> Tensor:
    """rho from the variation of the error, the covariance, and variation and flatness of forecast and reference."""
    (a, flat_a), (b, flat_b) = (u[0].sqrt(), u[1]), (r[0].sqrt(), r[1])
    rho = cosine(square_e, product, a, b)
    rho = torch.where(flat_a | flat_b, (flat_a & flat_b).to(rho.dtype), rho)
    return torch.where((square_e + a).isfinite(), rho, -math.inf)
