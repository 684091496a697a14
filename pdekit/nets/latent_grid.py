"""Nets on points: a grid net between an average of points onto a regular latent grid and an interpolation back.

    grid = sum_i w_i P f_i / sum_i w_i,  v = grid_net(grid),  out = Q [sum of w v at the corners of the cell, P f]

w are the multilinear weights of a point at the corners of its cell, P and Q pointwise perceptrons. The idea of a
Fourier net on a latent grid is that of Li et al. 2023 (GINO, https://arxiv.org/abs/2309.00583). Differences: fixed
weights of the corners in place of a learnt kernel over neighbours, so that memory is bounded by points x 2^ndim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.base import GridNet
from pdekit.nets.condition import Condition, check_condition
from pdekit.nets.layout import for_each_axis
from pdekit.nets.pointwise import Perceptron


class LatentGridNet(nn.Module):
    """A map from fields at the points of a sample to fields at the same points, whatever their number and order.

    Args:
        ndim: coordinates of a point.
        in_channels, out_channels: channels at each point.
        n_conditions: scalars that condition the grid net, each of order one.
        net: factory of a grid net, called with layout, in_channels, out_channels and n_conditions.
        shape: points of the latent grid, one number for all axes or one for each; about as many as there are points.
        width: channels of the latent grid.

    Limits: structures below the spacing of the latent grid reach the output through the features of their own point
    only. A point outside the box is taken at its edge.

    Raises:
        ValueError: on fewer than 2 points of an axis, or sizes that are not positive.
    """

    configurable = True

    def __init__(
        self,
        ndim: int,
        in_channels: int,
        out_channels: int,
        n_conditions: int,
        *,
        net: Callable[..., GridNet],
        shape: int | Sequence[int] = 32,
        width: int = 32,
    ):
        super().__init__()
        self.shape = for_each_axis(shape, ndim)
        if len(self.shape) != ndim or min(self.shape) < 2 or width < 1:
            raise ValueError(
                f"expected a latent grid of {ndim} axes with 2 points or more, and width >= 1, got {shape} and "
                f"{width}; correct model.net"
            )
        self.in_channels, self.n_conditions = in_channels, n_conditions
        self.lifting = Perceptron(in_channels + ndim, 2 * width, width)
        self.net = net(layout=("nodes",) * ndim, in_channels=width + 1, out_channels=width, n_conditions=n_conditions)
        self.projection = Perceptron(2 * width, 2 * width, out_channels)

    def forward(
        self,
        u: Float[Tensor, "batch channel point"],
        points: Float[Tensor, "batch point dim"],
        there: Tensor,
        condition: Condition | None = None,
    ) -> Float[Tensor, "batch out point"]:
        """Fields at the points.

        Args:
            u: channels at the points.
            points: coordinates as shares of the box, from 0 to 1.
            there: "batch point", true for points and false for padding, whose channels are never read and whose output
                is 0.
            condition: scalars of each sample.

        Raises:
            ValueError: if the sizes are not those of the net.
        """
        if u.shape[1] != self.in_channels or points.shape[-1] != len(self.shape):
            raise ValueError(
                f"expected {self.in_channels} channels at points of {len(self.shape)} coordinates, got u "
                f"{tuple(u.shape)} and points {tuple(points.shape)}; build the net for the data"
            )
        check_condition(condition, len(u), self.n_conditions, token_width=0, n_fields=0)
        there = there[:, None] > 0
        points = torch.where(there.mT, points, 0.0)
        columns = torch.cat((u, 2 * points.mT - 1), 1)
        features = self.lifting(torch.where(there, columns, 0.0))
        index, weight = corners(points, self.shape)
        weight = weight * there.to(weight)
        latent = self.net(on_grid_of_corners(features, index, weight, self.shape), condition)
        back = at_points(latent, index, weight)
        return torch.where(there, self.projection(torch.cat((back, features), 1)), 0.0)


def corners(points: Float[Tensor, "batch point dim"], shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return number and multilinear weight of the corners of the cell of each point, "batch corner point".

    >>> index, weight = corners(torch.tensor([[[0.75]]]), (3,))
    >>> index.flatten().tolist(), weight.flatten().tolist()
    ([1, 2], [0.5, 0.5])
    """
    sizes = torch.tensor(shape, device=points.device)
    place = points.clamp(0, 1) * (sizes - 1)
    cell = torch.minimum(place.floor().long(), sizes - 2)
    share = place - cell
    numbers, weights = [], []
    for corner in product((0, 1), repeat=len(shape)):
        number, weight = torch.zeros_like(cell[..., 0]), torch.ones_like(share[..., 0])
        for axis, step in enumerate(corner):
            number = number * shape[axis] + cell[..., axis] + step
            weight = weight * (share[..., axis] if step else 1 - share[..., axis])
        numbers.append(number)
        weights.append(weight)
    return torch.stack(numbers, 1), torch.stack(weights, 1)


def on_grid_of_corners(
    features: Float[Tensor, "batch channel point"], index: Tensor, weight: Tensor, shape: Sequence[int]
) -> Float[Tensor, "batch averaged *space"]:
    """Return the weighted average of the points around each point of a grid, and a channel that is 1 where there are
    some. Where there are none both are 0."""
    batch, channels, _ = features.shape
    size = int(torch.Size(shape).numel())
    kind = torch.promote_types(features.dtype, weight.dtype)  # features of a training in half precision
    total = features.new_zeros(batch, channels, size, dtype=kind)
    mass = features.new_zeros(batch, 1, size, dtype=kind)
    for corner in range(index.shape[1]):  # one corner at a time: memory of points, not of points x corners
        number, share = index[:, None, corner], weight[:, None, corner]
        total = total.scatter_add(2, number.expand(-1, channels, -1), share * features)
        mass = mass.scatter_add(2, number, share.to(mass))
    seen = mass > 0
    average = torch.where(seen, total / torch.where(seen, mass, 1.0), 0.0)
    return torch.cat((average, seen.to(average)), 1).unflatten(2, tuple(shape))


def at_points(
    latent: Float[Tensor, "batch channel *space"], index: Tensor, weight: Tensor
) -> Float[Tensor, "batch channel point"]:
    """Return the multilinear interpolation of a grid at the points of `corners`."""
    flat = latent.flatten(2)
    total = torch.zeros((), dtype=flat.dtype, device=flat.device)
    for corner in range(index.shape[1]):
        number = index[:, None, corner].expand(-1, flat.shape[1], -1)
        total = total + weight[:, None, corner] * flat.gather(2, number)
    return total
