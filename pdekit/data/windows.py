"""Windows of history and target frames over stored trajectories.

A window of a trajectory begins at frame s and holds ``history + target`` frames s, s + 1, ...; the pieces of data
that windows come from are whole trajectories, so that a split never shares one with another split.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils.data import Dataset

from pdekit.fields import Grid, Points, Problem, Trajectory

Window = tuple[int, int | Literal["all"]]


@runtime_checkable
class Source(Protocol):
    """Source of trajectories: a file of ours, a foreign one, arrays in memory."""

    problem: Problem
    n_trajectories: int

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Some frames of one trajectory, as a batch of one."""


@runtime_checkable
class Timed(Protocol):
    """Source that knows times without reading fields."""

    def times(self, trajectory: int, frames: slice = slice(None)) -> Tensor:
        """Times of some frames of one trajectory, "1 time"."""


@runtime_checkable
class Gridded(Protocol):
    """Source whose trajectories lie on several grids, see `pdekit.data.resolutions`."""

    grids: tuple[Grid, ...]

    @property
    def grid_numbers(self) -> list[int]:
        """Number of the grid of each trajectory."""

    def on(self, grid: Grid | Points) -> Source:
        """The trajectories on one of the grids."""


def grids_of(source: Source) -> tuple[Grid | Points, ...]:
    """Return the grids of a source, the one of its problem if there are not several."""
    several = several_grids_of(source)
    return (source.problem.grid,) if several is None else several.grids


def several_grids_of(source: Source | None) -> Gridded | None:
    """Return the source if its trajectories lie on several grids, else None."""
    return source if isinstance(source, Gridded) else None


def trajectories_on(source: Source, grid: Grid | Points) -> Source:
    """Return the trajectories on a grid, of a source on several; any other source as it is."""
    several = several_grids_of(source)
    return source if several is None else several.on(grid)


def on_one_grid(source: Source, purpose: str) -> Source:
    """Return a source whose trajectories lie on one grid.

    Raises:
        ValueError: if they lie on several.
    """
    grids = grids_of(source)
    if len(grids) > 1:
        sizes = ", ".join("x".join(map(str, grid.shape)) for grid in grids)
        raise ValueError(f"expected data on one grid {purpose}, found the grids {sizes}; give the files of one grid")
    return source


def read_times(source: Source, trajectory: int, frames: slice = slice(None)) -> Tensor:
    """Return the times of some frames of one trajectory, "1 time"; fields are read if the source is not `Timed`."""
    if isinstance(source, Timed):
        return source.times(trajectory, frames)
    return source.read(trajectory, frames).t


class Windows(Dataset):
    """All windows of some trajectories of a source.

    Args:
        source: source of the trajectories.
        window: (history, target) in frames; target "all" takes every later frame, so that each trajectory gives
            one window.
        n_trajectories: use only so many, from the first on; None for all.
        frames: use only this range of the frames of each trajectory.
        stride: frames between the beginnings of neighbouring windows.

    Raises:
        ValueError: if more trajectories or frames are asked for than there are.
    """

    def __init__(
        self,
        source: Source,
        window: Window = (1, 1),
        n_trajectories: int | None = None,
        frames: slice = slice(None),
        stride: int = 1,
    ):
        self.source = source
        self.problem = source.problem
        self.frames = range(source.problem.n_frames)[frames]
        self.n_trajectories = source.n_trajectories if n_trajectories is None else n_trajectories
        self.stride = stride
        if not 0 < self.n_trajectories <= source.n_trajectories:
            raise ValueError(
                f"expected 1 to {source.n_trajectories} trajectories, got n_trajectories={n_trajectories}; "
                "generate more or ask for fewer"
            )
        if stride < 1 or self.frames.step != 1:
            raise ValueError(f"expected a stride >= 1 and consecutive frames, got {stride} and {frames}; correct them")
        self.history, self.target = self._resolve(window)

    def _resolve(self, window: Window) -> tuple[int, int]:
        history, target = window
        available = len(self.frames)
        if target == "all":
            target = available - history
        if history < 0 or target < 1 or history + target > available:
            raise ValueError(
                f"expected a window (history, target) of at most {available} frames with target >= 1, got {window}; "
                "shorten it or store longer trajectories"
            )
        return history, target

    @property
    def per_trajectory(self) -> int:
        """Windows of each trajectory."""
        return (len(self.frames) - self.history - self.target) // self.stride + 1

    @property
    def groups(self) -> list[int] | None:
        """The number of the grid of each window; None if all lie on one."""
        several = several_grids_of(self.source)
        if several is None:
            return None
        numbers = several.grid_numbers[: self.n_trajectories]
        return [number for number in numbers for _ in range(self.per_trajectory)]

    def __len__(self) -> int:
        return self.n_trajectories * self.per_trajectory

    def __getitem__(self, i: int) -> Trajectory:
        """Window i: a batch of one. Windows of one trajectory are neighbours."""
        if not 0 <= i < len(self):
            raise IndexError(f"expected a window from 0 to {len(self) - 1}, got {i}; use a number in this range")
        trajectory, place = divmod(int(i), self.per_trajectory)
        start = self.frames.start + place * self.stride
        return self.source.read(trajectory, slice(start, start + self.history + self.target))

    def trajectories(self, which: Sequence[int]) -> Trajectory:
        """Whole trajectories as one batch."""
        frames = slice(self.frames.start, self.frames.stop)
        return collate([self.source.read(int(i), frames) for i in which])


def collate(batches: Sequence[Trajectory]) -> Trajectory:
    """Several batches as one; parts that are absent stay absent."""
    first = batches[0]
    if len(batches) == 1:
        return first
    joined = {}
    for item in dataclasses.fields(Trajectory):
        value = getattr(first, item.name)
        if isinstance(value, Tensor):
            joined[item.name] = torch.cat([getattr(batch, item.name) for batch in batches])
    if first.text is not None:
        joined["text"] = tuple(text for batch in batches for text in batch.text)
    return dataclasses.replace(first, **joined)
