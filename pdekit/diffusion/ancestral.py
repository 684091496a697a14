"""Ancestral sampling: one step of the reverse chain, q(z_{k+1} | z_k, y)."""

from __future__ import annotations

import torch
from torch import Tensor

from pdekit.diffusion.paths import Path


def posterior(path: Path, level: int) -> tuple[float, float, float]:
    """(share of y, share of z, standard deviation) of the next finer level given z at ``level`` and clean y.

    With a = signal^2 and the forward step beta = 1 - a_k / a_{k+1}:

        mean = sqrt(a_{k+1}) beta / (1 - a_k) y + sqrt(1 - beta) (1 - a_{k+1}) / (1 - a_k) z
        variance = beta (1 - a_{k+1}) / (1 - a_k)                           ("fixed small")

    Source: Ho et al. (2020), equations 6 and 7.
    """
    signal, sigma = path.signal[level], path.sigma[level]
    finer_signal, finer_sigma = path.signal[level + 1], path.sigma[level + 1]
    keep = (signal / finer_signal).square()
    # 1 - a_k/a_{k+1} written with variances: no digits are lost where both signals are near one
    beta = (sigma.square() - finer_sigma.square()) / finer_signal.square()
    share_clean = finer_signal * beta / sigma.square()
    share_noisy = torch.sqrt(keep) * (finer_sigma / sigma).square()
    deviation = torch.sqrt(beta) * finer_sigma / sigma
    return float(share_clean), float(share_noisy), float(deviation)


def ancestral_step(path: Path, level: int, z: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
    """z at the next finer level, from z at ``level``, the estimate of the clean data and fresh unit noise."""
    share_clean, share_noisy, deviation = posterior(path, level)
    return share_clean * clean + share_noisy * z + deviation * noise
