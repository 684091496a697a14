"""Noise paths: shares of clean data and noise, z = signal x + sigma e, as functions of k = sigma / signal.

A path is fixed by signal(k); sigma = k signal. Its own time t in [0, 1] enters only where levels are spaced evenly in
t, or a published schedule is compared with.

| path              | signal            | k(t)                                        |
|-------------------|-------------------|---------------------------------------------|
| LinearPath        | 1 / sqrt(1 + k^2) | sqrt(exp(b_0 t + (b_1 - b_0) t^2 / 2) - 1)  |
| CosinePath        | 1 / sqrt(1 + k^2) | tan(pi t / 2)                               |
| ExplodingPath     | 1                 | t k_max                                     |
| FlowPath          | 1 / (1 + k)       | t / (1 - t)                                 |
| ResidualPath      | 1 - t             | kappa sqrt(t) / (1 - t)                     |

The first two preserve the variance of unit-variance data. The cosine path, the flow path and the path of a residual
reach k = inf at t = 1.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


class Path(ABC):
    """A Gaussian noise path. Levels and times are tensors of any shape; float64 keeps small levels exact."""

    @abstractmethod
    def signal(self, k: Tensor) -> Tensor:
        """Return the share of the clean data at level k."""

    @abstractmethod
    def level(self, t: Tensor) -> Tensor:
        """Return k at the path's own time t in [0, 1]."""

    @abstractmethod
    def time(self, k: Tensor) -> Tensor:
        """Return the path's own time of level k, the inverse of `level`."""

    def sigma(self, k: Tensor) -> Tensor:
        """Return the standard deviation of the noise at level k."""
        return k * self.signal(k)


@dataclass(frozen=True)
class LinearPath(Path):
    """The variance-preserving path with a linear noise rate (Song et al. 2021, equation 33).

    Args:
        rate_min: noise rate b_0 at t = 0.
        rate_max: noise rate b_1 at t = 1.
    """

    rate_min: float = 0.1
    rate_max: float = 20.0

    def signal(self, k: Tensor) -> Tensor:
        return torch.rsqrt(1 + k.square())

    def level(self, t: Tensor) -> Tensor:
        return torch.sqrt(torch.expm1(self.rate_min * t + 0.5 * (self.rate_max - self.rate_min) * t.square()))

    def time(self, k: Tensor) -> Tensor:
        slope, growth = self.rate_max - self.rate_min, torch.log1p(k.square())
        # the root of the quadratic in the form that does not cancel for small k
        return 2 * growth / (self.rate_min + torch.sqrt(self.rate_min**2 + 2 * slope * growth))


@dataclass(frozen=True)
class CosinePath(Path):
    """The variance-preserving path signal = cos(pi t / 2) (Nichol and Dhariwal 2021, without their offset of 0.008)."""

    def signal(self, k: Tensor) -> Tensor:
        return torch.rsqrt(1 + k.square())

    def level(self, t: Tensor) -> Tensor:
        return torch.tan(0.5 * math.pi * t)

    def time(self, k: Tensor) -> Tensor:
        return 2 / math.pi * torch.atan(k)


@dataclass(frozen=True)
class ExplodingPath(Path):
    """The variance-exploding path z = x + k e (Song et al. 2021; Karras et al. 2022).

    Args:
        k_max: the level at t = 1.
    """

    k_max: float = 80.0

    def signal(self, k: Tensor) -> Tensor:
        return torch.ones_like(k)

    def level(self, t: Tensor) -> Tensor:
        return self.k_max * t

    def time(self, k: Tensor) -> Tensor:
        return k / self.k_max


@dataclass(frozen=True)
class FlowPath(Path):
    """The straight path z = (1 - t) x + t e of flow matching (Lipman et al. 2023; Liu et al. 2023)."""

    def signal(self, k: Tensor) -> Tensor:
        return 1 / (1 + k)

    def level(self, t: Tensor) -> Tensor:
        return t / (1 - t)

    def time(self, k: Tensor) -> Tensor:
        return k / (1 + k)


@dataclass(frozen=True)
class ResidualPath(Path):
    """The path of the residual x - r on `ShiftedPath` with sigma = kappa sqrt(eta), for every k.

    z - r = (1 - eta) (x - r) + kappa sqrt(eta) e, so that signal = 1 - eta and k = kappa sqrt(eta) / (1 - eta). Its
    own time is eta.

    Args:
        noise: kappa, standard deviation of the noise at eta = 1, in units of the residual.

    Raises:
        ValueError: if it is not positive.
    """

    noise: float = 2.0

    def __post_init__(self):
        if not 0 < self.noise < math.inf:
            raise ValueError(f"expected noise > 0, in units of the residual, got {self.noise}; try noise=2")

    def signal(self, k: Tensor) -> Tensor:
        return 1 - self.time(k)

    def level(self, t: Tensor) -> Tensor:
        return self.noise * torch.sqrt(t) / (1 - t)

    def time(self, k: Tensor) -> Tensor:
        # the root of k eta + kappa sqrt(eta) - k = 0 in the form that does not cancel for small k
        return (2 * k / (self.noise + torch.sqrt(self.noise**2 + 4 * k.square()))).square()


@dataclass(frozen=True)
class ShiftedPath:
    """Residual diffusion: z_i = x + eta_i (r - x) + sigma_i e, from the data x to a reference r with noise.

    r is a coarse solver's or a deterministic net's forecast. In the core's coordinate, y = (z - eta r) / (1 - eta) and
    k = sigma / (1 - eta), so that y = x + k e and every sampler applies. Covers ResShift (Yue et al. 2023, with sigma =
    kappa sqrt(eta), see `shifting_path`), RDDM (Liu et al. 2024) and mean-reverting equations.

    Args:
        eta: share of the reference at each level, in [0, 1), coarse to fine.
        sigma: standard deviation of the noise at each level.
    """

    eta: Tensor
    sigma: Tensor

    def __post_init__(self):
        if bool((self.eta < 0).any()) or bool((self.eta >= 1).any()):
            raise ValueError(f"expected shares eta in [0, 1), got {self.eta.tolist()}; end just below 1, e.g. at 0.99")

    @property
    def levels(self) -> Tensor:
        """k of each level."""
        return self.sigma / (1 - self.eta)

    def noisy(self, clean: Tensor, reference: Tensor, noise: Tensor, i: int) -> Tensor:
        """Return z at level i."""
        eta, sigma = float(self.eta[i]), float(self.sigma[i])
        return clean + eta * (reference - clean) + sigma * noise

    def to_core(self, z: Tensor, reference: Tensor, i: int) -> Tensor:
        """Return y of z at level i."""
        eta = float(self.eta[i])
        return (z - eta * reference) / (1 - eta)

    def from_core(self, y: Tensor, reference: Tensor, i: int) -> Tensor:
        """Return z of y at level i."""
        eta = float(self.eta[i])
        return (1 - eta) * y + eta * reference


def shifting_path(
    n_levels: int, noise: float = 2.0, root_min: float = 0.04, root_max: float = 0.99, power: float = 0.3
) -> ShiftedPath:
    """Return the schedule of ResShift: sqrt(eta_j) = s_1 (s_T / s_1)^(u^power) with u = j / (T - 1), coarse to fine.

    Args:
        n_levels: T, at least 2.
        noise: kappa, standard deviation of the noise in units of sqrt(eta).
        root_min: s_1 is the smaller of this and ``root_min / noise``.
        root_max: s_T, below one.
        power: exponent of the spacing of the levels.
    """
    u = torch.linspace(0, 1, n_levels, dtype=torch.float64)
    first = min(root_min / noise, root_min)
    root = (first * (root_max / first) ** u**power).flip(0)
    return ShiftedPath(root.square(), noise * root)
