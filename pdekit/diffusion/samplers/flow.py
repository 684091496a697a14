"""Runge-Kutta rules in the time of the flow path, dz/dt = e - x with z = (1 - t) y and t = k / (1 + k)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels, checked_levels
from pdekit.diffusion.samplers.base import Draws, Sampler

# order -> (nodes, stages, weights) of Euler's, the midpoint and the classical rule
TABLEAUS = {
    1: ((0.0,), ((),), (1.0,)),
    2: ((0.0, 0.5), ((), (0.5,)), (0.0, 1.0)),
    4: ((0.0, 0.5, 0.5, 1.0), ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}


@dataclass(frozen=True)
class FlowRungeKutta(Sampler):
    """Euler (order 1), midpoint (2; RF-Solver of Wang et al. 2024 is the same rule) or RK4 (4); order calls a step.

    Args:
        order: 1, 2 or 4.
    """

    configurable = True

    order: int = 2

    def __post_init__(self):
        if self.order not in TABLEAUS:
            raise ValueError(f"expected an order among {tuple(TABLEAUS)}, got {self.order}; choose one of these")

    def __call__(self, denoise: Denoise, y: Tensor, levels: Levels, noise: Draws) -> Tensor:
        ks = checked_levels(levels)
        nodes, stages, weights = TABLEAUS[self.order]
        times = [k / (1 + k) for k in ks]
        z = (1 - times[0]) * y
        for t, finer in pairwise(times):
            slopes: list[Tensor] = []
            for node, shares in zip(nodes, stages, strict=True):
                inner = sum((a * slope for a, slope in zip(shares, slopes, strict=True) if a), 0 * z)
                slopes.append(velocity(denoise, z + (finer - t) * inner, t + node * (finer - t)))
            z = z + (finer - t) * sum(b * slope for b, slope in zip(weights, slopes, strict=True))
        return denoise(z / (1 - times[-1]), ks[-1])

    def calls(self, n_levels: int) -> int:
        return self.order * (n_levels - 1) + 1


def velocity(denoise: Denoise, z: Tensor, t: float) -> Tensor:
    """Return dz/dt = (z - D) / t at flow time t."""
    return (z - denoise(z / (1 - t), t / (1 - t))) / t
