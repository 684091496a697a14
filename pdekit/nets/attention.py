"""Attention between sets of tokens, and places of the points of a grid as features of tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pdekit.nets.layout import LAYOUTS, axis_shares

TIME = "time"  # an axis of frames: no end is fixed
HARMONICS = 8  # of each spatial axis
LONGEST = 64.0  # longest period of the positions of frames, in units of the distance of two tokens


class Attention(nn.Module):
    """softmax(Q K^T / sqrt(d)) V of several heads (Vaswani et al. 2017), Q of tokens, K and V of a context.

    Args:
        width: length of the tokens, a multiple of ``heads``.
        heads: number of heads.
        context_width: length of the tokens of the context; ``width`` if None.

    Raises:
        ValueError: if the width is no multiple of the heads.
    """

    def __init__(self, width: int, heads: int, context_width: int | None = None):
        super().__init__()
        if width % heads:
            raise ValueError(f"expected a width that is a multiple of the {heads} heads, got {width}; change one")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(context_width or width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "batch token width"],
        context: Float[Tensor, "batch other wide"] | None = None,
        mask: Bool[Tensor, "batch other"] | None = None,
    ) -> Float[Tensor, "batch token width"]:
        """Return the attention of x to the context (None: to x) where the mask is true (None: everywhere).

        A sample needs a token whose mask is true.
        """
        q = self.query(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
        k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in self.key_value(x if context is None else context).chunk(2, 2)
        )
        seen = None if mask is None else mask[:, None, None]
        return self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(1, 2).flatten(2))


class Positions(nn.Module):
    """Vectors that say where the tokens of a grid lie; added to the tokens.

    A spatial axis gives sin and cos of its first harmonics at each place x / L, whole periods on a periodic axis and
    half ones on a bounded axis, so that another number of points of the same box has the same functions. A time axis
    gives sin and cos of the number of the token at frequencies from 1 to 1/64, whatever the number of tokens.

    Args:
        layout: of each axis, "time" or one of those of pdekit.nets.layout.
        width: length of the vectors.
    """

    def __init__(self, layout: Sequence[str], width: int):
        super().__init__()
        unknown = [where for where in layout if where not in (TIME, *LAYOUTS)]
        if unknown:
            raise ValueError(f"expected axes among {(TIME, *LAYOUTS)}, got {unknown}; give the layout of the grid")
        self.layout = tuple(layout)
        self.linear = nn.Linear(2 * HARMONICS * len(self.layout), width)

    def forward(self, shape: Sequence[int]) -> Float[Tensor, "token width"]:
        """Return the vector of each token of a grid of this shape, in the order of its flattened axes."""
        like, columns = self.linear.weight, []
        for axis, (n, where) in enumerate(zip(shape, self.layout, strict=True)):
            features = axis_features(n, where, like)
            lines = features.reshape([n if a == axis else 1 for a in range(len(shape))] + [-1])
            columns.append(lines.expand(*shape, -1))
        return self.linear(torch.cat(columns, -1)).flatten(0, -2)


def axis_features(n: int, where: str, like: Tensor) -> Float[Tensor, "n feature"]:
    """Return sin and cos of the positions of the n points of an axis."""
    if where == TIME:
        frequencies = torch.exp(torch.linspace(0.0, -math.log(LONGEST), HARMONICS)).to(like)
        phase = torch.arange(n, dtype=like.dtype, device=like.device)[:, None] * frequencies
    else:
        period = 2 * math.pi if where == "periodic" else math.pi
        phase = period * axis_shares(n, where, like)[:, None] * torch.arange(1, HARMONICS + 1).to(like)
    return torch.cat((phase.sin(), phase.cos()), -1)
