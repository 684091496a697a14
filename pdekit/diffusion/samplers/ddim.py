"""DDIM: D and the noise are taken as constant over a step; a share of the noise may be drawn again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels, checked_levels
from pdekit.diffusion.samplers.base import Draws, Sampler


@dataclass(frozen=True)
class DDIM(Sampler):
    """Song, Meng and Ermon (2021), equation 12, in (y, k):

        u = eta k' sqrt(1 - k'^2 / k^2),    y' = D + sqrt(k'^2 - u^2) (y - D) / k + u e.

    eta = 0 is Euler's rule for dy/dk and first order; eta = 1 is the ancestral sampler of Ho et al. (2020).

    Args:
        eta: share of fresh noise, 0 to 1.
    """

    configurable = True

    eta: float = 0.0

    def __post_init__(self):
        if not 0 <= self.eta <= 1:
            raise ValueError(f"expected 0 <= eta <= 1, got {self.eta}; 0 draws no noise, 1 is the ancestral sampler")

    def __call__(self, denoise: Denoise, y: Tensor, levels: Levels, noise: Draws) -> Tensor:
        ks = checked_levels(levels)
        for i, (k, finer) in enumerate(pairwise(ks)):
            clean = denoise(y, k)
            fresh = self.eta * finer * (1 - (finer / k) ** 2) ** 0.5
            y = clean + (finer**2 - fresh**2) ** 0.5 / k * (y - clean)
            if fresh:
                y = y + fresh * noise(i)
        return denoise(y, ks[-1])
