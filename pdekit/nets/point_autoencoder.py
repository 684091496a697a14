"""Autoencoder of trajectories on points: an average onto a latent grid, a grid autoencoder there, and back to points.

    grid = sum_i w_i P f_i / sum_i w_i,   z = E(grid),   u(x) = Q [sum of w D(z) at the corners of the cell of x, x]

w are the multilinear weights of a point at the corners of its cell, P and Q pointwise perceptrons, E and D encoder and
decoder of a grid autoencoder. The decoder needs no points of the encoder, so that frames can be queried anywhere. The
idea is that of the autoencoder on meshes of Text2PDE (Zhou et al. 2025, https://arxiv.org/abs/2410.01153). Differences:
fixed weights of the corners in place of a learnt kernel over a ball; time is an axis of frames, not a coordinate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.latent_grid import at_points, corners, on_grid_of_corners
from pdekit.nets.pointwise import Perceptron

LATENT = "nodes"
"""Layout of the axes of the latent grid: its ends are the ends of the box."""


class PointAutoencoder(nn.Module):
    """Encoder and decoder of trajectories on the points of each sample, whatever their number and order.

    Args:
        ndim: coordinates of a point.
        channels: of the frames.
        net: factory of a grid autoencoder, called with ndim, channels, layout and moments.
        shape: points of each axis of the latent grid.
        width: channels of the latent grid.
        moments: whether the encoder returns mean and log variance.

    Limits: what is smaller than the spacing of the latent grid is lost. A point outside the box is taken at its edge.

    Raises:
        ValueError: on fewer than 2 points of an axis, a width that is not positive, or what the grid autoencoder
            refuses.
    """

    def __init__(
        self,
        ndim: int,
        channels: int,
        net: Callable[..., nn.Module],
        shape: Sequence[int],
        width: int = 16,
        moments: bool = False,
    ):
        super().__init__()
        self.shape, self.layout = tuple(shape), (LATENT,) * ndim
        if len(self.shape) != ndim or min(self.shape) < 2 or width < 1:
            raise ValueError(
                f"expected a latent grid of {ndim} axes with 2 points or more, and width >= 1, got {tuple(shape)} and "
                f"{width}; correct mesh_grid"
            )
        self.lifting = Perceptron(channels + ndim, 2 * width, width)
        self.net = net(ndim=ndim, channels=width + 1, layout=self.layout, moments=moments)
        self.projection = Perceptron(width + 1 + ndim, 4 * width, channels)
        self.latent_channels = self.net.latent_channels

    def coarse(self, n_times: int, space: Sequence[int]) -> tuple[int, ...]:
        """Return the numbers of latent times and points, whatever the number of points of a sample."""
        return self.net.coarse(n_times, self.shape)

    def encode(
        self, u: Float[Tensor, "batch time channel point"], points: Float[Tensor, "batch point dim"], there: Tensor
    ) -> Float[Tensor, "batch latent coarse_time *coarse_space"]:
        """Return z, or with ``moments`` its mean and log variance.

        Args:
            u: the frames; padding is never read.
            points: coordinates as shares of the box, from 0 to 1.
            there: "batch point", true for points and false for padding.
        """
        there = there[:, None] > 0
        points = torch.where(there.mT, points, 0.0)
        columns = torch.cat((u, self._places(points, u.shape[1])), 2)
        features = self.lifting(torch.where(there[:, None], columns, 0.0).flatten(0, 1))
        index, weight = corners(points, self.shape)
        weight = weight * there.to(weight)
        index, weight = (part.repeat_interleave(u.shape[1], 0) for part in (index, weight))
        grid = on_grid_of_corners(features, index, weight, self.shape)
        return self.net.encode(grid.unflatten(0, u.shape[:2]))

    def decode(
        self,
        z: Float[Tensor, "batch latent coarse_time *coarse_space"],
        n_times: int,
        space: Sequence[int],
        points: Float[Tensor, "batch point dim"],
        there: Tensor,
    ) -> Float[Tensor, "batch time channel point"]:
        """Return so many frames at these points, which need not be those of the encoder; zero in the padding."""
        grid = self.net.decode(z, n_times, self.shape)
        there = there[:, None] > 0
        points = torch.where(there.mT, points, 0.0)
        index, weight = (part.repeat_interleave(n_times, 0) for part in corners(points, self.shape))
        found = at_points(grid.flatten(0, 1), index, weight)
        columns = torch.cat((found, self._places(points, n_times).flatten(0, 1)), 1)
        u = self.projection(columns).unflatten(0, (len(z), n_times))
        return torch.where(there[:, None], u, 0.0)

    def on_grid(
        self, fields: Float[Tensor, "batch channel point"], points: Float[Tensor, "batch point dim"], there: Tensor
    ) -> Float[Tensor, "batch averaged *space"]:
        """Return fields averaged on the latent grid, and a channel that is 1 where there are points."""
        there = there[:, None] > 0
        index, weight = corners(torch.where(there.mT, points, 0.0), self.shape)
        return on_grid_of_corners(torch.where(there, fields, 0.0), index, weight * there.to(weight), self.shape)

    def _places(self, points: Tensor, n_times: int) -> Float[Tensor, "batch time dim point"]:
        places = 2 * points.mT - 1
        return places[:, None].expand(-1, n_times, -1, -1)
