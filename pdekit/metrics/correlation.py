"""Pearson correlation over space: rho = <a b> / sqrt(<a^2> <b^2>), a = u - <u>, b = reference - <reference>.

Computed as rho = 1 - (<(a - b)^2> - (|a| - |b|)^2) / (2 |a| |b|) with |a| = sqrt(<a^2>): the same number, exactly 1 for
a field with itself in any precision, and without cancellation where rho is near 1. (The Well divides a biased
covariance by unbiased deviations: 0.875 for eight points with themselves. torch-cfd, jax-cfd and APEBench do not
centre, which flatters every field with a mean.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pdekit.metrics.pair import Pair, Signal, measure


@measure
def correlation(pair: Pair) -> Tensor:
    """Correlation of each field with its reference, -1..1; -inf where the forecast has diverged.

    Components of a vector or complex field are centred each and then correlated jointly. If one of the two is
    constant in space (to the rounding of the larger one) the value is 0, if both are it is 1: neither has a pattern
    that the other misses.

    >>> from pdekit.fields import Field, Grid, Problem
    >>> problem = Problem(Grid((4,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> u = torch.tensor([[[[1.0, 2.0, 3.0, 2.0]]]])
    >>> correlation(5 + 2 * u, u, problem).item(), round(correlation(-u, u, problem).item(), 6)
    (1.0, -1.0)
    """
    return _pearson(*((signal.variation, signal.square) for signal in (pair.error, pair.forecast, pair.known)))


@measure
def correlation_all(pair: Pair) -> Tensor:
    """Correlation over all channels and points together, centred once: pdearena's number (Lippe et al. 2023).

    Repeated in every channel, so that it is stored like the others. It means something only where the channels
    share a unit; with one channel it is `correlation`.
    """

    def over_all(signal: Signal) -> tuple[Tensor, Tensor]:
        between = (signal.mean - signal.mean.mean(-1, keepdim=True)) ** 2
        found = (signal.variation_of_channels + between, signal.square_of_channels)
        return tuple(part.mean(-1, keepdim=True).expand(part.shape) for part in found)

    if len(pair.problem.fields) == 1:
        return correlation.of_pair(pair)
    return _pearson(*(over_all(signal) for signal in (pair.error, pair.forecast, pair.known)))


def _pearson(e: tuple[Tensor, Tensor], u: tuple[Tensor, Tensor], r: tuple[Tensor, Tensor]) -> Tensor:
    """rho from the variations of error, forecast and reference; with their squares a constant is told from rounding."""
    square_e, a, b = e[0], u[0].sqrt(), r[0].sqrt()
    rounding = 16 * torch.finfo(a.dtype).eps
    # the spectrum of a forecast is made of that of the reference, and has its rounding too
    flat_a, flat_b = a <= rounding * torch.maximum(u[1], r[1]).sqrt(), b <= rounding * r[1].sqrt()
    rho = (1 - (square_e - (a - b) ** 2) / (2 * a * b)).clamp(-1, 1)
    rho = torch.where(flat_a | flat_b, (flat_a & flat_b).to(rho.dtype), rho)
    return torch.where((square_e + a).isfinite(), rho, -math.inf)
