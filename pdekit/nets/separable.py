"""u(x, t) = sum over r of f_r(x) g_r(t): one small net for each coordinate, and their products."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from pdekit.nets.coordinate import CoordinateNet, dense

LETTERS = "ijkl"


class Separable(CoordinateNet):
    """A separable net. On a grid of n points along each of d axes it evaluates d n points instead of n^d.

    Each coordinate has its own perceptron of `depth` layers, whose outputs are the factors; the rank is the width,
    and each field sums the products with weights of its own.

    Source: Cho et al. (2023), Separable Physics-Informed Neural Networks.
    """

    configurable = True

    def build(self) -> None:
        if self.embedding.random is not None:
            raise ValueError("expected no random features, which mix the coordinates; leave random.features out")
        self.bodies = nn.ModuleList()
        for periodic in self.embedding.periodic:
            sizes = [2 * self.embedding.harmonics if periodic else 1] + [self.width] * self.depth
            layers = [dense(a, b, self.factorised) for a, b in itertools.pairwise(sizes)]
            self.bodies.append(nn.ModuleList([*layers, dense(self.width, self.width, factorised=False)]))
        self.last = dense(self.width, self.out_channels, factorised=False)

    def factors(self, coordinate: Any, axis: int) -> Any:
        """The factors of one coordinate, "point factor"."""
        h = self.embedding.axis(coordinate, axis)
        *hidden, last = self.bodies[axis]
        for layer in hidden:
            h = self.activation(layer(h))
        return last(h)

    def features(self, points: Any) -> Any:
        product = self.factors(points[:, :1], 0)
        for axis in range(1, len(self.bodies)):
            product = product * self.factors(points[:, axis : axis + 1], axis)
        return product

    def on_grid(self, points: Any, columns: Sequence[Any]) -> Any:
        *space, t = (self.factors(column, axis) for axis, column in enumerate(columns))
        product, letters = space[0], LETTERS[0]
        for letter, factors in zip(LETTERS[1:], space[1:], strict=False):
            product = torch.einsum(f"{letters}r,{letter}r->{letters}{letter}r", product, factors)
            letters += letter
        product = product.flatten(0, -2)
        fields = [torch.einsum("jr,ir->ji", t * weight, product) for weight in self.last.weight]
        return torch.cat([field.flatten(0, 1).unflatten(0, (-1, 1)) for field in fields], -1) + self.last.bias
