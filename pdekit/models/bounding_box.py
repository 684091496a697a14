"""The box that holds all points of a training split, in float64: ends of 1e6 in float32 are off by 0.06."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.fields import Trajectory


class BoundingBox(nn.Module):
    """Lower and upper ends of the coordinates, as buffers that stay float64 when the model changes its precision.

    ``like`` has the precision and device of the model.

    Args:
        ndim: coordinates of a point.
    """

    lower: Tensor
    upper: Tensor
    like: Tensor

    def __init__(self, ndim: int):
        super().__init__()
        self.register_buffer("lower", torch.zeros(ndim, dtype=torch.float64))
        self.register_buffer("upper", torch.ones(ndim, dtype=torch.float64))
        self.register_buffer("like", torch.zeros(()), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> BoundingBox:
        """Move to a device as other modules do, but keep the ends in float64."""
        lower, upper = self.lower, self.upper
        super()._apply(fn, recurse)
        self.lower, self.upper = lower.to(self.like.device), upper.to(self.like.device)
        return self

    def watched(self, batches: Iterable[Trajectory]) -> Iterator[Trajectory]:
        """Yield batches, and take the box of their points when all have been read. Padding is no point."""
        lower, upper = (torch.full(self.lower.shape, end * torch.inf, dtype=torch.float64) for end in (1, -1))
        for batch in batches:
            assert batch.points is not None and batch.point_mask is not None, "a problem on points has both"
            real = batch.points[batch.point_mask > 0].to(lower)
            lower, upper = torch.minimum(lower, real.amin(0)), torch.maximum(upper, real.amax(0))
            yield batch
        self.lower.copy_(lower)
        self.upper.copy_(upper)

    def shares(self, points: Float[Tensor, "batch point dim"]) -> Float[Tensor, "batch point dim"]:
        """Return coordinates as shares of the box, from 0 to 1 inside, in the precision of the model."""
        span = self.upper - self.lower
        shares = (points.to(self.lower) - self.lower) / torch.where(span > 0, span, 1.0)
        return shares.to(self.like.dtype)
