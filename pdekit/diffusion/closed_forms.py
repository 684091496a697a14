"""Distributions whose denoiser is known in closed form: the problems on which samplers are proved and compared."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class GaussianModes:
    """Independent modes x_j ~ N(m_j, v_j): D = m + v (y - m) / (v + k^2).

    Args:
        variance: v, "mode".
        mean: m, broadcastable to it. A small variance is a nearly deterministic conditional, as of one step ahead.
    """

    variance: Tensor
    mean: Tensor | float = 0.0

    def __call__(self, y: Tensor, k: float) -> Tensor:
        """Return D."""
        return self.mean + self.variance / (self.variance + k**2) * (y - self.mean)

    def flow(self, y: Tensor, k: float, finer: float) -> Tensor:
        """Return the exact solution of the probability-flow equation from level k to a finer one (0 is allowed)."""
        return self.mean + torch.sqrt((self.variance + finer**2) / (self.variance + k**2)) * (y - self.mean)

    def endpoint(self, y: Tensor, k: float, k_min: float) -> Tensor:
        """Return D at k_min of the exact solution: what a sampler without error of its own returns."""
        return self(self.flow(y, k, k_min), k_min)


@dataclass(frozen=True)
class IntermittentModes:
    """x_j = sqrt(tau v_j) z_j with one tau for all modes, drawn from a few values of equal probability.

    A field with calm and bursting samples: D = sum_a p_a(y) tau_a v y / (tau_a v + k^2), p_a the posterior of tau_a.

    Args:
        variance: v, "mode".
        scales: the values of tau.
    """

    variance: Tensor
    scales: tuple[float, ...] = (0.25, 1.75)

    def __call__(self, y: Tensor, k: float) -> Tensor:
        """Return D of y "batch mode"."""
        tau = torch.tensor(self.scales, dtype=y.dtype).reshape(-1, 1, 1)
        prior = tau * self.variance
        total = prior + k**2
        log_likelihood = -0.5 * (y.square() / total + torch.log(total)).sum(-1, keepdim=True)
        return (torch.softmax(log_likelihood, 0) * prior / total * y).sum(0)


@dataclass(frozen=True)
class PointMixture:
    """Isotropic Gaussians of standard deviation ``width`` at given centres, with equal weights.

    Args:
        centres: "component dim".
        width: standard deviation of each.
    """

    centres: Tensor
    width: float

    def __call__(self, y: Tensor, k: float) -> Tensor:
        """Return D of y "batch dim"."""
        total = self.width**2 + k**2
        distance = y[:, None] - self.centres
        share = torch.softmax(-0.5 * distance.square().sum(-1) / total, 1)[..., None]
        return (share * (self.centres + self.width**2 / total * distance)).sum(1)
