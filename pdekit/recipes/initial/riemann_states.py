"""Uniform states of a gas in blocks: shock tubes in 1-D, the Riemann problems of four quadrants in 2-D."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid


@dataclass(frozen=True)
class RiemannStates:
    """A random uniform state in each block of a box that planes normal to the axes cut.

    The fields are density, momenta and energy of `pdekit.pdes.CompressibleEuler`. Values are averages over cells, exact
    on any grid. On a periodic axis the ends of the box are a plane, too.

    Args:
        gamma: ratio of specific heats, that of the equation.
        pieces: blocks along each axis; plane i of n - 1 lies at (i + a uniform number in [-jitter, jitter]) / n.
        jitter: below 0.5.
        density, pressure: (least, most), uniform in the logarithm.
        velocity: largest size of each component, uniform.

    Raises:
        ValueError: on ranges that are not positive, or a jitter at which planes could meet.
    """

    configurable = True

    gamma: float = 1.4
    pieces: int = 2
    jitter: float = 0.3
    density: tuple[float, float] = (0.2, 2.0)
    pressure: tuple[float, float] = (0.2, 2.0)
    velocity: float = 0.5

    version: ClassVar[int] = 1
    of_equation: ClassVar[tuple[str, ...]] = ("gamma",)

    def __post_init__(self):
        for name in ("density", "pressure"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"expected 0 < least <= most for the {name}, got {low} and {high}; correct the range")
        if self.pieces < 1 or not 0 <= self.jitter < 0.5:
            raise ValueError(
                f"expected one piece or more and a jitter from 0 to below 0.5, got {self.pieces} and {self.jitter}; "
                "correct the initial state"
            )

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        if len(fields) != grid.ndim + 2:
            raise ValueError(
                f"expected density, {grid.ndim} momenta and energy for {type(self).__name__}, got "
                f"{', '.join(field.name for field in fields)}; choose CompressibleEuler of the grid's dimension"
            )
        places = [self._planes(generator) for _ in range(grid.ndim)]
        blocks = (self.pieces,) * grid.ndim
        density, pressure = (
            np.exp(generator.uniform(log(low), log(high), blocks)) for low, high in (self.density, self.pressure)
        )
        velocity = generator.uniform(-self.velocity, self.velocity, (grid.ndim, *blocks))
        energy = pressure / (self.gamma - 1) + density * (velocity**2).sum(0) / 2
        values = torch.from_numpy(np.stack((density, *(density * velocity), energy)))
        for axis, planes in enumerate(places):
            share = block_shares(planes, grid.shape[axis], grid.layout[axis] == "periodic")
            values = (values.movedim(1 + axis, -1) @ share.T).movedim(-1, 1 + axis)
        return values

    def _planes(self, generator: np.random.Generator) -> np.ndarray:
        """The ends of the blocks of an axis, in lengths of the box."""
        inner = (
            np.arange(1, self.pieces) + generator.uniform(-self.jitter, self.jitter, self.pieces - 1)
        ) / self.pieces
        return np.concatenate(([0.0], inner, [1.0]))


def block_shares(planes: np.ndarray, n: int, periodic: bool) -> Tensor:
    """The part of each of n cells that lies in each block, "cell block"; a row sums to 1.

    Args:
        planes: ends of the blocks from 0 to 1, in lengths of the axis.
        n: number of cells.
        periodic: True if cell i is centred at i / n, False if at (i + 1/2) / n.

    >>> block_shares(np.array([0.0, 0.375, 1.0]), 4, False).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.0, 1.0]]
    """
    ends = torch.from_numpy(planes) * n
    lower = torch.arange(n, dtype=torch.float64)[:, None] - (0.5 if periodic else 0.0)
    share = torch.zeros(n, len(planes) - 1, dtype=torch.float64)
    for shift in (-n, 0, n) if periodic else (0,):
        below, above = ends[:-1] + shift, ends[1:] + shift
        share += (torch.minimum(lower + 1, above) - torch.maximum(lower, below)).clamp_min(0.0)
    return share
