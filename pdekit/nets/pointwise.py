"""Maps of the channels of a point: W u + b, and y = sigma(skip + B sigma(A sigma(u) + a) + b), sigma the exact GELU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

WIDE = 2048  # numbers of a matrix from which a convolution of width one beats a batched product on CPUs


def is_wide(weight: Tensor) -> bool:
    """True if `affine` uses a convolution. On CPUs the batched product is 5 to 13 % faster for 32 channels, forward and
    backward, the convolution 20 to 40 % for 64 and more; on GPUs convolutions round to TF32 by default."""
    return weight.device.type == "cpu" and weight.numel() >= WIDE


def affine(
    u: Float[Tensor, "batch channel point"], weight: Float[Tensor, "out channel"], bias: Float[Tensor, " out"]
) -> Float[Tensor, "batch out point"]:
    """W u + b at every point."""
    if is_wide(weight):
        return F.conv1d(u, weight[:, :, None], bias)
    # In place on a fresh product, whose backward pass does not need its value.
    return torch.bmm(weight.expand(len(u), -1, -1), u).add_(bias[:, None])


class Perceptron(nn.Module):
    """Two pointwise affine maps with the exact GELU between them.

    Args:
        in_channels, hidden, out_channels: channels before, between and after the two maps.
        activate: whether GELU also acts on the input and on the output, as between two layers of a net.
    """

    def __init__(self, in_channels: int, hidden: int, out_channels: int, activate: bool = False):
        super().__init__()
        self.activate = activate
        self.weight_in = nn.Parameter((2 * torch.rand(hidden, in_channels) - 1) * in_channels**-0.5)
        self.bias_in = nn.Parameter((2 * torch.rand(hidden) - 1) * in_channels**-0.5)
        self.weight_out = nn.Parameter((2 * torch.rand(out_channels, hidden) - 1) * hidden**-0.5)
        self.bias_out = nn.Parameter((2 * torch.rand(out_channels) - 1) * hidden**-0.5)

    def forward(
        self, u: Float[Tensor, "batch channel point"], skip: Float[Tensor, "batch out point"] | None = None
    ) -> Float[Tensor, "batch out point"]:
        u = F.gelu(u) if self.activate else u
        y = affine(F.gelu(affine(u, self.weight_in, self.bias_in)), self.weight_out, self.bias_out)
        y = y if skip is None else y.add_(skip)
        return F.gelu(y) if self.activate else y
