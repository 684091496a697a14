"""The same trajectories seen on another grid of the same box."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pdekit.calculus.resample import bring
from pdekit.data.windows import Source, read_times
from pdekit.fields import Trajectory


class Resampled:
    """A source, each frame brought to another grid (see `bring`), and its coefficient fields and masks with it.

    Args:
        source: source of trajectories on a uniform grid.
        shape: points of each axis.

    Raises:
        ValueError: if its fields cannot be brought to that shape, or a mask would have to be made up between points.
    """

    def __init__(self, source: Source, shape: Sequence[int]):
        grid: Any = source.problem.grid
        if not grid.uniform:
            raise ValueError(f"expected a uniform grid, got {type(grid).__name__}; leave resolution out")
        if source.problem.has_mask and set(grid.layout) != {"nodes"}:
            raise ValueError(
                f"expected no mask on a grid of {', '.join(sorted(set(grid.layout)))}: where fields exist is known at "
                "the stored points only; leave resolution out"
            )
        self.source, self.n_trajectories, self.grid = source, source.n_trajectories, grid
        self.averages = source.problem.pde is not None and source.problem.pde.averages
        self.problem = dataclasses.replace(source.problem, grid=grid.resized(shape))
        self._bring(torch.zeros(1, 1, *grid.shape))

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Some frames of one trajectory, as a batch of one."""
        batch = self.source.read(trajectory, frames)
        return dataclasses.replace(
            batch,
            u=self._bring(batch.u.flatten(0, 1)).unflatten(0, batch.u.shape[:2]),
            coeffs=None if batch.coeffs is None else self._bring(batch.coeffs),
            mask=None if batch.mask is None else self._bring(batch.mask),
            forcing=None
            if batch.forcing is None
            else self._bring(batch.forcing.flatten(0, 1)).unflatten(0, batch.forcing.shape[:2]),
        )

    def times(self, trajectory: int, frames: slice = slice(None)) -> Tensor:
        """Times of some frames of one trajectory, "1 time"."""
        return read_times(self.source, trajectory, frames)

    def _bring(self, u: Tensor) -> Tensor:
        return bring(u, self.grid, self.problem.grid.shape, self.averages)
