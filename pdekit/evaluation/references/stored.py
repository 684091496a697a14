"""What forecasts are scored against: blocks of frames, one after the other, so that any horizon fits into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from pdekit.data.windows import Source, collate
from pdekit.evaluation.forecasting import VALUES
from pdekit.fields import Problem, Trajectory
from pdekit.metrics.sums import Sums
from pdekit.recipes.base import Tick, silent


@dataclass(frozen=True)
class Span:
    """Which frames are wanted: of each sample ``history`` given ones, and ``horizon`` after them in blocks of ``size``.

    Args:
        trajectories, starts: of each sample, its trajectory and the frame of it that is the first given one.
        history, horizon, size: numbers of frames.

    >>> Span((0,), (0,), 1, 5, 2).blocks
    (slice(0, 2, None), slice(2, 4, None), slice(4, 5, None))
    """

    trajectories: tuple[int, ...]
    starts: tuple[int, ...]
    history: int
    horizon: int
    size: int

    @property
    def blocks(self) -> tuple[slice, ...]:
        """Frames of each block, counted from the first one that is wanted."""
        return tuple(slice(i, min(i + self.size, self.horizon)) for i in range(0, self.horizon, self.size))

    @property
    def parts(self) -> tuple[slice, ...]:
        """Frames of what is given and of each block, counted from the first given one."""
        n = self.history
        return slice(0, n), *(slice(n + block.start, n + block.stop) for block in self.blocks)


@runtime_checkable
class Reference(Protocol):
    """Frames that forecasts are compared with: `Stored`, or `continued.Continued` beyond the stored frames.

    ``frames`` yields the given frames, then block after block; ``times`` are those of all of them, "batch time";
    ``forcing`` is that of some frames, counted from the first given one. ``tick`` is told of ``work`` that is done.
    """

    problem: Problem
    n_trajectories: int
    tick: Tick

    def work(self, span: Span) -> int: ...

    def frames(self, span: Span) -> Iterator[Trajectory]: ...

    def times(self, span: Span) -> Tensor: ...

    def forcing(self, span: Span, frames: slice) -> Tensor | None: ...


class Stored:
    """The reference is read from a source, block by block."""

    def __init__(self, source: Source):
        self.source, self.problem, self.n_trajectories = source, source.problem, source.n_trajectories
        self.tick = silent

    def work(self, span: Span) -> int:
        return 0  # not worth a bar

    def frames(self, span: Span) -> Iterator[Trajectory]:
        return (read(self.source, span.trajectories, span.starts, part) for part in span.parts)

    def times(self, span: Span) -> Tensor:
        return torch.cat([read(self.source, span.trajectories, span.starts, part).t for part in span.parts], 1)

    def forcing(self, span: Span, frames: slice) -> Tensor | None:
        if not self.problem.forcing:
            return None
        return read(self.source, span.trajectories, span.starts, frames).forcing


class References:
    """One block of the reference; what is computed of a part of it is kept for all models.

    Args:
        wanted: the block.
        problem: its problem.
        first: number of its first frame.
    """

    def __init__(self, wanted: Trajectory, problem: Problem, first: int = 0):
        self.u, self.problem, self.mask, self.first = wanted.u, problem, mask_of(wanted), first
        self._known: dict[tuple[int, int, torch.device], Sums] = {}

    @property
    def parts(self) -> list[slice]:
        """Its frames, numbered as those of the whole forecast, in parts that fit into a cache."""
        return [slice(self.first + part.start, self.first + part.stop) for part in parts_of(self.u)]

    def part(self, frames: slice, device: torch.device) -> Sums:
        """Some frames of the block, numbered as those of the whole forecast."""
        key = (frames.start, frames.stop, device)
        if key not in self._known:
            mask = None if self.mask is None else self.mask.to(device)
            u = self.u[:, frames.start - self.first : frames.stop - self.first]
            self._known[key] = Sums(u.to(device), self.problem, mask)
        return self._known[key]


def read(source: Source, trajectories: Sequence[int], starts: Sequence[int], frames: slice) -> Trajectory:
    """Frames of several trajectories, each counted from its own start, as one batch.

    Raises:
        ValueError: on NaN or Inf in a reference, outside a mask: nothing can be scored against it.
    """
    pieces = [
        source.read(trajectory, slice(start + frames.start, start + frames.stop))
        for trajectory, start in zip(trajectories, starts, strict=True)
    ]
    batch = collate(pieces)
    check_finite(batch, trajectories)
    return batch


def check_finite(batch: Trajectory, trajectories: Sequence[int]) -> None:
    """Refuse a reference that is not finite where its fields exist."""
    bad = ~torch.isfinite(batch.u)
    if batch.mask is not None:
        bad &= batch.mask[:, None] > 0
    if batch.point_mask is not None:
        bad &= batch.point_mask[:, None, None] > 0
    if bad.any():
        row, frame = (int(i) for i in bad.flatten(2).any(-1).nonzero()[0])
        raise ValueError(
            f"expected a finite reference, found NaN or Inf in test trajectory {trajectories[row]} at "
            f"t = {float(batch.t[row, frame]):g}; remove it, or mask the points where the field does not exist"
        )


def mask_of(batch: Trajectory) -> Tensor | None:
    """Where fields exist, "batch field *space": the mask, and on a mesh the points that are no padding."""
    if batch.point_mask is None:
        return batch.mask
    real = batch.point_mask.unsqueeze(1)
    return real if batch.mask is None else batch.mask * real


def parts_of(u: Tensor) -> list[slice]:
    """Frames of "batch time ..." in parts of at most `VALUES` values."""
    n_frames = u.shape[1]
    size = max(1, VALUES * n_frames // u.numel())
    return [slice(start, min(start + size, n_frames)) for start in range(0, n_frames, size)]
