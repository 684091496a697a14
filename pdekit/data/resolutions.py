"""Trajectories of one problem on several grids of the same box, as one source. A batch holds those of one grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from pdekit.data.formats.contract import Joined
from pdekit.data.windows import Source
from pdekit.fields import Grid, Points, Problem, Trajectory
from pdekit.same_box import rounded_as, same_box, same_points


class Resolutions:
    """The trajectories of several sources, one source after the other; its problem is that of the largest grid.

    Args:
        sources: sources of one problem, whose grids differ in the number of points only.

    Raises:
        ValueError: if they differ in more.
    """

    def __init__(self, sources: Sequence[Source]):
        self.problem: Problem = max((source.problem for source in sources), key=n_points)
        box = self.problem.box
        for source in sources:
            found = rounded_as(source.problem, self.problem)
            if dataclasses.replace(found, grid=box) != self.problem or not same_box(box, found.grid):
                raise ValueError(
                    f"expected data of one problem on grids of one box, {self.problem}, found {found}; give them the "
                    "same fields, inputs, times, box and layout, or open them apart"
                )
        self.grids: tuple[Grid, ...] = tuple(dict.fromkeys(map(self._grid, sources)))
        self._sources = tuple(sources)
        self._joined = Joined(sources, self.problem)
        self.n_trajectories = self._joined.n_trajectories

    def _grid(self, source: Source) -> Grid:
        """The grid of a source in the box of the whole, whose ends may differ by rounding."""
        return self.problem.box.resized(source.problem.grid.shape)

    @property
    def grid_numbers(self) -> list[int]:
        """Number of the grid of each trajectory."""
        return [self.grids.index(self._grid(part)) for part in self._sources for _ in range(part.n_trajectories)]

    def on(self, grid: Grid | Points) -> Source:
        """Return the trajectories on one of the grids.

        Raises:
            ValueError: if there are none.
        """
        own = next((known for known in self.grids if same_points(known, grid)), None)
        if own is None:
            raise ValueError(f"expected one of the grids {self.grids}, got {grid}; choose another")
        there = [source for source in self._sources if source.problem.grid.shape == own.shape]
        return Joined(there, dataclasses.replace(self.problem, grid=own))

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one, on its own grid."""
        return self._joined.read(trajectory, frames)

    def times(self, trajectory: int, frames: slice = slice(None)) -> torch.Tensor:
        """Return the times of some frames of one trajectory, "1 time"."""
        return self._joined.times(trajectory, frames)


def n_points(problem: Problem) -> int:
    """Return the number of points of the grid of a problem."""
    return int(torch.tensor(problem.grid.shape).prod())


def together(sources: Sequence[Source]) -> Source:
    """Return the trajectories of several sources as one: `Joined` if all lie on one grid, else `Resolutions`.

    Raises:
        ValueError: if they are not of one problem.
    """
    boxes = [source.problem.grid for source in sources]
    if len({box.shape for box in boxes}) > 1 and all(box.uniform for box in boxes):
        return Resolutions(sources)
    return Joined(sources) if len(sources) > 1 else sources[0]
