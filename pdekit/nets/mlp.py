"""h_0 = embedding(x, t),  h_i = s(W_i h_(i-1) + b_i),  u = W h_depth + b."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from torch import nn

from pdekit.nets.coordinate import CoordinateNet, dense


class MLP(CoordinateNet):
    """A multilayer perceptron of the coordinates. Width 20 to 30 and depth 3 suit quasi-Newton training."""

    configurable = True

    def build(self) -> None:
        sizes = [self.embedding.size] + [self.width] * self.depth
        pairs = itertools.pairwise(sizes)
        self.layers = nn.ModuleList(dense(inputs, outputs, self.factorised) for inputs, outputs in pairs)
        self.last = dense(self.width, self.out_channels, factorised=False)

    def features(self, points: Any) -> Any:
        h = self.embedding(points)
        for layer in self.layers:
            h = self.activation(layer(h))
        return h

    def on_grid(self, points: Any, columns: Sequence[Any]) -> Any:
        return self(points)
