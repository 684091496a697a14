"""Measures of an ensemble: how far members are from the reference, and whether they differ as much as they err.

Shared by all: ``u`` is "member batch time channel *space" with at least two members, ``reference`` "batch time channel
*space"; results are "batch time channel", in float64, because squares of 1e20 are no numbers of float32. They are
*fair*: unbiased estimates for an infinite ensemble from a finite one, so that ensembles of different size compare
(Ferro 2014). A diverged member makes the value +inf (-inf for an agreement): an ensemble is as stable as its worst
member.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from pdekit.fields import Problem
from pdekit.metrics.correlation import correlation
from pdekit.metrics.quadrature import average, diverged_as, joint


def crps(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """Continuous ranked probability score <mean |u_m - r| - 1/2 mean over m != n |u_m - u_n|>, in the field's unit.

    The mean absolute error of a forecast that is a distribution: 0 for members that all equal the reference.

    >>> from pdekit.fields import Field, Grid
    >>> problem = Problem(Grid((1,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2)
    >>> u = torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1, 1)
    >>> crps(u, torch.zeros(1, 1, 1, 1), problem).item()
    0.0
    """
    n, u, reference = _members(u), u.double(), reference.double()
    error = (u - reference).abs().mean(0)
    rank = torch.arange(n, dtype=u.dtype, device=u.device).reshape(-1, *[1] * (u.ndim - 1))
    # sum over pairs |u_m - u_n| = sum over the sorted members of (2 i - n + 1) u_i
    spacing = ((2 * rank - (n - 1)) * u.sort(0).values).sum(0) / (n * (n - 1))
    return diverged_as(math.inf, average(error - spacing, problem, mask))


def energy_score(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """mean ||u_m - r|| - 1/2 mean over m != n ||u_m - u_n||, ||v|| = sqrt(<v^2>) jointly over a group's components.

    The CRPS of whole fields, which sees whether members have the right patterns and not only the right values
    (Gneiting and Raftery 2007).
    """
    n, u, reference = _members(u), u.double(), reference.double()

    def norm(v: Tensor) -> Tensor:
        return joint(average(v**2, problem, mask), problem).sqrt()

    pairs = sum(norm(u[i] - u[j]) for i, j in itertools.combinations(range(n), 2))
    return diverged_as(math.inf, norm(u - reference).mean(0) - pairs / (n * (n - 1)))


def spread(u: Tensor, reference: Tensor | None, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """Root of the variance of members about their mean, sqrt(<var u_m>), unbiased; in the unit of the field."""
    _members(u)
    return diverged_as(math.inf, average(u.double().var(0, unbiased=True), problem, mask).sqrt())


def skill(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """RMSE of the mean of the members, in the unit of the field, without what the size of the ensemble adds to it.

    sqrt(<(mean u_m - r)^2> - <var u_m>/n), not less than 0: a reference that is drawn like a member has
    skill^2 = spread^2 in expectation (the factor (n + 1)/n of Fortin et al. 2014 is this one, seen from the other side:
    here each is compared with an infinite ensemble).
    """
    n, u, reference = _members(u), u.double(), reference.double()
    error = average((u.mean(0) - reference) ** 2, problem, mask)
    excess = average(u.var(0, unbiased=True), problem, mask) / n
    return diverged_as(math.inf, (error - excess).clamp_min(0).sqrt())


def agreement(u: Tensor, reference: Tensor | None, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """Mean correlation over pairs of members: its time above a threshold predicts how long the forecast holds.

    Known without a reference; near 1 for a model that has no randomness, however wrong (Lippe et al. 2023).
    """
    pairs = itertools.combinations(u.unbind(0)[: _members(u)], 2)
    return diverged_as(-math.inf, torch.stack([correlation(a, b, problem, mask) for a, b in pairs]).mean(0))


def rank_counts(u: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
    """Rank histogram "channel rank": number of points where r = 0 .. n members lie below the reference.

    Counted over batch, times and points inside the mask. A tie counts as half below. Points with a member that is not
    finite are left out.

    >>> u = torch.tensor([0.0, 1.0, 2.0]).reshape(3, 1, 1, 1, 1)
    >>> rank_counts(u, torch.full((1, 1, 1, 1), 1.5)).tolist()
    [[0.0, 0.0, 1.0, 0.0]]
    """
    n = _members(u)
    rank = ((u < reference).to(u.dtype) + 0.5 * (u == reference).to(u.dtype)).sum(0)
    counted = u.isfinite().all(0) & reference.isfinite()
    if mask is not None:
        counted = counted & (mask > 0).unsqueeze(1)
    counts = []
    for channel in range(u.shape[3]):
        ranks = rank[:, :, channel][counted[:, :, channel]]
        low = ranks.floor().long()
        share = ranks - low
        count = torch.zeros(n + 1, dtype=torch.float64, device=u.device)
        count.index_add_(0, low, (1 - share).double())
        count.index_add_(0, (low + 1).clamp_max(n), share.double())
        counts.append(count)
    return torch.stack(counts)


ENSEMBLE = {function.__name__: function for function in (crps, energy_score, spread, skill, agreement)}
"""Measures of an ensemble by name."""


def _members(u: Tensor) -> int:
    if u.shape[0] < 2:
        raise ValueError(f"expected at least two members, got {u.shape[0]}; set members=8")
    return u.shape[0]
