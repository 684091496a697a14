"""Dilated residual network: u <- u + conv_1(sigma(conv_2(sigma(conv_4( ... conv_8 ... )))), dilations 1 2 4 8 4 2 1.

Stachenfeld et al. 2022, "Learned coarse models for efficient turbulence simulation"
(https://arxiv.org/abs/2112.15275): one resolution throughout, long range by dilation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.base import GridNet
from pdekit.nets.condition import Condition
from pdekit.nets.conditioning import ConditionEmbedding, Modulation
from pdekit.nets.convolution import Conv
from pdekit.nets.layout import bounded_coordinates

DILATIONS = (1, 2, 4, 8, 4, 2, 1)


class DilatedBlock(nn.Module):
    """Seven dilated convolutions, each followed by ReLU, around a skip. FiLM acts before the first ReLU."""

    def __init__(self, periodic: Sequence[bool], width: int, features: int):
        super().__init__()
        self.convs = nn.ModuleList([Conv(periodic, width, width, dilation=d) for d in DILATIONS])
        self.modulation = Modulation(features, width) if features else None

    def forward(
        self, u: Float[Tensor, "batch channel *space"], embedding: Float[Tensor, "batch feature"] | None
    ) -> Float[Tensor, "batch channel *space"]:
        v = self.convs[0](u)
        if self.modulation is not None:
            gain, offset = (part.reshape(*part.shape, *(1,) * (u.ndim - 2)) for part in self.modulation(embedding))
            v = gain * v + offset
        for conv in self.convs[1:]:
            v = conv(F.relu(v))
        return u + F.relu(v)


class DilatedResNet(GridNet):
    """Dilated residual network in one to three dimensions, equivariant to any translation along periodic axes.

    Args:
        layout, in_channels, out_channels, n_conditions: see `GridNet`.
        width: channels of the hidden fields (48 in the paper).
        blocks: residual blocks of seven convolutions (4 in the paper).

    Differences from the paper: conditions (FiLM), and bounded axes see zeros and get a coordinate channel.

    Raises:
        ValueError: a periodic axis of fewer than 8 points, the longest dilation.
    """

    configurable = True

    def __init__(
        self,
        layout: int | Sequence[str],
        in_channels: int,
        out_channels: int,
        n_conditions: int = 0,
        width: int = 32,
        blocks: int = 4,
    ):
        super().__init__(layout, in_channels, out_channels, n_conditions)
        if width < 1 or blocks < 1:
            raise ValueError(f"expected width >= 1 and blocks >= 1, got {width} and {blocks}; set positive numbers")
        features = 4 * width if n_conditions else 0
        self.embedding = ConditionEmbedding(n_conditions, features) if n_conditions else None
        self.lifting = Conv(self.periodic, in_channels + self.periodic.count(False), width)
        self.blocks = nn.ModuleList([DilatedBlock(self.periodic, width, features) for _ in range(blocks)])
        self.projection = Conv(self.periodic, width, out_channels)

    def forward(
        self, u: Float[Tensor, "batch channel *space"], condition: Condition | None = None
    ) -> Float[Tensor, "batch out *space"]:
        self.check(u, condition)
        shape = tuple(u.shape[2:])
        if any(p and n < max(DILATIONS) for n, p in zip(shape, self.periodic, strict=True)):
            raise ValueError(
                f"expected at least {max(DILATIONS)} points along periodic axes, the longest dilation, got {shape}; "
                "use a finer grid or another net"
            )
        embedding = None if self.embedding is None else self.embedding(condition.scalars)
        u = self.lifting(bounded_coordinates(u, self.layout))
        for block in self.blocks:
            u = block(u, embedding)
        return self.projection(u)
