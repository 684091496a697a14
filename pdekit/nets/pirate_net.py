"""x <- a h(x) + (1 - a) x with a = 0 at the start: a deep net that begins as a linear function of its embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from pdekit.nets.coordinate import CoordinateNet, dense


class PirateNet(CoordinateNet):
    """Physics-informed residual adaptive network: gated residual blocks of three layers, each with a trained share.

    In a block, with the encoders A and B of the modified MLP:

        f = s(W_1 x),  z = f A + (1 - f) B;   g = s(W_2 z),  w = g A + (1 - g) B;   h = s(W_3 w),
        x <- a h + (1 - a) x.

    The embedding is first brought to the width by a linear layer, so that any embedding fits.

    Source: Wang, Li, Chen and Perdikaris (2024), equations 4.1 to 4.7; there the embedding has the width itself, and
    the last layer starts as the least-squares fit of the initial state; here it starts at random.
    """

    configurable = True

    def build(self) -> None:
        size = self.embedding.size
        self.lift = dense(size, self.width, self.factorised)
        self.encoder_a = dense(self.width, self.width, self.factorised)
        self.encoder_b = dense(self.width, self.width, self.factorised)
        self.blocks = nn.ModuleList(
            nn.ModuleList(dense(self.width, self.width, self.factorised) for _ in range(3)) for _ in range(self.depth)
        )
        self.shares = nn.Parameter(torch.zeros(self.depth, 1))
        self.last = dense(self.width, self.out_channels, factorised=False)

    def features(self, points: Any) -> Any:
        x = self.lift(self.embedding(points))
        a, b = self.activation(self.encoder_a(x)), self.activation(self.encoder_b(x))
        difference = a - b
        for number, (first, second, third) in enumerate(self.blocks):
            z = b + self.activation(first(x)) * difference
            z = b + self.activation(second(z)) * difference
            x = x + (self.activation(third(z)) - x) * self.shares[..., number, :]
        return x

    def on_grid(self, points: Any, columns: Sequence[Any]) -> Any:
        return self(points)
