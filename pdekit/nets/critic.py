"""Critic of frames: a number for each patch that is high for frames of the data, and low for generated ones.

The discriminator of patches of Isola et al. (2017, https://arxiv.org/abs/1611.07004), on one to three axes.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.space_time import ChannelMap, SpaceConv


class FrameCritic(nn.Module):
    """Two convolutions that halve space, and a linear map: one number for 7 points of each axis and each frame.

    Args:
        periodic: which spatial axes wrap.
        channels: of the frames.
        width: channels of the first layer; the second has twice as many.
    """

    def __init__(self, periodic: Sequence[bool], channels: int, width: int = 32):
        super().__init__()
        self.layers = nn.Sequential(
            SpaceConv(periodic, channels, width, stride=2),
            nn.GELU(),
            SpaceConv(periodic, width, 2 * width, stride=2),
            nn.GELU(),
            ChannelMap(2 * width, 1),
        )

    def forward(self, u: Float[Tensor, "batch time channel *space"]) -> Float[Tensor, "batch time 1 *coarse"]:
        return self.layers(u.movedim(2, 1)).movedim(2, 1)
