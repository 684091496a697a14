"""w_i = exp(-eps (L_0 + L_1 + ... + L_(i-1))): a later time counts once the earlier ones are solved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Causality:
    """Causal weighting and its schedule.

    Training starts with the first tolerance and goes on to the next when the smallest weight exceeds the threshold:
    all times are then solved as far as this tolerance tells them apart.

    Args:
        tolerances: eps, increasing. A single large one may keep the gate closed for good.
        threshold: threshold for the smallest weight.
        n_chunks: parts of the time span, with equally many points.

    Source: Wang, Sankaran and Perdikaris (2022), equations 3.2 to 3.5 and algorithm 1.
    """

    configurable = True

    tolerances: tuple[float, ...] = (1e-2, 1e-1, 1.0, 10.0)
    threshold: float = 0.99
    n_chunks: int = 32

    def __post_init__(self):
        object.__setattr__(self, "tolerances", tuple(float(eps) for eps in self.tolerances))
        increasing = list(self.tolerances) == sorted(set(self.tolerances))
        if not self.tolerances or not increasing or self.tolerances[0] <= 0:
            raise ValueError(f"expected increasing tolerances > 0, got {self.tolerances}; try [0.01, 0.1, 1, 10]")
        if not 0 < self.threshold < 1 or self.n_chunks < 2:
            raise ValueError(
                f"expected 0 < threshold < 1 and n_chunks >= 2, got {self.threshold} and {self.n_chunks}; "
                "try 0.99 and 32"
            )

    def next_stage(self, stage: int, smallest: float) -> int:
        """The number of the tolerance after a step whose smallest weight was this."""
        return min(stage + 1, len(self.tolerances) - 1) if smallest > self.threshold else stage


def causal_weights(losses: Float[Tensor, "term"], tolerance: float) -> Float[Tensor, "term"]:
    """w_i = exp(-eps sum over k < i of losses_k), without a gradient.

    The sum is exclusive: a term is gated by all those before it and never by itself; the first weight is 1.

    Args:
        losses: losses of the initial condition, then of the time chunks in order.
        tolerance: eps.

    >>> causal_weights(torch.tensor([1.0, 2.0, 5.0]), 0.1)
    tensor([1.0000, 0.9048, 0.7408])
    """
    before = torch.cumsum(losses.detach(), 0).roll(1)
    before[0] = 0
    return torch.exp(-tolerance * before)


def by_time(t: Float[Tensor, "point"]) -> Int[Tensor, "point"]:
    """The order of points in time; whole points are moved, so that place and time stay together."""
    return torch.argsort(t, stable=True)


def chunk_means(values: Float[Tensor, "point"], n_chunks: int) -> Float[Tensor, "chunk"]:
    """Means over consecutive points, already ordered in time, in chunks of equally many."""
    return values.reshape(n_chunks, -1).mean(1)


def point_weights(
    squares: Float[Tensor, "point"], initial: Float[Tensor, ""], tolerance: float, n_chunks: int
) -> Float[Tensor, "point"]:
    """The causal weight of each point.

    Args:
        squares: squared residuals of points that are ordered in time.
        initial: loss of the initial condition; 0 if it is exact by construction.
        tolerance: eps.
        n_chunks: chunks of equally many points.
    """
    losses = torch.cat((initial.detach().reshape(1), chunk_means(squares.detach(), n_chunks)))
    weights = causal_weights(losses, tolerance)[1:]
    return weights.repeat_interleave(len(squares) // n_chunks)


def windows(start: float, end: float, n: int) -> Sequence[tuple[float, float]]:
    """Equal spans of time, one after the other.

    >>> windows(0.0, 1.0, 2)
    [(0.0, 0.5), (0.5, 1.0)]
    """
    span = (end - start) / n
    return [(start + i * span, start + (i + 1) * span) for i in range(n)]
