"""References that forecasts are compared with, in blocks of frames, so that any horizon fits into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from pdekit.data.windows import Source, collate, read_times
from pdekit.fields import Problem, Trajectory, n_values
from pdekit.recipes.base import Tick, silent

HELD = 2**24
"""Values of the frames of a batch that are held at once, at most: 64 MiB in float32."""


@dataclass(frozen=True)
class Span:
    """Frames that are wanted: of each sample ``history`` given ones, and ``horizon`` after them in blocks of ``size``.

    Args:
        trajectories, starts: trajectory of each sample, and the number of its first given frame.
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
    """Frames that forecasts are compared with: `StoredReference`, or `continued.Continued` beyond the stored frames.

    ``frames`` yields the given frames, then block after block; ``times`` are those of all of them, "batch time";
    ``forcing`` is that of some frames, counted from the first given one. ``tick`` is called with ``work`` done.
    """

    problem: Problem
    n_trajectories: int
    tick: Tick

    def work(self, span: Span) -> int: ...

    def frames(self, span: Span) -> Iterator[Trajectory]: ...

    def times(self, span: Span) -> Tensor: ...

    def forcing(self, span: Span, frames: slice) -> Tensor | None: ...


class StoredReference:
    """The reference is read from a source, block by block.

    Frames of a batch that fit into `HELD` values are held until the next batch. Longer ones are read block by block,
    each frame once; times are read without them where the source can (`pdekit.data.windows.Timed`).
    """

    def __init__(self, source: Source):
        self.source, self.problem, self.n_trajectories = source, source.problem, source.n_trajectories
        self.tick: Tick = silent
        self._held: tuple[Span, list[Trajectory]] | None = None
        self._times: tuple[Span, Tensor] | None = None

    def work(self, span: Span) -> int:
        return 0  # not worth a bar

    def frames(self, span: Span) -> Iterator[Trajectory]:
        return iter(self._pieces(span))

    def times(self, span: Span) -> Tensor:
        if self._times is None or self._times[0] != span:
            if self._fits(span):
                t = torch.cat([piece.t for piece in self._pieces(span)], 1)
            else:
                n, rows = span.history + span.horizon, zip(span.trajectories, span.starts, strict=True)
                t = torch.cat([read_times(self.source, i, slice(start, start + n)) for i, start in rows])
            self._times = span, t
        return self._times[1]

    def forcing(self, span: Span, frames: slice) -> Tensor | None:
        if not self.problem.forcing:
            return None
        if self._held is not None and self._held[0] == span:
            return torch.cat([piece.forcing for piece in self._held[1]], 1)[:, frames]
        return read(self.source, span.trajectories, span.starts, frames).forcing

    def _pieces(self, span: Span) -> Iterable[Trajectory]:
        """The given frames and all blocks: held if they are few, else read as they are asked for."""
        if self._held is not None and self._held[0] == span:
            return self._held[1]
        self._held = None  # before the next ones are read
        pieces = (read(self.source, span.trajectories, span.starts, part) for part in span.parts)
        if not self._fits(span):
            return pieces
        self._held = span, list(pieces)
        return self._held[1]

    def _fits(self, span: Span) -> bool:
        """Return whether all frames of a span may be held at once."""
        n_frames = len(span.trajectories) * (span.history + span.horizon)
        return n_frames * self.problem.n_channels * n_values(self.problem.grid) <= HELD


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
    """Mask of where fields exist, "batch field *space": the mask, and on a mesh the points that are no padding."""
    return batch.existing
