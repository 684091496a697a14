"""Tokens of what conditions a net: one for each scalar, and one for each place of fields on a grid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.attention import Positions
from pdekit.nets.conditioning import ConditionEmbedding
from pdekit.nets.convolution import Conv
from pdekit.nets.layout import bounded_coordinates


class ScalarTokens(nn.Module):
    """A token for each scalar of order one: embedding(value) + a vector of its own.

    Args:
        n_scalars: number of scalars.
        width: length of the tokens.
    """

    def __init__(self, n_scalars: int, width: int):
        super().__init__()
        self.embedding = ConditionEmbedding(1, width)
        self.names = nn.Parameter(torch.randn(n_scalars, width))

    def forward(self, scalars: Float[Tensor, "batch scalar"]) -> Float[Tensor, "batch scalar width"]:
        return self.embedding(scalars.reshape(-1, 1)).unflatten(0, scalars.shape) + self.names


class FieldTokens(nn.Module):
    """Tokens of fields on a grid: convolutions that halve the grid, then a token for each point that is left.

    Args:
        channels: of the fields.
        layout: of each axis, see pdekit.nets.layout.
        width: length of the tokens.
        halvings: how often each axis is halved.
    """

    def __init__(self, channels: int, layout: Sequence[str], width: int, halvings: int = 2):
        super().__init__()
        periodic = [where == "periodic" for where in layout]
        self.layout = tuple(layout)
        sizes = [channels + periodic.count(False), *([width] * (halvings + 1))]
        strides = [1, *([2] * halvings)]
        self.convolutions = nn.ModuleList(
            Conv(periodic, sizes[i], sizes[i + 1], stride=stride) for i, stride in enumerate(strides)
        )
        self.positions = Positions(layout, width)
        self.leave = nn.Linear(width, width)

    def forward(self, u: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch token width"]:
        u = bounded_coordinates(u, self.layout)
        for i, convolution in enumerate(self.convolutions):
            u = convolution(F.gelu(u) if i else u)
        return self.leave(F.gelu(u.flatten(2).transpose(1, 2)) + self.positions(u.shape[2:]))
