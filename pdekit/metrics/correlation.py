"""Pearson correlation over space: rho = <a b> / sqrt(<a^2> <b^2>), a = u - <u>, b = reference - <reference>.

Computed as rho = 1 - (<(a - b)^2> - (|a| - |b|)^2) / (2 |a| |b|) with |a| = sqrt(<a^2>): the same number, exactly 1 for
a field with itself in any precision, and without cancellation where rho is near 1. (The Well divides a biased
covariance by unbiased deviations: 0.875 for eight points with themselves. torch-cfd, jax-cfd and APEBench do not
centre, which flatters every field with a mean.)
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pdekit.metrics.pair import Pair, measure
from pdekit.metrics.quadrature import diverged_as, space_dims


@measure
def correlation(pair: Pair) -> Tensor:
    """Correlation of each field with its reference, -1..1; -inf where the forecast has diverged.

    Components of a vector or complex field are centred each and then correlated jointly. If one of the two is
    constant in space (to rounding) the value is 0, if both are it is 1: neither has a pattern that the other misses.

    >>> from pdekit.fields import Field, Grid, Problem
    >>> problem = Problem(Grid((4,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> u = torch.tensor([[[[1.0, 2.0, 3.0, 2.0]]]])
    >>> correlation(5 + 2 * u, u, problem).item(), round(correlation(-u, u, problem).item(), 6)
    (1.0, -1.0)
    """
    return _pearson(pair, pair.mean_of, pair.joint_mean_of)


@measure
def correlation_all(pair: Pair) -> Tensor:
    """Correlation over all channels and points together, centred once: pdearena's number (Lippe et al. 2023).

    Repeated in every channel, so that it is stored like the others. It means something only where the channels
    share a unit; with one channel it is `correlation`.
    """

    def over_all(values: Tensor) -> Tensor:
        mean = pair.mean_of(values)
        return mean.mean(-1, keepdim=True).expand(mean.shape)

    if len(pair.problem.fields) == 1:
        return correlation.of_pair(pair)
    return _pearson(pair, over_all, over_all)


def _pearson(pair: Pair, mean: Callable[[Tensor], Tensor], over_group: Callable[[Tensor], Tensor]) -> Tensor:
    """rho; the mean squares of the fields themselves tell a constant field from its rounding."""
    n_space = len(space_dims(pair.problem))

    def variation(values: Tensor) -> Tensor:
        found = mean(values)
        return over_group((values - found.reshape(*found.shape, *(1,) * n_space)) ** 2)

    square_e, a, b = variation(pair.error), variation(pair.u).sqrt(), variation(pair.known.u).sqrt()
    rounding = 4 * torch.finfo(a.dtype).eps
    flat_a, flat_b = (
        n.isfinite() & (n <= rounding * over_group(v**2).sqrt()) for n, v in ((a, pair.u), (b, pair.known.u))
    )
    rho = 1 - (square_e - (a - b) ** 2) / (2 * a * b)
    rho = diverged_as(-math.inf, torch.where(square_e.isfinite() & a.isfinite(), rho.clamp(-1, 1), math.nan))
    return torch.where(flat_a | flat_b, (flat_a & flat_b).to(rho.dtype), rho)
