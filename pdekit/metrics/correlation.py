"""Pearson correlation over space: rho = <a b> / sqrt(<a^2> <b^2>), a = u - <u>, b = reference - <reference>.

Computed as rho = 1 - <(a/|a| - b/|b|)^2> / 2 with |a| = sqrt(<a^2>): the same number, exactly 1 for a field with
itself in any precision, and without cancellation where rho is near 1. (The Well divides a biased covariance by
unbiased deviations: 0.875 for eight points with themselves. torch-cfd, jax-cfd and APEBench do not centre, which
flatters every field with a mean.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pdekit.fields import Problem
from pdekit.metrics.quadrature import average, centred, diverged_as, joint, space_dims


def correlation(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """Correlation of each field with its reference, -1..1; -inf where the forecast has diverged.

    Components of a vector or complex field are centred each and then correlated jointly. If one of the two is
    constant in space (to rounding) the value is 0, if both are it is 1: neither has a pattern that the other misses.

    >>> from pdekit.fields import Field, Grid
    >>> problem = Problem(Grid((4,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> u = torch.tensor([[[[1.0, 2.0, 3.0, 2.0]]]])
    >>> correlation(5 + 2 * u, u, problem).item(), round(correlation(-u, u, problem).item(), 6)
    (1.0, -1.0)
    """

    def over_group(values: Tensor) -> Tensor:
        return joint(average(values, problem, mask), problem)

    return _pearson(
        centred(u, problem, mask), centred(reference, problem, mask), over_group(u**2), over_group(reference**2),
        over_group, len(space_dims(problem)),
    )  # fmt: skip


def correlation_all(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """Correlation over all channels and points together, centred once: pdearena's number (Lippe et al. 2023).

    Repeated in every channel, so that it is stored like the others. It means something only where the channels
    share a unit; with one channel it is `correlation`.
    """

    def over_all(values: Tensor) -> Tensor:
        return average(values, problem, mask).mean(-1, keepdim=True).expand(*values.shape[: values.ndim - n_space])

    n_space = len(space_dims(problem))
    a, b = (v - over_all(v).reshape(*over_all(v).shape, *(1,) * n_space) for v in (u, reference))
    return _pearson(a, b, over_all(u**2), over_all(reference**2), over_all, n_space)


def _pearson(a: Tensor, b: Tensor, square_u: Tensor, square_reference: Tensor, mean, n_space: int) -> Tensor:
    """rho of centred fields; the mean squares of the fields themselves tell a constant field from its rounding."""
    norm_a, norm_b = mean(a**2).sqrt(), mean(b**2).sqrt()
    rounding = 4 * torch.finfo(a.dtype).eps
    flat_a = norm_a.isfinite() & (norm_a <= rounding * square_u.sqrt())
    flat_b = norm_b.isfinite() & (norm_b <= rounding * square_reference.sqrt())
    a, b = (v / diverged_as(math.nan, n).reshape(*n.shape, *(1,) * n_space) for v, n in ((a, norm_a), (b, norm_b)))
    rho = diverged_as(-math.inf, 1 - mean((a - b) ** 2) / 2)
    return torch.where(flat_a | flat_b, (flat_a & flat_b).to(rho.dtype), rho)
