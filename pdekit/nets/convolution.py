"""Convolutions with three points an axis that respect the boundary: periodic axes wrap, bounded ones see zeros."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Conv(nn.Module):
    """Convolution with kernel 3 in each axis; output i is centred at input stride * i, so that rolling the input
    by the stride along a periodic axis rolls the output by one.

    Args:
        periodic: which axes wrap; its length is the number of axes.
        in_channels, out_channels: channels of input and output.
        stride: distance of outputs.
        dilation: distance of the points of the kernel. A periodic axis needs at least that many points.
    """

    def __init__(
        self, periodic: Sequence[bool], in_channels: int, out_channels: int, stride: int = 1, dilation: int = 1
    ):
        super().__init__()
        zeros = [0 if p else dilation for p in periodic]
        self.wrap = [side for p in reversed(periodic) for side in ((dilation, dilation) if p else (0, 0))]
        self.conv = CONVOLUTIONS[len(periodic) - 1](in_channels, out_channels, 3, stride, zeros, dilation)

    def forward(self, u: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch out *coarse"]:
        return self.conv(F.pad(u, self.wrap, mode="circular") if any(self.wrap) else u)


def norm_groups(channels: int) -> int:
    """Groups of a group normalisation: the largest divisor of the channels up to 8.

    >>> norm_groups(32), norm_groups(20), norm_groups(7)
    (8, 5, 7)
    """
    return max(groups for groups in range(1, 9) if channels % groups == 0)
