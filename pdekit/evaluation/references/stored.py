"""References that forecasts are compared with, in blocks of frames, so that any horizon fits into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from pdekit.data.exports.contract import present
from pdekit.data.windows import Source, Timed, collate
from pdekit.fields import Problem, Trajectory, n_values
from pdekit.metrics.dual_volumes import dual_volumes, has_volumes
from pdekit.models.base import time_steps
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
    """The reference is read from a source, block by block, each frame once.

    Frames of a batch that fit into `HELD` values are held until the next batch. Of longer ones a block is held from the
    moment at which its frames, times or forcing are first asked for until no step needs it as its history. Times are
    read without the frames where the source can (`pdekit.data.windows.Timed`); otherwise those of long batches are
    multiples of the time step, and a source whose times are others is refused.
    """

    def __init__(self, source: Source):
        self.source, self.problem, self.n_trajectories = source, source.problem, source.n_trajectories
        self.tick: Tick = silent
        self._timed = source if isinstance(source, Timed) else None
        self._held: tuple[Span, dict[int, Trajectory]] | None = None
        self._times: tuple[Span, Tensor] | None = None

    def work(self, span: Span) -> int:
        return 0  # not worth a bar

    def frames(self, span: Span) -> Iterator[Trajectory]:
        fits = self._fits(span)
        for number, part in enumerate(span.parts):
            piece = self._piece(span, number)
            if not fits and self._timed is None:
                self._check_times(span, part, piece.t)
            yield piece
            if not fits:  # the next block needs its history
                held = self._pieces(span)
                for other in [other for other in held if span.parts[other].stop <= part.stop - span.history]:
                    del held[other]

    def times(self, span: Span) -> Tensor:
        if self._times is None or self._times[0] != span:
            self._times = span, self._read_times(span)
        return self._times[1]

    def forcing(self, span: Span, frames: slice) -> Tensor | None:
        if not self.problem.forcing:
            return None
        numbers = [i for i, part in enumerate(span.parts) if part.start < frames.stop and frames.start < part.stop]
        gone = not numbers or numbers[0] < min(self._pieces(span), default=0)
        if gone or span.parts[numbers[-1]].stop < frames.stop:
            return read(self.source, span.trajectories, span.starts, frames).forcing
        found = torch.cat([present(self._piece(span, number).forcing) for number in numbers], 1)
        first = span.parts[numbers[0]].start
        return found[:, frames.start - first : frames.stop - first]

    def _pieces(self, span: Span) -> dict[int, Trajectory]:
        """The given frames and the blocks of a span that are held, by their number."""
        if self._held is None or self._held[0] != span:
            self._held = span, {}
        return self._held[1]

    def _piece(self, span: Span, number: int) -> Trajectory:
        held = self._pieces(span)
        if number not in held:
            held[number] = read(self.source, span.trajectories, span.starts, span.parts[number])
        return held[number]

    def _read_times(self, span: Span) -> Tensor:
        if self._fits(span):
            return torch.cat([self._piece(span, number).t for number in range(len(span.parts))], 1)
        n, rows = span.history + span.horizon, zip(span.trajectories, span.starts, strict=True)
        if self._timed is not None:
            return torch.cat([self._timed.times(i, slice(start, start + n)) for i, start in rows])
        first = self._piece(span, 0 if span.history else 1)
        step = time_steps(self.problem, first)[:, None]
        return first.t[:, :1].double() + step * torch.arange(n, dtype=torch.float64)

    def _check_times(self, span: Span, part: slice, found: Tensor) -> None:
        """Refuse a long reference whose times are no multiples of its time step."""
        wanted = self.times(span)[:, part]
        if not torch.allclose(found.double(), wanted, rtol=1e-5, atol=1e-2 * self.problem.step):
            raise ValueError(
                f"expected times in steps of {self.problem.step:g}, found {found[0, :2].tolist()} for "
                f"{wanted[0, :2].tolist()}; give the source a method times (pdekit.data.windows.Timed)"
            )

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
    """Weights of the points in averages, "batch field *space": 0 where no field exists, else 1; on a mesh the volume of
    the cells around each point over the mean, where its cells are known, and 0 in the padding. None if all are 1.
    """
    there, points, cells = batch.existing, batch.points, batch.cells
    if there is not None:
        there = (there > 0).to(there)  # a file of others may hold labels: they are no weights
    if there is None or points is None or cells is None or not has_volumes(cells, points.shape[-1]):
        return there
    return there * dual_volumes(points, cells)[:, None]
