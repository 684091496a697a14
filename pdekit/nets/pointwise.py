"""A perceptron over the channels of every point: y = sigma_out(skip + B sigma(A sigma_in(u) + a) + b), sigma = GELU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Perceptron(nn.Module):
    """Two pointwise affine maps with the exact GELU between them.

    Each map is one batched matrix product on "batch channel point", which is faster on CPUs than a convolution of
    width one, forward and backward.

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
        n = len(u)
        u = F.gelu(u) if self.activate else u
        # Biases are added in place to fresh products, whose backward passes do not need their values.
        hidden = F.gelu(torch.bmm(self.weight_in.expand(n, -1, -1), u).add_(self.bias_in[:, None]))
        weight = self.weight_out.expand(n, -1, -1)
        y = torch.bmm(weight, hidden) if skip is None else torch.baddbmm(skip, weight, hidden)
        y = y.add_(self.bias_out[:, None])
        return F.gelu(y) if self.activate else y
