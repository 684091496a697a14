"""Heun's rule in k, with fresh noise on request: the sampler of EDM."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels, checked_levels
from pdekit.diffusion.samplers.base import Draws, Sampler


@dataclass(frozen=True)
class Heun(Sampler):
    """Karras et al. (2022), algorithm 2: two calls a step, second order.

    Before each step the level is raised to k (1 + gamma), gamma = min(churn / N, sqrt(2) - 1), by noise.
    Limits: with fewer than about 32 calls it is less accurate than multistep rules where components are
    nearly deterministic.

    Args:
        churn: total amount of fresh noise; 0 draws none.
    """

    configurable = True

    churn: float = 0.0

    def __post_init__(self):
        if not self.churn >= 0:
            raise ValueError(f"expected churn >= 0, got {self.churn}; 0 draws no noise")

    def __call__(self, denoise: Denoise, y: Tensor, levels: Levels, noise: Draws) -> Tensor:
        ks = checked_levels(levels)
        gamma = min(self.churn / len(ks), 2**0.5 - 1)
        for i, (k, finer) in enumerate(pairwise(ks)):
            raised = k * (1 + gamma)
            if gamma:
                y = y + (raised**2 - k**2) ** 0.5 * noise(i)
            slope = (y - denoise(y, raised)) / raised
            guess = y + (finer - raised) * slope
            end = (guess - denoise(guess, finer)) / finer
            y = y + 0.5 * (finer - raised) * (slope + end)
        return denoise(y, ks[-1])

    def calls(self, n_levels: int) -> int:
        return 2 * n_levels - 1
