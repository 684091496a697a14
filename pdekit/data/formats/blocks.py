"""Trajectories in arrays whose axes stand in any order: read by slices, and put into the order of pdekit.

Most published layouts are a few arrays of all trajectories. A `Block` states the key of one array, the order of its
axes in letters, and the fields that it holds; `Blocked` reads it. Letters: s sample, t time, c channel, x, y, z space.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import h5py
import numpy as np
import torch

from pdekit.data.hdf5 import FAULTS, FileFault, dataset, open_hdf5
from pdekit.fields import Field, Problem, Trajectory


@dataclass(frozen=True)
class Block:
    """One array, or one array for each trajectory.

    Args:
        key: of the array; "{sample}" in it stands for the name of the trajectory.
        axes: a letter for each axis, in stored order, e.g. "stxyc".
        fields: what its channels are; one if there is no axis c.
    """

    key: str
    axes: str
    fields: tuple[Field, ...]

    def sizes(self, shape: Sequence[int]) -> dict[str, int]:
        """Return the size of each axis by its letter.

        Raises:
            ValueError: if the array has another number of axes or channels; the message names the key.
        """
        sizes = dict(zip(self.axes, shape, strict=False))
        if len(shape) != len(self.axes) or sizes.get("c", 1) != len(self.fields) or 0 in sizes.values():
            raise ValueError(
                f"expected {self.key} with the axes {' '.join(self.axes)} and {len(self.fields)} channel(s), found the "
                f"shape {tuple(shape)}"
            )
        return sizes

    def read(self, array: Any, trajectory: int, frames: slice) -> np.ndarray:
        """Return "time channel *space", or "channel *space" if the array does not vary in time."""
        places = {"s": trajectory, "t": frames}
        values = np.asarray(array[tuple(places.get(letter, slice(None)) for letter in self.axes)])
        left = self.axes.replace("s", "")
        order = [left.index(letter) for letter in "tcxyz" if letter in left]
        values = values.transpose(order)
        return values if "c" in left else np.expand_dims(values, int("t" in left))


@runtime_checkable
class Store(Protocol):
    """Arrays by key. It can be copied to other processes, and opens its file in each of them."""

    path: Path

    def array(self, key: str) -> Any: ...


class Hdf5Store:
    """Arrays of an HDF5 file, opened at the first read in each process.

    Args:
        path: the file.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self._process, self._file, self._found = -1, None, {}

    def __getstate__(self) -> dict:
        return {"path": self.path, "_process": -1, "_file": None, "_found": {}}

    def array(self, key: str) -> h5py.Dataset:
        """Return a dataset, checked once: its values are numbers and stored in the file."""
        if self._process != os.getpid():
            self._process, self._file, self._found = os.getpid(), open_hdf5(self.path), {}
        if key not in self._found:
            self._found[key] = dataset(self._file, key)
        return self._found[key]


class ArrayStore:
    """Arrays in memory, or mapped to memory.

    Args:
        path: the file that they come from, for messages.
        arrays: by key.
    """

    def __init__(self, path: Path, arrays: Mapping[str, Any]):
        self.path, self._arrays = Path(path), dict(arrays)

    def array(self, key: str) -> Any:
        """Return an array, or what is indexed like one."""
        return self._arrays[key]


class Blocked:
    """A source of trajectories from blocks.

    Args:
        store: of the arrays.
        problem: what the trajectories are; fields, coeffs and forcing stand in the order of the blocks.
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
        self._u, self._coeffs, self._forcing, self._samples = (tuple(part) for part in (u, coeffs, forcing, samples))
        self._t = np.atleast_2d(np.asarray(t, dtype=np.float64))
        self._params = None if params is None else torch.from_numpy(np.ascontiguousarray(params)).float()
        self.n_trajectories = n = len(samples) or self._count()
        shapes = {"times": (self._t.shape, ((1, problem.n_frames), (n, problem.n_frames)))}
        if params is not None:
            shapes["params"] = (np.shape(params), ((n, len(problem.params)),))
        for what, (found, expected) in shapes.items():
            if found not in expected:
                raise FileFault(f"expected {what} of shape {expected[-1]} in {store.path}, found {found}")

    def _count(self) -> int:
        """Check the shapes of arrays of all trajectories; return how many there are."""
        counts = {self._checked(block, block.key).get("s", 1) for block in (*self._u, *self._coeffs, *self._forcing)}
        if len(counts) != 1:
            raise ValueError(f"expected one number of trajectories in all arrays of {self.store.path}, found {counts}")
        return counts.pop()

    def _checked(self, block: Block, key: str) -> dict[str, int]:
        """Check the shape of an array; return the size of each axis by its letter."""
        shape, problem = tuple(self.store.array(key).shape), self.problem
        try:
            sizes = block.sizes(shape)
        except ValueError as error:
            raise ValueError(f"{error} in {key} of {self.store.path}; fetch the file again") from None
        wanted = dict(zip("xyz", problem.grid.shape, strict=False))
        found = {letter: sizes.get(letter) for letter in wanted}
        if found != wanted or sizes.get("t", problem.n_frames) < problem.n_frames:
            raise ValueError(
                f"expected {key} of {self.store.path} with the axes {' '.join(block.axes)}, {wanted} and at least "
                f"{problem.n_frames} frames, found the shape {shape}; fetch the file again"
            )
        return sizes

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one; float64 where it is stored so, else float32."""
        frames = slice(*frames.indices(self.problem.n_frames))
        row = self._t[trajectory if len(self._t) > 1 else 0, frames]
        return Trajectory(
            u=self._joined(self._u, trajectory, frames, 1),
            t=torch.from_numpy(np.ascontiguousarray(row))[None],
            coeffs=self._joined(self._coeffs, trajectory, frames, 0) if self._coeffs else None,
            forcing=self._joined(self._forcing, trajectory, frames, 1) if self._forcing else None,
            params=None if self._params is None else self._params[trajectory : trajectory + 1],
            index=torch.tensor([trajectory]),
        )

    def _joined(self, blocks: Sequence[Block], trajectory: int, frames: slice, axis: int) -> torch.Tensor:
        parts = []
        for block in blocks:
            key = block.key.format(sample=self._samples[trajectory]) if self._samples else block.key
            if self._samples:
                self._checked(block, key)
            try:
                values = block.read(self.store.array(key), trajectory, frames)
            except (*FAULTS, AttributeError) as error:
                said = " ".join(str(error).split())[:120]
                raise FileFault(
                    f"expected readable data in {key} of {self.store.path}, found damage ({said}); fetch the file again"
                ) from None
            lead = (len(range(frames.start, frames.stop, frames.step)),) if "t" in block.axes else ()
            expected = (*lead, len(block.fields), *self.problem.grid.shape)
            if values.shape != expected:
                raise FileFault(
                    f"expected {key} of {self.store.path} to give the shape {expected}, found {values.shape}"
                )
            if axis and "t" not in block.axes:
                values = values[None]  # a steady problem: one frame
            parts.append(values.astype(np.float64 if values.dtype == np.float64 else np.float32))
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts, axis)
        return torch.from_numpy(np.ascontiguousarray(whole))[None]
