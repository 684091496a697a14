"""Grids of levels k_0 > k_1 > ... > k_(N-1) > 0 on which samplers work, and the levels at which nets are trained.

The smallest level is an argument of every grid: a field component of variance below about 3 k_min^2 cannot be sampled,
whatever the sampler, and the noise that is left has the standard deviation k_min. A sampler ends with a jump from the
last level to D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.diffusion.paths import Path

Levels = Float[Tensor, "level"]


@dataclass(frozen=True)
class LogLevels:
    """The levels of a method: what it is trained on and where it is sampled, all uniform in ln k.

    Args:
        n: levels of the sampler.
        k_min: smallest noise. Levels far below a net's own error cost training time and gain nothing.
        k_max: largest noise.
    """

    configurable = True

    n: int = 10
    k_min: float = 0.02
    k_max: float = 20.0

    def __post_init__(self):
        _check_range(self.n, self.k_max, self.k_min)

    def grid(self) -> Levels:
        """Return the levels of the sampler, see `log_levels`."""
        return log_levels(self.n, self.k_max, self.k_min)

    def random(self, n: int) -> Float[Tensor, "batch"]:
        """Draw training levels, see `random_levels`."""
        return random_levels(n, self.k_max, self.k_min)

    def share(self, k: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        """Return ln(k / k_min) / ln(k_max / k_min), between 0 and 1: the level as an input of a net."""
        return torch.log(k / self.k_min) / math.log(self.k_max / self.k_min)


def log_levels(n: int, k_max: float = 20.0, k_min: float = 1e-3) -> Levels:
    """Return n levels uniform in ln k: the default for fields whose components differ by orders of magnitude.

    >>> [round(k, 6) for k in log_levels(3, 1.0, 0.01).tolist()]
    [1.0, 0.1, 0.01]
    """
    _check_range(n, k_max, k_min)
    return torch.exp(torch.linspace(math.log(k_max), math.log(k_min), n, dtype=torch.float64))


def power_levels(n: int, k_max: float = 80.0, k_min: float = 2e-3, power: float = 7.0) -> Levels:
    """Return n levels uniform in k^(1/power) (Karras et al. 2022, equation 5, power 7).

    >>> [round(k, 6) for k in power_levels(3, 4.0, 1.0, 2.0).tolist()]
    [4.0, 2.25, 1.0]
    """
    _check_range(n, k_max, k_min)
    root = torch.linspace(k_max ** (1 / power), k_min ** (1 / power), n, dtype=torch.float64)
    return root**power


def path_levels(path: Path, n: int, k_max: float = 20.0, k_min: float = 1e-3) -> Levels:
    """Return n levels uniform in the time of a path, between two levels."""
    _check_range(n, k_max, k_min)
    ends = path.time(torch.tensor([k_max, k_min], dtype=torch.float64))
    levels = path.level(torch.linspace(float(ends[0]), float(ends[1]), n, dtype=torch.float64))
    levels[0], levels[-1] = k_max, k_min
    return levels


def random_levels(n: int, k_max: float = 20.0, k_min: float = 1e-3) -> Float[Tensor, "batch"]:
    """Draw n training levels with ln k uniform, from torch's global generator, in float64.

    The draw is stratified: one level in each of n equal intervals of ln k, in random order, so that a small batch
    covers the range.
    """
    _check_range(n, k_max, k_min)
    share = (torch.randperm(n).double() + torch.rand(n, dtype=torch.float64)) / n
    return torch.exp(math.log(k_min) + share * math.log(k_max / k_min))


def checked_levels(levels: Levels) -> list[float]:
    """Return the levels as numbers.

    Raises:
        ValueError: if they are not finite, positive and falling. A level k = inf (no signal) has no y = z / signal;
            `samplers.ancestral` works in z and takes one.
    """
    values = [float(k) for k in levels]
    falling = all(a > b for a, b in pairwise(values))
    if not values or not falling or not values[-1] > 0 or not math.isfinite(values[0]):
        raise ValueError(
            f"expected finite levels k_0 > k_1 > ... > 0, got {values}; make them with log_levels, or sample a path "
            "whose first level has no signal with samplers.ancestral"
        )
    return values


def _check_range(n: int, k_max: float, k_min: float) -> None:
    if n < 1 or not 0 < k_min < k_max < math.inf:
        raise ValueError(
            f"expected n >= 1 levels and 0 < k_min < k_max < inf, got {n}, k_min {k_min}, k_max {k_max}; "
            "choose e.g. k_min=1e-3, k_max=20"
        )
