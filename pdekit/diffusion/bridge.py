"""A stochastic interpolant from a known state: z_s = s^2 x + (1 - s) W_s, from 0 at s = 0 to the data x at s = 1.

W is a Brownian motion, W_s = sqrt(s) e. The generative process

    dz = (2 s D - w) ds + (1 - s) dB,    w = (z - s^2 D) / (1 - s),    D(z, s) = E[x | z_s = z],

starts from the point 0 and has the law of x at s = 1.

Source: Chen et al. (2024), "Probabilistic forecasting with stochastic interpolants and Föllmer processes",
https://arxiv.org/abs/2403.13724, with alpha = 1 - s, beta = s^2, sigma = 1 - s. Their interpolant between the states
u_0 and u_1 is z_s + (1 - s + s^2) u_0 with x = u_1 - u_0; u_0 is known.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.diffusion.samplers.base import Draws

EARLIEST = 1e-6  # s of the first call in the shares: both vanish at s = 0, their ratio does not


def bridge_times(n: int, last: float) -> Float[Tensor, "time"]:
    """Return s_0 = 0 < s_1 < ... with 1 - s falling geometrically from 1 to ``last``.

    Raises:
        ValueError: on fewer than one time, or if ``last`` is not between 0 and 1.

    >>> [round(s, 6) for s in bridge_times(3, 0.01).tolist()]
    [0.0, 0.9, 0.99]
    """
    if n < 1 or not 0 < last < 1:
        raise ValueError(f"expected n >= 1 times and 0 < last < 1, got {n} and {last}; try 4 and 0.01")
    return 1 - torch.tensor(last, dtype=torch.float64) ** (torch.arange(n, dtype=torch.float64) / max(n - 1, 1))


def bridge_shares(s: Tensor) -> tuple[Tensor, Tensor]:
    """Return (signal, sigma) = (s^2, (1 - s) sqrt(s)) of z_s = signal x + sigma e, with s not below 1e-6."""
    s = s.clamp_min(EARLIEST)
    return s.square(), (1 - s) * s.sqrt()


def bridge(denoise: Callable[[Tensor, int], Tensor], zero: Tensor, times: Tensor, noise: Draws) -> Tensor:
    """Return a sample of x: the process from 0, and a jump to D from the last time.

    Each step takes D as constant and is exact then: w' = w + sqrt(s' - s) e, z' = s'^2 D + (1 - s') w'. Euler's rule,
    as published, differs at second order of the step; a step to s = 1 would lose a share (1 - s)^2 of x.

    Args:
        denoise: (z, i) -> D at the i-th time.
        zero: the start, "batch ...".
        times: as of `bridge_times`.
        noise: draw i is of the step to time i + 1.
    """
    z, clean = zero, denoise(zero, 0)
    for i, (s, later) in enumerate(pairwise(times.tolist())):
        moved = (z - s**2 * clean) / (1 - s) + (later - s) ** 0.5 * noise(i)
        z = later**2 * clean + (1 - later) * moved
        clean = denoise(z, i + 1)
    return clean
