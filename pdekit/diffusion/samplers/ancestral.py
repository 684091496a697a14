"""Ancestral sampling: one step of the reverse chain, q(z_{k+1} | z_k, y)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pdekit.diffusion.chain import Chain
from pdekit.diffusion.samplers.base import Draws


def posterior(chain: Chain, level: int) -> tuple[float, float, float]:
    """(share of y, share of z, standard deviation) of the next finer level given z at ``level`` and clean y.

    With a = signal^2 and the forward step beta = 1 - a_k / a_{k+1}:

        mean = sqrt(a_{k+1}) beta / (1 - a_k) y + sqrt(1 - beta) (1 - a_{k+1}) / (1 - a_k) z
        variance = beta (1 - a_{k+1}) / (1 - a_k)                           ("fixed small")

    Source: Ho et al. (2020), equations 6 and 7.
    """
    signal, sigma = chain.signal[level], chain.sigma[level]
    finer_signal, finer_sigma = chain.signal[level + 1], chain.sigma[level + 1]
    keep = (signal / finer_signal).square()
    # 1 - a_k/a_{k+1} written with variances: no digits are lost where both signals are near one
    beta = (sigma.square() - finer_sigma.square()) / finer_signal.square()
    share_clean = finer_signal * beta / sigma.square()
    share_noisy = torch.sqrt(keep) * (finer_sigma / sigma).square()
    deviation = torch.sqrt(beta) * finer_sigma / sigma
    return float(share_clean), float(share_noisy), float(deviation)


def ancestral_step(chain: Chain, level: int, z: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
    """z at the next finer level, from z at ``level``, the estimate of the clean data and fresh unit noise."""
    share_clean, share_noisy, deviation = posterior(chain, level)
    return share_clean * clean + share_noisy * z + deviation * noise


def ancestral(chain: Chain, denoise: Callable[[Tensor, int], Tensor], noise: Draws) -> Tensor:
    """Return x after the reverse chain from pure noise; no noise follows the last level.

    Args:
        chain: its first level may have no signal, k = inf, which the samplers in (y, k) cannot take.
        denoise: (z, level) -> estimate of the clean data.
        noise: draw 0 is the first state, draw i + 1 follows level i.
    """
    z = noise(0)
    for level in range(len(chain)):
        clean = denoise(z, level)
        if level + 1 < len(chain):
            z = ancestral_step(chain, level, z, clean, noise(level + 1))
    return clean
