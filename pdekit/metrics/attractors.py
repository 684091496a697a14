"""Measures of the set that a system visits: its correlation dimension, and the distance of two invariant measures.

``x`` is "time coordinate", or "batch time coordinate": states of one trajectory, in float64.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.metrics.quadrature import diverged_as
from pdekit.metrics.series import ordered

LARGEST, SMALLEST = 1e-2, 1e-4
"""Shares of pairs between which the slope of the correlation sum is taken."""

FEWEST_PAIRS = 100
"""Pairs that the smallest share must hold at least."""

MOST_STATES = 2048
"""States that take part: time and memory grow with the square."""

LEADING, DIRECTIONS = 8, 128


def correlation_dimension(x: Float[Tensor, "time coordinate"], apart: int = 1, most: int = MOST_STATES) -> float:
    """d ln C(r) / d ln r, C(r) being the share of pairs of states nearer than r (Grassberger and Procaccia 1983).

    The slope is a least-squares fit over radii at which C runs from `SMALLEST` (or what holds `FEWEST_PAIRS`) to
    `LARGEST`, equidistant in ln C. Coordinates are divided by their standard deviations first.

    Args:
        x: states.
        apart: pairs of fewer steps apart are left out (Theiler 1986), they are near because little time has passed:
            a few autocorrelation times.
        most: largest number of states; evenly spaced ones are taken of a longer series.

    Returns:
        The dimension; NaN where the series is too short to tell: with fewer pairs than fill a factor of ten in C, or
        if it exceeds 2 log10(number of states) (Eckmann and Ruelle 1992). +inf for a diverged series.

    >>> angle = 2 * math.pi * torch.rand(1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> round(correlation_dimension(torch.stack([angle.cos(), angle.sin()], 1)), 1)  # a circle
    1.0
    """
    if not bool(x.isfinite().all()):
        return math.inf
    stride = -(-len(x) // most)
    x = x[::stride]
    deviation = x.std(0, correction=0)
    x = x / torch.where(deviation > 0, deviation, torch.ones_like(deviation))
    n, gap = len(x), max(1, -(-apart // stride))
    if n <= gap + 1:
        return math.nan
    first, second = torch.triu_indices(n, n, offset=gap, device=x.device)
    n_pairs = len(first)
    smallest = max(SMALLEST, FEWEST_PAIRS / n_pairs)
    if smallest > LARGEST / 10:
        return math.nan
    distance = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")[first, second]
    near = distance.sort().values[: int(LARGEST * n_pairs)]
    share = torch.logspace(math.log10(smallest), math.log10(LARGEST), 32, dtype=torch.float64, device=x.device)
    radius = near[(share * n_pairs).long().clamp_max(len(near)) - 1]
    if not bool((radius > 0).all()):
        return math.nan if bool((deviation > 0).any()) else 0.0
    log_r, log_c = radius.log(), share.log()
    log_r = log_r - log_r.mean()
    slope = float((log_r * log_c).sum() / (log_r**2).sum())
    return slope if slope <= 2 * math.log10(n) else math.nan


def sliced_wasserstein(
    x: Float[Tensor, "batch time coordinate"], y: Float[Tensor, "batch time coordinate"]
) -> Float[Tensor, "batch"]:
    """Distance of the invariant measures of x and of a reference y, relative to the size of the latter.

    Both are projected on the `LEADING` principal coordinates of y. With a(theta) the states of x along a direction
    theta among them and b(theta) those of y, less the mean of y,

        sum over theta of W_1(a, b) / sum over theta of <|b|>,

    over `DIRECTIONS` fixed directions: 0 if the same states are visited equally often, 0.1 for x = 1.1 y of zero mean.
    The order in time does not matter. Sliced Wasserstein distance: Rabin et al. (2011).
    """
    mean = y.mean(1, keepdim=True)
    a, b = x - mean, y - mean
    finite = a.isfinite().flatten(1).all(1)
    a = torch.where(finite[:, None, None], a, torch.zeros((), dtype=a.dtype, device=a.device))
    axes = torch.linalg.eigh(b.mT @ b).eigenvectors[..., -LEADING:]
    theta = _directions(axes.shape[-1]).to(b)
    along_a, along_b = (ordered((v @ axes @ theta).mT) for v in (a, b))
    size = along_b.abs().sum((1, 2))
    distance = (along_a - along_b).abs().sum((1, 2))
    value = torch.where(distance == 0, torch.zeros_like(distance), distance / size)
    return torch.where(finite, diverged_as(math.inf, value), math.inf)


@lru_cache(maxsize=8)
def _directions(n: int) -> Float[Tensor, "{n} direction"]:
    """Unit vectors, drawn once."""
    theta = torch.randn(n, DIRECTIONS, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return theta / theta.norm(dim=0)
