"""Branches of operator nets: a perceptron over all sensors, and a convolutional one."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.condition import Condition
from pdekit.nets.conditioning import ConditionEmbedding, Modulation
from pdekit.nets.convolution import Conv, norm_groups
from pdekit.nets.operator_net import Branch, conditioned, kept_size, stack_of_layers

EMBEDDING = 64  # features of an embedded condition
COARSEST = 4  # points of an axis at which a convolutional branch stops to coarsen


class _Conditioned(nn.Module):
    """Gain and offset of a vector of features from the conditions; nothing where there are none."""

    def __init__(self, n_conditions: int, features: int):
        super().__init__()
        self.embedding = ConditionEmbedding(n_conditions, EMBEDDING) if n_conditions else None
        self.modulation = Modulation(EMBEDDING, features) if n_conditions else None

    def forward(self, features: Tensor, condition: Condition | None) -> Tensor:
        if self.embedding is None:
            return features
        return conditioned(features, self.modulation(self.embedding(condition.scalars)))


class PerceptronBranch(Branch):
    """All values at the sensors through a perceptron.

    Args:
        width: features of a hidden layer.
        depth: hidden layers, at least 1; the first is conditioned.
    """

    configurable = True

    def __init__(
        self,
        shape: Sequence[int],
        in_channels: int,
        n_conditions: int,
        layout: Sequence[str],
        features: int,
        width: int = 128,
        depth: int = 3,
    ):
        super().__init__()
        if depth < 1:
            raise ValueError(f"expected depth >= 1, got {depth}; a branch needs a hidden layer")
        self.first = nn.Linear(in_channels * prod(shape), width)
        kept_size(self.first, activated=True)
        self.condition = _Conditioned(n_conditions, width)
        self.rest = nn.Sequential(nn.GELU(), stack_of_layers([width] * depth + [features]))

    def forward(
        self, u: Float[Tensor, "batch channel *space"], condition: Condition | None
    ) -> Float[Tensor, "batch feature"]:
        return self.rest(self.condition(self.first(u.flatten(1)), condition))


class ConvolutionalBranch(Branch):
    """Convolutions that halve the grid and double the channels until four points are left of an axis, then a
    perceptron. It has fewer weights than `PerceptronBranch` on large grids, and sees what is near together.

    Args:
        width: channels of the first level; those of a level are at most eight times as many.
    """

    configurable = True

    def __init__(
        self,
        shape: Sequence[int],
        in_channels: int,
        n_conditions: int,
        layout: Sequence[str],
        features: int,
        width: int = 16,
    ):
        super().__init__()
        periodic = [where == "periodic" for where in layout]
        shape, channels, wider = list(shape), in_channels, width
        levels: list[nn.Module] = []
        while not levels or min(shape) > COARSEST:
            levels += [Conv(periodic, channels, wider, stride=2), nn.GroupNorm(norm_groups(wider), wider), nn.GELU()]
            levels += [Conv(periodic, wider, wider), nn.GELU()]
            channels, wider, shape = wider, min(2 * wider, 8 * width), [(n + 1) // 2 for n in shape]
        self.levels = nn.Sequential(*levels)
        hidden = 8 * width
        self.first = nn.Linear(channels * prod(shape), hidden)
        self.condition = _Conditioned(n_conditions, hidden)
        self.rest = nn.Sequential(nn.GELU(), stack_of_layers([hidden, features]))

    def forward(
        self, u: Float[Tensor, "batch channel *space"], condition: Condition | None
    ) -> Float[Tensor, "batch feature"]:
        return self.rest(self.condition(self.first(self.levels(u).flatten(1)), condition))
