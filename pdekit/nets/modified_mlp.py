"""A = s(W_A z + b_A), B = s(W_B z + b_B);  h_i = (1 - g_i) A + g_i B with g_i = s(W_i h_(i-1) + b_i)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from torch import nn

from pdekit.nets.coordinate import CoordinateNet, dense


class ModifiedMLP(CoordinateNet):
    """A multilayer perceptron whose layers mix two encoders of the input.

    Source: Wang, Teng and Perdikaris (2021), equations 44 to 47.
    """

    configurable = True

    def build(self) -> None:
        size = self.embedding.size
        self.encoder_a = dense(size, self.width, self.factorised)
        self.encoder_b = dense(size, self.width, self.factorised)
        sizes = [size] + [self.width] * self.depth
        pairs = itertools.pairwise(sizes)
        self.layers = nn.ModuleList(dense(inputs, outputs, self.factorised) for inputs, outputs in pairs)
        self.last = dense(self.width, self.out_channels, factorised=False)

    def features(self, points: Any) -> Any:
        h = self.embedding(points)
        a, b = self.activation(self.encoder_a(h)), self.activation(self.encoder_b(h))
        difference = b - a
        for layer in self.layers:
            h = a + self.activation(layer(h)) * difference
        return h

    def on_grid(self, points: Any, columns: Sequence[Any]) -> Any:
        return self(points)
