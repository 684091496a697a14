"""Trajectories in arrays whose axes stand in any order: read by slices, and put into the order of pdekit.

Most published layouts are a few arrays of all trajectories. A `Block` states the key of one array, the order of its
axes in letters, and the fields that it holds; `Blocked` reads it. Letters: s sample, t time, c channel, x, y, z space,
0 an axis of which the first entry is read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from pdekit.data.contiguous import ContiguousArray, first_byte
from pdekit.data.hdf5 import FAULTS, FileFault, dataset, open_hdf5
from pdekit.fields import Field, Problem, Trajectory

_ALL = slice(None)


@dataclass(frozen=True)
class Block:
    """One array, or one array for each trajectory.

    Args:
        key: key of the array; "{sample}" in it stands for the name of the trajectory.
        axes: a letter for each axis, in stored order, e.g. "stxyc".
        fields: fields of its channels; one field if there is no axis c.
        first: number of the first channel that is read; None if all channels are.
        flipped: letters of the axes of space that are stored from their upper end to their lower one.
    """

    key: str
    axes: str
    fields: tuple[Field, ...]
    first: int | None = None
    flipped: str = ""

    def sizes(self, shape: Sequence[int]) -> dict[str, int]:
        """Return the size of each axis by its letter.

        Raises:
            ValueError: if the array has another number of axes or channels; the message names the key.
        """
        sizes = dict(zip(self.axes, shape, strict=False))
        channels, wanted = sizes.get("c", 1), len(self.fields)
        fits = channels == wanted if self.first is None else channels >= self.first + wanted
        if len(shape) != len(self.axes) or not fits or 0 in sizes.values():
            raise ValueError(
                f"expected {self.key} with the axes {' '.join(self.axes)} and {len(self.fields)} channel(s), found the "
                f"shape {tuple(shape)}; correct the axes"
            )
        return sizes

    def read(self, array: Any, trajectory: int, frames: slice) -> np.ndarray:
        """Return "time channel *space", or "channel *space" if the array does not vary in time."""
        order, missing, picked = self._order
        if order is None and picked == "st" and not self.flipped:  # most layouts
            values = np.asarray(array[trajectory, frames])
            return values if missing is None else values[(_ALL,) * missing + (None,)]
        where = {"s": trajectory, "t": frames, " ": _ALL, "0": 0}
        if self.first is not None:
            where["c"] = slice(self.first, self.first + len(self.fields))
        values = np.asarray(array[tuple([where[letter] for letter in picked])])
        if order is not None:
            values = values.transpose(order)
        if self.flipped:
            space = [letter for letter in "xyz" if letter in self.axes]
            values = np.flip(values, tuple(space.index(letter) - len(space) for letter in self.flipped))
        return values if missing is None else values[(_ALL,) * missing + (None,)]

    @cached_property
    def _order(self) -> tuple[tuple[int, ...] | None, int | None, str]:
        """The permutation of the axes that are read, if there is one; the place of a missing axis of channels; the axes
        up to the last that is indexed, with blanks for those that are read whole."""
        left = self.axes.replace("s", "").replace("0", "")
        order = tuple(left.index(letter) for letter in "tcxyz" if letter in left)
        indexed = "st0" if self.first is None else "st0c"
        picked = "".join(letter if letter in indexed else " " for letter in self.axes).rstrip()
        return order if list(order) != sorted(order) else None, None if "c" in left else int("t" in left), picked


@runtime_checkable
class Store(Protocol):
    """Arrays by key. It can be copied to other processes, and opens its file in each of them."""

    @property
    def path(self) -> Path | str: ...

    def array(self, key: str) -> Any: ...


class Hdf5Store:
    """Arrays of an HDF5 file, opened at the first read in each process.

    Args:
        path: the file.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self._process, self._file = -1, None
        self._found: dict[str, Any] = {}

    def __getstate__(self) -> dict:
        return {"path": self.path, "_process": -1, "_file": None, "_found": {}}

    def array(self, key: str) -> Any:
        """Return a dataset, checked once: its values are numbers and stored in the file. Windows of values that are one
        run of bytes are read without the library (`ContiguousArray`)."""
        if self._process != os.getpid():
            self._process, self._file, self._found = os.getpid(), open_hdf5(self.path), {}
        if key not in self._found:
            column = dataset(self._file, key)
            place = first_byte(column)
            self._found[key] = column if place is None else ContiguousArray(column, place, self.path)
        return self._found[key]


class ArrayStore:
    """Arrays in memory, or mapped to memory.

    Args:
        path: the file that they come from, for messages.
        arrays: arrays by key.
    """

    def __init__(self, path: Path, arrays: Mapping[str, Any]):
        self.path, self._arrays = Path(path), dict(arrays)

    def array(self, key: str) -> Any:
        """Return an array, or what is indexed like one."""
        return self._arrays[key]


class Blocked:
    """A source of trajectories from blocks.

    Args:
        store: store that holds the arrays.
        problem: problem of the trajectories; fields, coeffs and forcing are in the order of the blocks.
        u, coeffs: blocks of fields in time and of inputs fixed in time.
        t: "time" or "sample time".
        params: "sample param".
        samples: names of the trajectories, where each has a group of its own.
        forcing: blocks of inputs that vary in time.

    Raises:
        ValueError: if a block has another shape than the problem; the message names file and key.
    """

    def __init__(
        self,
        store: Store,
        problem: Problem,
        u: Sequence[Block],
        t: np.ndarray,
        coeffs: Sequence[Block] = (),
        params: np.ndarray | None = None,
        samples: Sequence[str] = (),
        forcing: Sequence[Block] = (),
    ):
        self.store, self.problem = store, problem
        self._u, self._coeffs, self._forcing = tuple(u), tuple(coeffs), tuple(forcing)
        self._samples = tuple(samples)
        self._known: set[str] = set()  # keys whose shape was checked
        self._t = np.atleast_2d(np.array(t, dtype=np.float64))
        self._params = None if params is None else torch.from_numpy(np.ascontiguousarray(params)).float()
        self.n_trajectories = n = len(samples) or self._count()
        self._index = np.arange(n)
        shapes = {"times": (self._t.shape, [(1, problem.n_frames), (n, problem.n_frames)])}
        if params is not None:
            shapes["params"] = (np.shape(params), [(n, len(problem.params))])
        for what, (found, expected) in shapes.items():
            if found not in expected:
                raise FileFault(
                    f"expected {what} of shape {expected[-1]} in {store.path}, found {found}; fetch it again"
                )

    def _count(self) -> int:
        """Check the shapes of arrays of all trajectories; return how many there are."""
        counts = {self._checked(block, block.key).get("s", 1) for block in (*self._u, *self._coeffs, *self._forcing)}
        if len(counts) != 1:
            raise ValueError(
                f"expected one number of trajectories in all arrays of {self.store.path}, found {counts}; "
                "fetch it again"
            )
        return counts.pop()

    def _checked(self, block: Block, key: str) -> dict[str, int]:
        """Check the shape of an array; return the size of each axis by its letter."""
        shape, problem = tuple(self.store.array(key).shape), self.problem
        try:
            sizes = block.sizes(shape)
        except ValueError as error:
            raise FileFault(f"{error} in {key} of {self.store.path}; fetch the file again") from None
        wanted = dict(zip("xyz", problem.grid.shape, strict=False))
        found = {letter: sizes.get(letter) for letter in wanted}
        if found != wanted or sizes.get("t", problem.n_frames) < problem.n_frames:
            raise FileFault(
                f"expected {key} of {self.store.path} with the axes {' '.join(block.axes)}, {wanted} and at least "
                f"{problem.n_frames} frames, found the shape {shape}; fetch the file again"
            )
        return sizes

    def read(self, trajectory: int, frames: slice = _ALL) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one; float64 where it is stored so, else float32."""
        frames = slice(*frames.indices(self.problem.n_frames))
        times = self.times(trajectory, frames)
        lead = (times.shape[1],)
        return Trajectory(
            u=self._joined(self._u, trajectory, frames, lead),
            t=times,
            coeffs=self._joined(self._coeffs, trajectory, frames, ()) if self._coeffs else None,
            forcing=self._joined(self._forcing, trajectory, frames, lead) if self._forcing else None,
            params=None if self._params is None else self._params[trajectory : trajectory + 1],
            index=torch.from_numpy(self._index[trajectory : trajectory + 1]),
        )

    def times(self, trajectory: int, frames: slice = _ALL) -> torch.Tensor:
        """Return the times of some frames of one trajectory, "1 time"."""
        first = trajectory if len(self._t) > 1 else 0
        return torch.from_numpy(self._t[first : first + 1, frames])

    def _joined(self, blocks: Sequence[Block], trajectory: int, frames: slice, lead: tuple[int, ...]) -> torch.Tensor:
        """Channels of some blocks, "1 time channel *space", or "1 channel *space" if ``lead`` is empty."""
        parts = [self._read(block, trajectory, frames, lead) for block in blocks]
        if len(parts) == 1:
            return torch.from_numpy(_plain(parts[0])[None])
        wide = any(part.dtype == np.float64 for part in parts)
        shape = (*lead, sum(len(block.fields) for block in blocks), *self.problem.grid.shape)
        whole, first, before = np.empty(shape, np.float64 if wide else np.float32), 0, (_ALL,) * len(lead)
        for block, part in zip(blocks, parts, strict=True):
            whole[(*before, slice(first, first + len(block.fields)))] = part
            first += len(block.fields)
        return torch.from_numpy(whole)[None]

    def _read(self, block: Block, trajectory: int, frames: slice, lead: tuple[int, ...]) -> np.ndarray:
        """The channels of one block, of the shape that the problem has."""
        key = block.key
        try:
            if self._samples:
                key = key.format(sample=self._samples[trajectory])
                if key not in self._known:
                    self._checked(block, key)
                    self._known.add(key)
            values = block.read(self.store.array(key), trajectory, frames)
        except FileFault:
            raise
        except (*FAULTS, AttributeError) as error:
            said = " ".join(str(error).split())[:120]
            raise FileFault(
                f"expected readable data in {key} of {self.store.path}, found damage ({said}); fetch the file again"
            ) from None
        if lead and "t" not in block.axes:
            values = values[None]  # a steady problem: one frame
        expected = (*lead, len(block.fields), *self.problem.grid.shape)
        if values.shape != expected:
            raise FileFault(
                f"expected the shape {expected} from {key} of {self.store.path}, found {values.shape}; fetch it again"
            )
        return values


def _plain(values: np.ndarray) -> np.ndarray:
    """Return values in float64 if they are so, else in float32, in the order of their axes, and not read-only."""
    dtype, flags = values.dtype, values.flags
    if dtype.char in "fd" and dtype.isnative and flags.c_contiguous and flags.writeable:
        return values
    return np.array(values, np.float64 if values.dtype == np.float64 else np.float32, order="C")  # one copy
