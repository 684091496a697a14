"""Adams-Bashforth with constant weights, with momentum on request (GHVB)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels, checked_levels
from pdekit.diffusion.samplers.base import Draws, Sampler


@dataclass(frozen=True)
class AdamsBashforth(Sampler):
    """Generalised heavy ball (Wizadwongsa et al. 2024): v <- (1 - b) v + b e;  y <- y + dk sum_j c_j v_(-j) / b.

    With momentum b = 1 these are the Adams-Bashforth rules, of weights (3, -1)/2 for order 2. The published name
    "GHVB-2.5" is order 3 with b = 0.5. The weights are those of equal steps in k, whatever the levels: on a
    logarithmic grid the rule is formally of first order, and robust. `Exponential(form="level")` has the weights of
    unequal steps.

    Args:
        order: 1 to 4.
        momentum: b, in (0, 1].
    """

    configurable = True

    order: int = 2
    momentum: float = 1.0

    def __post_init__(self):
        if self.order not in (1, 2, 3, 4) or not 0 < self.momentum <= 1:
            raise ValueError(
                f"expected an order 1 to 4 and 0 < momentum <= 1, got {self.order}, {self.momentum}; correct them"
            )

    def __call__(self, denoise: Denoise, y: Tensor, levels: Levels, noise: Draws) -> Tensor:
        ks, b = checked_levels(levels), self.momentum
        velocities: list[Tensor] = []
        for k, finer in pairwise(ks):
            slope = (y - denoise(y, k)) / k
            velocities.insert(0, (1 - b) * velocities[0] + b * slope if velocities else slope)
            del velocities[self.order :]
            # the first velocity is the slope itself, not b times it
            share = 1.0 if len(velocities) == 1 else b
            weights = heavy_ball_weights(len(velocities), share)
            y = y + (finer - k) / share * sum(c * v for c, v in zip(weights, velocities, strict=True))
        return denoise(y, ks[-1])


def heavy_ball_weights(order: int, b: float) -> tuple[float, ...]:
    """Return the weights c_j of the last velocities, newest first (Wizadwongsa et al. 2024).

    >>> heavy_ball_weights(2, 1.0)
    (1.5, -0.5)
    """
    if order == 1:
        return (b,)
    if order == 2:
        return ((2 + b) / 2, -(2 - b) / 2)
    if order == 3:
        return ((18 + 5 * b) / 12, -(24 - 8 * b) / 12, (6 - b) / 12)
    return ((46 + 9 * b) / 24, -(78 - 19 * b) / 24, (42 - 5 * b) / 24, -(10 - b) / 24)
