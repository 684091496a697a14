"""Diffusion transformer on a grid of time and space, conditioned on scalars and on tokens.

Peebles and Xie (2023), "Scalable Diffusion Models with Transformers" (https://arxiv.org/abs/2212.09748), with the
cross-attention of Text2PDE (Zhou et al. 2025, https://arxiv.org/abs/2410.01153).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pdekit.nets.attention import Attention, Positions
from pdekit.nets.condition import Condition, check_condition
from pdekit.nets.conditioning import ConditionEmbedding
from pdekit.nets.space_time import lengthened

PARTS = 6  # offset, gain and gate of the attention and of the perceptron


@dataclass(frozen=True)
class TransformerSize:
    """Size of a transformer. The default, of about one million weights, trains on a laptop.

    Published sizes of Text2PDE: S 512 x 24, M 1024 x 28, L 2304 x 28, with 16, 16 and 32 heads and patches of 2 points.

    Args:
        width: length of the tokens.
        depth: number of blocks.
        heads: heads of each attention.
        patch: points of a patch along each axis, one number for each; single points if empty.

    Raises:
        ValueError: on numbers below 1.
    """

    configurable = True

    width: int = 96
    depth: int = 6
    heads: int = 4
    patch: Sequence[int] = ()

    def __post_init__(self):
        if min(self.width, self.depth, self.heads, *self.patch) < 1:
            raise ValueError(f"expected width, depth, heads and patch >= 1, got {self}; correct the size")


class TransformerBlock(nn.Module):
    """With offset, gain and gate of both branches from the condition c (adaLN-zero):

        x <- x + gate_1 attention((1 + gain_1) norm(x) + offset_1)
        x <- x + attention(norm(x), context)                        (where there is a context)
        x <- x + gate_2 perceptron((1 + gain_2) norm(x) + offset_2)

    Gates and the last layer of the attention to the context start at zero: a new block is the identity.

    Args:
        width: length of the tokens.
        heads: of both attentions.
        token_width: length of the tokens of the context; 0 for none.
    """

    def __init__(self, width: int, heads: int, token_width: int):
        super().__init__()
        self.attention = Attention(width, heads)
        self.cross = Attention(width, heads, token_width) if token_width else None
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))
        self.modulation = nn.Linear(width, PARTS * width)
        for layer in (self.modulation, *([] if self.cross is None else [self.cross.out])):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, c: Tensor, context: Tensor | None, mask: Tensor | None) -> Tensor:
        offset_1, gain_1, gate_1, offset_2, gain_2, gate_2 = self.modulation(c)[:, None].chunk(PARTS, -1)
        x = x + gate_1 * self.attention((1 + gain_1) * standardised(x) + offset_1)
        if self.cross is not None:
            x = x + self.cross(standardised(x), context, mask)
        return x + gate_2 * self.perceptron((1 + gain_2) * standardised(x) + offset_2)


class SpaceTimeTransformer(nn.Module):
    """u "batch channel *grid" -> "batch out *grid", through tokens that are patches of the grid.

    c = embedding(scalars) + linear(mean of the tokens of the condition that count); see `TransformerBlock`. A learnt
    token always stands next to those of the condition: a sample whose mask is false everywhere has no other, which is
    the unconditional model. Positions (`Positions`) allow other numbers of frames and points than those of training.

    Differences from the released code: the mask of the condition is used; the attention to the context starts at zero;
    positions are fixed functions of the place with a learnt linear map instead of a learnt table of one shape.

    Args:
        layout: of each axis, "time" or one of those of pdekit.nets.layout.
        in_channels, out_channels: channels of input and output.
        n_conditions: scalars, each of order one.
        token_width: length of the tokens of the condition; 0 for none.
        size: of the net; the default one if None.

    Raises:
        ValueError: on numbers below 1, or a patch with another number of axes.
    """

    configurable = True

    def __init__(
        self,
        layout: Sequence[str],
        in_channels: int,
        out_channels: int,
        n_conditions: int = 1,
        token_width: int = 0,
        size: TransformerSize | None = None,
    ):
        super().__init__()
        size = size or TransformerSize()
        self.patch = tuple(size.patch) or (1,) * len(layout)
        if min(in_channels, out_channels, n_conditions) < 1 or len(self.patch) != len(layout):
            raise ValueError(
                f"expected channels and n_conditions >= 1 and a patch for the axes {tuple(layout)}, got "
                f"{in_channels}, {out_channels}, {n_conditions} and {self.patch}; correct them"
            )
        width, n_points = size.width, prod(self.patch)
        self.n_conditions, self.token_width, self.in_channels = n_conditions, token_width, in_channels
        self.enter = nn.Linear(in_channels * n_points, width)
        self.positions = Positions(layout, width)
        self.embedding = ConditionEmbedding(n_conditions, width)
        if token_width:
            self.alone = nn.Parameter(torch.randn(token_width))
            self.pooled = nn.Linear(token_width, width)
        self.blocks = nn.ModuleList(TransformerBlock(width, size.heads, token_width) for _ in range(size.depth))
        self.last = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, out_channels * n_points)
        for layer in (self.last, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, u: Float[Tensor, "batch channel *grid"], condition: Condition | None = None
    ) -> Float[Tensor, "batch out *grid"]:
        if u.ndim != len(self.positions.layout) + 2 or u.shape[1] != self.in_channels:
            raise ValueError(
                f"expected u with {self.in_channels} channels on a grid with the axes {self.positions.layout}, got "
                f"shape {tuple(u.shape)}; build the net for this grid"
            )
        condition = condition or Condition()
        check_condition(condition, len(u), self.n_conditions, self.token_width, 0)
        shape = u.shape[2:]
        for axis, points in enumerate(self.patch, start=2):
            u = lengthened(u, axis, -u.shape[axis] % points)
        patches, grid = in_patches(u, self.patch)
        x = self.enter(patches) + self.positions(grid)
        c, context, mask = self.embedding(condition.scalars), None, None
        if self.token_width:
            context, mask = self.context(condition)
            c = c + self.pooled((context * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
        c = F.silu(c)
        for block in self.blocks:
            x = block(x, c, context, mask)
        offset, gain = self.last(c)[:, None].chunk(2, -1)
        out = from_patches(self.leave((1 + gain) * standardised(x) + offset), self.patch, grid)
        return out[(..., *(slice(n) for n in shape))]

    def context(self, condition: Condition) -> tuple[Float[Tensor, "batch token width"], Bool[Tensor, "batch token"]]:
        """Return the tokens of the condition behind the one that is always there, and which of them count."""
        tokens = condition.tokens
        assert tokens is not None
        alone = self.alone.expand(len(tokens), 1, -1)
        seen = tokens.new_ones(tokens.shape[:2], dtype=torch.bool)
        seen = seen if condition.token_mask is None else condition.token_mask
        return torch.cat((alone, tokens), 1), torch.cat((seen.new_ones(len(seen), 1), seen), 1)


def in_patches(
    u: Float[Tensor, "batch channel *grid"], patch: Sequence[int]
) -> tuple[Float[Tensor, "batch patch value"], tuple[int, ...]]:
    """Return the values of each patch, and the number of patches along each axis.

    >>> patches, grid = in_patches(torch.arange(8.0).reshape(1, 1, 2, 4), (1, 2))
    >>> patches[0].tolist(), grid
    ([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]], (2, 2))
    """
    grid = tuple(n // points for n, points in zip(u.shape[2:], patch, strict=True))
    for axis, points in reversed(list(enumerate(patch))):
        u = u.unflatten(2 + axis, (-1, points))
    axes = range(len(patch))
    u = u.permute(0, *(2 + 2 * axis for axis in axes), 1, *(3 + 2 * axis for axis in axes))
    return u.flatten(1, len(patch)).flatten(2), grid


def from_patches(
    patches: Float[Tensor, "batch patch value"], patch: Sequence[int], grid: Sequence[int]
) -> Float[Tensor, "batch channel *grid"]:
    """Return the field of which these are the patches, see `in_patches`."""
    n_axes = len(patch)
    u = patches.unflatten(2, (-1, *patch)).unflatten(1, tuple(grid))
    u = u.permute(0, n_axes + 1, *(a for axis in range(n_axes) for a in (1 + axis, n_axes + 2 + axis)))
    for axis in range(n_axes):
        u = u.flatten(2 + axis, 3 + axis)
    return u


def standardised(x: Float[Tensor, "batch token width"]) -> Float[Tensor, "batch token width"]:
    """Return each token with mean zero and variance one."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)
