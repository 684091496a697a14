"""Chains: tables of (signal, sigma) for nets that are trained at a few levels only, z = signal x + sigma e.

Levels count *refinement*: level 0 is the coarsest (most noise) and the last level the finest. The first level may
have no signal at all (k = inf). Tables are computed in float64, because 1 - signal^2 of a fine level is lost in
float32 (4e-7 becomes 4.17e-7).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Chain:
    """Shares of clean data and noise at a few levels.

    Args:
        signal: share of the clean data at each level, coarse to fine.
        sigma: standard deviation of the noise at each level.
    """

    signal: Float[Tensor, "level"]
    sigma: Float[Tensor, "level"]

    def __len__(self) -> int:
        return len(self.sigma)

    def at(self, level: Int[Tensor, "batch"], like: Tensor) -> tuple[Tensor, Tensor]:
        """(signal, sigma) of each sample's level, shaped to broadcast over ``like`` "batch ..."."""
        shape = (-1,) + (1,) * (like.ndim - 1)
        return tuple(table.to(like)[level].reshape(shape) for table in (self.signal, self.sigma))

    def noisy(self, clean: Tensor, noise: Tensor, level: Int[Tensor, "batch"]) -> Tensor:
        """z = signal y + sigma e."""
        signal, sigma = self.at(level, clean)
        return signal * clean + sigma * noise

    def velocity(self, clean: Tensor, noise: Tensor, level: Int[Tensor, "batch"]) -> Tensor:
        """v = signal e - sigma y, the target of a network that predicts velocities (Salimans and Ho, 2022)."""
        signal, sigma = self.at(level, clean)
        return signal * noise - sigma * clean

    def clean_from_velocity(self, z: Tensor, velocity: Tensor, level: Int[Tensor, "batch"]) -> Tensor:
        """y = signal z - sigma v; exact on a variance-preserving chain, where signal^2 + sigma^2 = 1."""
        signal, sigma = self.at(level, z)
        return signal * z - sigma * velocity


def geometric_sigmas(n_steps: int, sigma_min: float) -> Float[Tensor, "level"]:
    """sigma_k = sigma_min^(k/K) for k = 0 ... K, in float64; a single 1 for K = 0.

    Source: Lippe et al. (2023), PDE-Refiner, section 3.1.

    >>> geometric_sigmas(2, 0.01).tolist()
    [1.0, 0.1, 0.01]
    """
    if not 0 < sigma_min < 1:
        raise ValueError(f"expected 0 < sigma_min < 1 (a standard deviation), got {sigma_min}; choose e.g. 1e-3")
    if n_steps < 0:
        raise ValueError(f"expected a number of refinement steps >= 0, got {n_steps}; choose e.g. 3")
    exponents = torch.arange(n_steps + 1, dtype=torch.float64) / max(n_steps, 1)
    return torch.tensor(sigma_min, dtype=torch.float64) ** exponents


def variance_preserving(betas: Float[Tensor, "level"]) -> Chain:
    """The chain of a forward process whose steps, *fine to coarse*, add the variances ``betas`` (Ho et al., 2020).

    signal_j^2 = prod_{i <= j} (1 - beta_i). The result is ordered coarse to fine.

    >>> chain = variance_preserving(torch.tensor([0.19, 1.0], dtype=torch.float64))
    >>> [round(s, 6) for s in chain.signal.tolist()]
    [0.0, 0.9]
    """
    betas = betas.to(torch.float64)
    # log1p keeps the digits of 1 - signal^2 where beta is tiny; a last beta of 1 gives exp(-inf) = 0
    log_signal2 = torch.cumsum(torch.log1p(-betas), 0)
    return Chain(torch.exp(0.5 * log_signal2).flip(0), torch.sqrt(-torch.expm1(log_signal2)).flip(0))


def refinement_chain(n_steps: int, sigma_min: float) -> Chain:
    """The variance-preserving chain of PDE-Refiner's released form: beta_k = sigma_min^(2 k/K).

    The smallest noise has the standard deviation ``sigma_min``; the code's ``min_noise_std`` is its square.
    Source: Lippe et al. (2023), implementation in pdearena; the cumulative product is taken in float64.

    >>> [float(f"{s:.4g}") for s in refinement_chain(3, 4e-7**0.5).sigma]
    [1.0, 0.08615, 0.007395, 0.0006325]
    """
    return variance_preserving(geometric_sigmas(n_steps, sigma_min).square().flip(0))
