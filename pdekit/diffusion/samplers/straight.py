"""Few steps along straight lines: the sampler of a net that was trained on pairs of noise and sample."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels, checked_levels
from pdekit.diffusion.samplers.base import Draws, Sampler
from pdekit.diffusion.samplers.flow import FlowRungeKutta


@dataclass(frozen=True)
class Straight(Sampler):
    """Euler's rule at ``n`` times that are even in flow time t = k / (1 + k), from the first level given to t = 0.

    One call is the jump x = D(y, k_0). Exact for a net whose trajectories are straight, as after one round of
    rectification (Liu et al. 2023, https://arxiv.org/abs/2209.03003). Of the levels only the first one counts.

    Args:
        n: calls of the denoiser.
    """

    configurable = True

    n: int = 1

    def __post_init__(self):
        if self.n < 1:
            raise ValueError(f"expected at least one call, got {self.n}; set n=1")

    def __call__(self, denoise: Denoise, y: Tensor, levels: Levels, noise: Draws) -> Tensor:
        first = checked_levels(levels)[0]
        t = first / (1 + first) * (1 - torch.arange(self.n, dtype=torch.float64) / self.n)
        return FlowRungeKutta(1)(denoise, y, t / (1 - t), noise)

    def calls(self, n_levels: int) -> int:
        return self.n
