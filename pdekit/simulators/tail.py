"""The tail of a spectrum: energy beyond two thirds of the largest wavenumber kept, sum_tail |u_hat|^2 / sum |u_hat|^2.

A field that a grid resolves has a spectrum that decays before the grid ends. Where energy piles up at the smallest
scales, two runs of nearly the same resolution may agree and both be wrong.
"""

from __future__ import annotations

from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor

BEYOND = 2 / 3  # of the largest wavenumber kept
FLOOR = 1e-6  # of a channel's largest energy over time, below which its spectrum is not judged


def energies(
    u: Float[Tensor, "sample channel *space"], degree: int
) -> tuple[Float[Tensor, "sample channel"], Float[Tensor, "sample channel"]]:
    """Energy of the tail and of all modes but the mean, on a periodic grid, for each channel.

    Args:
        u: samples.
        degree: degree of the equation's nonlinearity: a solver keeps the modes |m| <= ceil(n / (degree + 1)) - 1.

    >>> x = torch.arange(32, dtype=torch.float64) * 2 * torch.pi / 32
    >>> tail, total = energies((torch.cos(x) + 0.1 * torch.cos(9 * x)).reshape(1, 1, 32), 2)
    >>> round(float(tail / total), 4)
    0.0099
    """
    space = tuple(range(2, u.ndim))
    power = torch.fft.fftn(u.double(), dim=space).abs() ** 2
    power[(..., *(0 for _ in space))] = 0.0
    total = power.sum(space)
    for dim in space:
        n = u.shape[dim]
        m = torch.fft.fftfreq(n, 1 / n, device=u.device).abs()
        low = m <= BEYOND * (ceil(n / (degree + 1)) - 1)
        power = power * low.reshape(-1, *[1] * (u.ndim - 1 - dim))
    return total - power.sum(space), total


def tail_share(
    tail: Float[Tensor, "sample time channel"], total: Float[Tensor, "sample time channel"]
) -> Float[Tensor, "sample time"]:
    """The tail's share of the energy, of the worst channel at each time.

    A channel that passes through zero is measured against `FLOOR` of its largest energy.
    """
    scale = torch.maximum(total, FLOOR * total.amax(1, keepdim=True))
    return torch.where(scale > 0, tail.clamp_min(0) / scale.clamp_min(torch.finfo(scale.dtype).tiny), 0.0).amax(-1)
