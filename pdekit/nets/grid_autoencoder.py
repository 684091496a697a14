"""Autoencoder of trajectories on a grid: frames -> a coarse grid of latent channels in time and space -> frames.

The residual convolutions of the autoencoders of latent diffusion (Rombach et al. 2022,
https://arxiv.org/abs/2112.10752), in factored form and without attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.convolution import norm_groups
from pdekit.nets.layout import bounded_coordinates, checked_layout, intervals
from pdekit.nets.space_time import ChannelMap, SpaceConv, SpaceTimeBlock, TimeConv, doubled, lengthened


class GridAutoencoder(nn.Module):
    """Encoder z = E(u) and decoder u = D(z) of trajectories with one to three spatial axes.

    Each level halves every spatial axis; the last ``time_halvings`` levels also halve the frames. Rolling the input
    along a periodic axis by 2^levels points rolls the latent grid by one and changes nothing else. Bounded axes see
    zeros beyond their ends and get their coordinate as an input channel of the encoder; frames and bounded axes that
    cannot be halved are lengthened by repeating their last point, and cut again. Any number of frames will do.

    Args:
        ndim: number of spatial axes, 1 to 3.
        channels: of the frames.
        layout: where the points of each axis lie, see pdekit.nets.layout; None means periodic.
        widths: channels of each level, from fine to coarse.
        latent_channels: channels of z.
        time_halvings: how many of the levels halve the frames.
        blocks: residual blocks of each level, in the encoder and in the decoder.
        moments: whether the encoder returns mean and log variance of each latent channel instead of its value.

    Raises:
        ValueError: on numbers that cannot be; `encode` raises it on a periodic axis that cannot be halved so often.
    """

    configurable = True

    def __init__(
        self,
        ndim: int,
        channels: int,
        layout: Sequence[str] | None = None,
        widths: Sequence[int] = (32, 64, 64),
        latent_channels: int = 8,
        time_halvings: int = 2,
        blocks: int = 1,
        moments: bool = False,
    ):
        super().__init__()
        if ndim not in (1, 2, 3):
            raise ValueError(f"expected ndim 1, 2 or 3, got {ndim}; an autoencoder of grids needs one to three axes")
        if not widths or min(*widths, latent_channels, blocks) < 1 or not 0 <= time_halvings <= len(widths):
            raise ValueError(
                "expected widths, latent_channels and blocks >= 1 and time_halvings from 0 to the number of levels, "
                f"got {tuple(widths)}, {latent_channels}, {blocks} and {time_halvings}; correct them"
            )
        self.ndim, self.channels, self.layout = ndim, channels, checked_layout(layout, ndim)
        self.latent_channels, self.n_levels = latent_channels, len(widths)
        self.time_halvings = time_halvings
        periodic = tuple(where == "periodic" for where in self.layout)
        into = channels + periodic.count(False)
        halves_time = [level >= len(widths) - time_halvings for level in range(len(widths))]
        down: list[nn.Module] = []
        for (coarse_in, coarse_out), in_time in zip(pairwise([into, *widths]), halves_time, strict=True):
            down.append(SpaceConv(periodic, coarse_in, coarse_out, stride=2))
            down.append(TimeConv(coarse_out, coarse_out, 2 if in_time else 1))
            down += [SpaceTimeBlock(periodic, coarse_out) for _ in range(blocks)]
        self.down = nn.Sequential(*down)
        self.to_latent = nn.Sequential(
            nn.GroupNorm(norm_groups(widths[-1]), widths[-1]),
            nn.GELU(),
            ChannelMap(widths[-1], latent_channels * (2 if moments else 1)),
        )
        self.from_latent = ChannelMap(latent_channels, widths[-1])
        self.up = nn.ModuleList(
            FinerLevel(periodic, coarse, fine, blocks, in_time)
            for (fine, coarse), in_time in zip(pairwise([widths[0], *widths]), halves_time, strict=True)
        )
        self.to_frames = nn.Sequential(
            nn.GroupNorm(norm_groups(widths[0]), widths[0]), nn.GELU(), SpaceConv(periodic, widths[0], channels)
        )

    def coarse(self, n_times: int, space: Sequence[int]) -> tuple[int, ...]:
        """Return the numbers of latent times and points of so many frames and points.

        Raises:
            ValueError: if a periodic axis cannot be halved as often as there are levels.
        """
        stride = 2**self.n_levels
        if any(n % stride for n, where in zip(space, self.layout, strict=True) if where == "periodic"):
            raise ValueError(
                f"expected a grid whose periodic sizes are multiples of {stride} (the autoencoder halves it "
                f"{self.n_levels} times), got {tuple(space)}; use fewer widths or another grid"
            )
        halved = [-(-intervals(n, where) // stride) for n, where in zip(space, self.layout, strict=True)]
        ends = [where == "nodes" for where in self.layout]
        points = tuple(n + end for n, end in zip(halved, ends, strict=True))
        return (-(-n_times // 2**self.time_halvings), *points)

    def encode(
        self, u: Float[Tensor, "batch time channel *space"]
    ) -> Float[Tensor, "batch latent coarse_time *coarse_space"]:
        """Return z, or with ``moments`` its mean and log variance, one after the other along the channels."""
        n_times, space = u.shape[1], tuple(u.shape[3:])
        wanted = self.coarse(n_times, space)
        u = bounded_coordinates(u.flatten(0, 1), self.layout).unflatten(0, u.shape[:2]).movedim(1, 2)
        missing = [wanted[0] * 2**self.time_halvings - n_times]
        missing += [-intervals(n, where) % 2**self.n_levels for n, where in zip(space, self.layout, strict=True)]
        for axis, more in enumerate(missing, start=2):
            u = lengthened(u, axis, more)
        return self.to_latent(self.down(u))

    def decode(
        self, z: Float[Tensor, "batch latent coarse_time *coarse_space"], n_times: int, space: Sequence[int]
    ) -> Float[Tensor, "batch time channel *space"]:
        """Return so many frames on so many points."""
        u = self.from_latent(z)
        for level, refine in reversed(list(enumerate(self.up))):
            stride = 2**level
            sizes = [-(-intervals(n, where) // stride) for n, where in zip(space, self.layout, strict=True)]
            points = [n + (where == "nodes") for n, where in zip(sizes, self.layout, strict=True)]
            u = refine(u)[(..., *(slice(n) for n in points))]
        u = self.to_frames(u).movedim(2, 1)
        return u[(slice(None), slice(n_times), slice(None), *(slice(n) for n in space))]


class FinerLevel(nn.Module):
    """Residual blocks, then a grid twice as fine: one level of the decoder.

    Args:
        periodic: which spatial axes wrap.
        coarse, fine: channels before and after.
        blocks: number of blocks.
        in_time: whether frames are doubled, too.
    """

    def __init__(self, periodic: Sequence[bool], coarse: int, fine: int, blocks: int, in_time: bool):
        super().__init__()
        self.in_time = in_time
        self.blocks = nn.Sequential(*(SpaceTimeBlock(periodic, coarse) for _ in range(blocks)))
        self.time = TimeConv(coarse, fine)
        self.space = SpaceConv(periodic, fine, fine)

    def forward(self, u: Float[Tensor, "batch channel time *space"]) -> Float[Tensor, "batch out more *fine"]:
        return self.space(self.time(doubled(self.blocks(u), self.in_time)))
