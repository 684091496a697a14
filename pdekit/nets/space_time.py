"""Layers on frames "batch channel time *space": convolutions over space and over time in turn.

A convolution over space and time, factored into one over space within each frame and one over time at each point (the
(2+1)-dimensional form of Tran et al. 2018, https://arxiv.org/abs/1711.11248), works with up to three spatial axes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.convolution import Conv, norm_groups


class SpaceConv(nn.Module):
    """A convolution within each frame, see `Conv`.

    Args:
        periodic: which spatial axes wrap.
        in_channels, out_channels: channels of input and output.
        stride: distance of outputs along each spatial axis.
    """

    def __init__(self, periodic: Sequence[bool], in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.conv = Conv(periodic, in_channels, out_channels, stride)

    def forward(self, u: Float[Tensor, "batch channel time *space"]) -> Float[Tensor, "batch out time *coarse"]:
        return self.conv(u.movedim(2, 1).flatten(0, 1)).unflatten(0, (u.shape[0], u.shape[2])).movedim(1, 2)


class TimeConv(nn.Module):
    """A convolution of three frames at each point, which sees zeros before the first and after the last frame.

    Args:
        in_channels, out_channels: channels of input and output.
        stride: distance of outputs in time.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, (3, 1), (stride, 1), (1, 0))

    def forward(self, u: Float[Tensor, "batch channel time *space"]) -> Float[Tensor, "batch out fewer *space"]:
        return self.conv(u.flatten(3)).unflatten(3, u.shape[3:])


class SpaceTimeBlock(nn.Module):
    """y = u + space(sigma(norm(time(space(sigma(norm(u))))))), norm a group normalisation over time and space.

    The last convolution starts at zero, so that a new block is the identity.

    Args:
        periodic: which spatial axes wrap.
        channels: of input and output.
    """

    def __init__(self, periodic: Sequence[bool], channels: int):
        super().__init__()
        self.norm_in = nn.GroupNorm(norm_groups(channels), channels)
        self.space_in = SpaceConv(periodic, channels, channels)
        self.time = TimeConv(channels, channels)
        self.norm_out = nn.GroupNorm(norm_groups(channels), channels)
        self.space_out = SpaceConv(periodic, channels, channels)
        nn.init.zeros_(self.space_out.conv.conv.weight)
        nn.init.zeros_(self.space_out.conv.conv.bias)

    def forward(self, u: Float[Tensor, "batch channel time *space"]) -> Float[Tensor, "batch channel time *space"]:
        v = self.time(self.space_in(F.gelu(self.norm_in(u))))
        return u + self.space_out(F.gelu(self.norm_out(v)))


class ChannelMap(nn.Module):
    """A linear map of the channels, the same at each time and point."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, 1)

    def forward(self, u: Float[Tensor, "batch channel time *space"]) -> Float[Tensor, "batch out time *space"]:
        return self.conv(u.flatten(2)).unflatten(2, u.shape[2:])


def doubled(u: Float[Tensor, "batch channel time *space"], in_time: bool) -> Tensor:
    """Repeat each point of each spatial axis twice, and each frame if ``in_time``.

    >>> doubled(torch.tensor([1.0, 2.0]).reshape(1, 1, 1, 2), True).shape
    torch.Size([1, 1, 2, 4])
    """
    for axis in range(2 if in_time else 3, u.ndim):
        u = torch.repeat_interleave(u, 2, axis)
    return u


def lengthened(u: Tensor, axis: int, more: int) -> Tensor:
    """Repeat the last point of an axis so many times.

    >>> lengthened(torch.tensor([1.0, 2.0]), 0, 2).tolist()
    [1.0, 2.0, 2.0, 2.0]
    """
    if not more:
        return u
    sizes = list(u.shape)
    sizes[axis] = more
    return torch.cat((u, u.narrow(axis, u.shape[axis] - 1, 1).expand(sizes)), axis)
