"""A net whose last layers are separate for each output: shared features, then a perceptron of its own for every field.

For fields that differ (a potential, a velocity, a stress) a shared last layer makes each share its features with the
others; Multiphysics Bench (arXiv:2505.17575) uses one head for each channel in most of its baselines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.base import GridNet
from pdekit.nets.condition import Condition
from pdekit.nets.pointwise import Perceptron


class Headed(GridNet):
    """A grid net with pointwise heads behind it.

    Args:
        net: factory of the grid net that makes the features.
        features: channels that it gives to the heads.
        hidden: channels within a head.
    """

    configurable = True

    def __init__(
        self,
        layout: int | Sequence[str],
        in_channels: int,
        out_channels: int,
        n_conditions: int = 0,
        *,
        net: Callable[..., nn.Module],
        features: int = 32,
        hidden: int = 32,
    ):
        super().__init__(layout, in_channels, out_channels, n_conditions)
        if features < 1 or hidden < 1:
            raise ValueError(
                f"expected features >= 1 and hidden >= 1, got {features} and {hidden}; set positive numbers"
            )
        self.core = net(self.layout, in_channels, features, n_conditions)
        self.heads = nn.ModuleList(Perceptron(features, hidden, 1) for _ in range(out_channels))

    def forward(
        self, u: Float[Tensor, "batch channel *space"], condition: Condition | None = None
    ) -> Float[Tensor, "batch out *space"]:
        shared = self.core(u, condition)
        flat = shared.flatten(2)
        return torch.cat([head(flat) for head in self.heads], 1).unflatten(2, shared.shape[2:])
