"""U-Net: residual convolution blocks on a pyramid of grids, each half as fine as the one before.

Ronneberger et al. 2015 (https://arxiv.org/abs/1505.04597) with the residual blocks of Ho et al. 2020
(https://arxiv.org/abs/2006.11239) and the modulated normalisation of Dhariwal & Nichol 2021
(https://arxiv.org/abs/2105.05233), without attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.base import GridNet
from pdekit.nets.condition import Condition
from pdekit.nets.conditioning import ConditionEmbedding, Modulation
from pdekit.nets.convolution import CONVOLUTIONS, Conv, norm_groups
from pdekit.nets.layout import bounded_coordinates, intervals


class ResidualBlock(nn.Module):
    """y = S u + conv(sigma(gain norm(conv(sigma(norm(u)))) + offset)), norm a group normalisation over all of space.

    The last convolution starts at zero, so that a new block is its skip S.
    """

    def __init__(self, periodic: Sequence[bool], in_channels: int, out_channels: int, features: int):
        super().__init__()
        self.norm_in = nn.GroupNorm(norm_groups(in_channels), in_channels)
        self.conv_in = Conv(periodic, in_channels, out_channels)
        self.norm_out = nn.GroupNorm(norm_groups(out_channels), out_channels)
        self.conv_out = Conv(periodic, out_channels, out_channels)
        nn.init.zeros_(self.conv_out.conv.weight)
        nn.init.zeros_(self.conv_out.conv.bias)
        self.modulation = Modulation(features, out_channels) if features else None
        pointwise = CONVOLUTIONS[len(periodic) - 1]
        self.skip = nn.Identity() if in_channels == out_channels else pointwise(in_channels, out_channels, 1)

    def forward(
        self, u: Float[Tensor, "batch channel *space"], embedding: Float[Tensor, "batch feature"] | None
    ) -> Float[Tensor, "batch out *space"]:
        v = self.norm_out(self.conv_in(F.gelu(self.norm_in(u))))
        if self.modulation is not None:
            gain, offset = (part.reshape(*part.shape, *(1,) * (u.ndim - 2)) for part in self.modulation(embedding))
            v = gain * v + offset
        return self.skip(u) + self.conv_out(F.gelu(v))


class UNet(GridNet):
    """Periodic U-Net in one to three dimensions.

    Rolling the input along a periodic axis by a multiple of the total stride, 2^(levels - 1), rolls the output and
    changes nothing else. Bounded axes see zeros beyond their ends and get their coordinate as an input channel; every
    level has the layout of the grid: of n points a coarser one keeps n / 2, of 2 m + 1 nodes m + 1, so that both ends
    stay nodes. Bounded axes that cannot be halved are lengthened by repeating their last point, and cut again.

    Args:
        layout, in_channels, out_channels, n_conditions: see `GridNet`.
        width: channels of the finest level.
        multipliers: channels of each level, from fine to coarse, as multiples of the width.
        blocks: residual blocks of each level on the way down, at the bottom, and on the way up.

    Raises:
        ValueError: a grid with a periodic axis that cannot be halved levels - 1 times.

    Limits: normalisation over all of space ties the net to boxes and resolutions like those it was trained on.
    """

    configurable = True

    def __init__(
        self,
        layout: int | Sequence[str],
        in_channels: int,
        out_channels: int,
        n_conditions: int = 0,
        width: int = 32,
        multipliers: Sequence[int] = (1, 2, 2),
        blocks: int = 1,
    ):
        super().__init__(layout, in_channels, out_channels, n_conditions)
        if width < 1 or blocks < 1 or not multipliers or min(multipliers) < 1:
            raise ValueError(
                f"expected width >= 1, blocks >= 1 and multipliers >= 1, got {width}, {blocks}, {tuple(multipliers)}; "
                "set positive numbers"
            )
        channels = [width * m for m in multipliers]
        features = 4 * width if n_conditions else 0
        self.stride = 2 ** (len(channels) - 1)
        self.embedding = ConditionEmbedding(n_conditions, features) if n_conditions else None

        def level(first: int, rest: int) -> nn.ModuleList:
            return nn.ModuleList(
                [ResidualBlock(self.periodic, first if i == 0 else rest, rest, features) for i in range(blocks)]
            )

        self.lifting = Conv(self.periodic, in_channels + self.periodic.count(False), channels[0])
        self.down = nn.ModuleList([level(c, c) for c in channels])
        self.coarsen = nn.ModuleList(
            [Conv(self.periodic, fine, coarse, stride=2) for fine, coarse in pairwise(channels)]
        )
        self.bottom = level(channels[-1], channels[-1])
        self.refine = nn.ModuleList([Conv(self.periodic, coarse, fine) for fine, coarse in pairwise(channels)])
        self.up = nn.ModuleList([level(2 * c, c) for c in channels])
        self.norm = nn.GroupNorm(norm_groups(channels[0]), channels[0])
        self.projection = Conv(self.periodic, channels[0], out_channels)

    def forward(
        self, u: Float[Tensor, "batch channel *space"], condition: Condition | None = None
    ) -> Float[Tensor, "batch out *space"]:
        self.check(u, condition)
        shape = tuple(u.shape[2:])
        if any(n % self.stride for n, wraps in zip(shape, self.periodic, strict=True) if wraps):
            raise ValueError(
                f"expected a grid whose periodic sizes are multiples of {self.stride} (the U-Net halves it "
                f"{len(self.coarsen)} times), got {shape}; use fewer multipliers or another grid"
            )
        embedding = None if self.embedding is None else self.embedding(condition.scalars)
        u = bounded_coordinates(u, self.layout)
        missing = [-intervals(n, where) % self.stride for n, where in zip(shape, self.layout, strict=True)]
        if any(missing):
            u = F.pad(u, [side for after in reversed(missing) for side in (0, after)], mode="replicate")
        u = self.lifting(u)
        levels = []
        for i, blocks in enumerate(self.down):
            u = self.coarsen[i - 1](u) if i else u
            for block in blocks:
                u = block(u, embedding)
            levels.append(u)
        for block in self.bottom:
            u = block(u, embedding)
        for i, blocks in reversed(list(enumerate(self.up))):
            u = torch.cat((u, levels[i]), 1)
            for block in blocks:
                u = block(u, embedding)
            if i:
                u = F.interpolate(u, scale_factor=2.0, mode="nearest")
                u = self.refine[i - 1](u[(..., *(slice(n) for n in levels[i - 1].shape[2:]))])
        u = self.projection(F.gelu(self.norm(u)))
        return u[(..., *(slice(n) for n in shape))]
