"""Reservoir computer: u(t + dt) = u(t) + W tanh(V u(t) + b), V and b random, W by ridge regression."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem, n_values
from pdekit.models.baselines.regressed_step import RegressedStep


class Reservoir(RegressedStep):
    """A reservoir of random tanh units without memory, because the whole state is given.

    Limits: with recurrent units (an echo state network) a reservoir would remember states that are not given; here
    `history` takes their place. It needs more units for systems of more dimensions.

    Source: Jaeger and Haas (2004), doi:10.1126/science.1091277; without memory it is a regression on random features
    (Rahimi and Recht 2007).

    Args:
        problem, ridge: see `RegressedStep`.
        history: frames that a step sees.
        n_units: number of units.
        scale: size of the sums in the units, for values of deviation 1.
        seed: seed of the random weights.
    """

    configurable = True

    def __init__(
        self,
        problem: Problem,
        history: int = 1,
        n_units: int = 500,
        scale: float = 0.3,
        ridge: float = 1e-14,
        seed: int = 0,
    ):
        if n_units < 1 or not scale > 0:
            raise ValueError(f"expected n_units >= 1 and scale > 0, got {n_units} and {scale}; set positive numbers")
        super().__init__(problem, history, n_units, ridge)
        n_inputs = history * problem.n_channels * n_values(problem.grid)
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randn(n_inputs + 1, n_units, generator=generator, dtype=torch.float64)
        self.register_buffer("inward", scale * drawn[:-1] / history**0.5)
        self.register_buffer("bias", scale * drawn[-1])

    def features(self, x: Float[Tensor, "batch time value"]) -> Float[Tensor, "batch feature"]:
        return torch.tanh(x.flatten(1) @ self.inward.to(x) + self.bias.to(x))
