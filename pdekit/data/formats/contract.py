"""Contract of a format: one published layout, recognised by content, opened without reading its arrays."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from pdekit.data.hdf5 import FAULTS, names, open_hdf5
from pdekit.data.windows import Source, read_times
from pdekit.fields import Problem, Trajectory
from pdekit.same_box import rounded_as

WHOLE = "all"  # the name of the trajectories of a file that has no splits
SHARE = 10  # one in so many trajectories is for the test, and one in so many of the others for validation
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # as fsspec writes them
HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Format:
    """One published layout.

    Args:
        name: name of the layout for display.
        recognises: whether a file or folder has this layout. It looks at the content, never at the suffix alone, reads
            no arrays of fields, and returns False for anything else.
        open: the trajectories by split: names among train, valid, test; or "all" where the publication has no splits.
            It raises ValueError, with file and key, for a damaged file.
        test: which trajectories of "all" are the published test: "first" or "last" tenth; None if nothing is published.
        open_trusting: as ``open``, given the packages that a stored equation may come from; None if files of the layout
            store none.
    """

    name: str
    recognises: Callable[[Path], bool]
    open: Callable[[Path], Mapping[str, Source]]
    test: str | None = None
    open_trusting: Callable[[Path, Sequence[str]], Mapping[str, Source]] | None = None


class Selected:
    """Some trajectories of a source.

    Args:
        source: source of all trajectories.
        indices: numbers of the trajectories to keep.
    """

    def __init__(self, source: Source, indices: Sequence[int]):
        self.source, self.indices = source, tuple(int(i) for i in indices)
        self.problem: Problem = source.problem
        self.n_trajectories = len(self.indices)

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one."""
        batch = self.source.read(self.indices[trajectory], frames)
        return dataclasses.replace(batch, index=torch.tensor([trajectory]))

    def times(self, trajectory: int, frames: slice = slice(None)) -> torch.Tensor:
        """Return the times of some frames of one trajectory, "1 time"."""
        return read_times(self.source, self.indices[trajectory], frames)


class Captioned:
    """Trajectories of a source with a text each.

    Args:
        source: source of the trajectories.
        texts: captions, one for each trajectory.

    Raises:
        ValueError: if there is not one for each.
    """

    def __init__(self, source: Source, texts: Sequence[str]):
        if len(texts) != source.n_trajectories:
            raise ValueError(
                f"expected {source.n_trajectories} texts, one for each, found {len(texts)}; add or remove some"
            )
        self.source, self.texts, self.n_trajectories = source, tuple(texts), source.n_trajectories
        self.problem: Problem = dataclasses.replace(source.problem, has_text=True)

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one."""
        return dataclasses.replace(self.source.read(trajectory, frames), text=(self.texts[trajectory],))

    def times(self, trajectory: int, frames: slice = slice(None)) -> torch.Tensor:
        """Return the times of some frames of one trajectory, "1 time"."""
        return read_times(self.source, trajectory, frames)


class Joined:
    """The trajectories of several files, one file after the other.

    Args:
        sources: sources of the same problem.
        problem: problem of the whole, to which the sources have been compared; that of the first source if None.

    Raises:
        ValueError: if no problem is given and they are not of one.
    """

    def __init__(self, sources: Sequence[Source], problem: Problem | None = None):
        self.sources = tuple(sources)
        self.problem: Problem = problem or self.sources[0].problem
        for number, source in enumerate(self.sources[1:], 2):
            if problem is None and rounded_as(source.problem, self.problem) != self.problem:
                raise ValueError(
                    f"expected files of one problem, {self.problem}, found {source.problem} in file {number}; open "
                    "them apart"
                )
        self._ends = np.cumsum([source.n_trajectories for source in self.sources])
        self.n_trajectories = int(self._ends[-1])

    @cached_property
    def double(self) -> bool:
        """True if one of the sources holds fields in float64; the first frame of each is read."""
        first = [source.read(0, slice(0, 1)) for source in self.sources if source.n_trajectories]
        return any(part.dtype == torch.float64 for batch in first for part in field_tensors(batch).values())

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one, in the widest precision of the sources."""
        source, number = self._place(trajectory)
        batch = dataclasses.replace(source.read(number, frames), index=torch.tensor([trajectory]))
        if not self.double:
            return batch
        return dataclasses.replace(batch, **{name: part.double() for name, part in field_tensors(batch).items()})

    def times(self, trajectory: int, frames: slice = slice(None)) -> torch.Tensor:
        """Return the times of some frames of one trajectory, "1 time"."""
        return read_times(*self._place(trajectory), frames)

    def _place(self, trajectory: int) -> tuple[Source, int]:
        """Return the source that holds a trajectory, and its number there."""
        place = int(np.searchsorted(self._ends, trajectory, side="right"))
        source = self.sources[place]
        return source, trajectory - int(self._ends[place]) + source.n_trajectories


def field_tensors(batch: Trajectory) -> dict[str, torch.Tensor]:
    """Return the fields, coefficients and forcing that a batch has, by name."""
    parts = {"u": batch.u, "coeffs": batch.coeffs, "forcing": batch.forcing}
    return {name: part for name, part in parts.items() if part is not None}


def all_splits(found: Mapping[str, Source], test: str | None = None) -> dict[str, Source]:
    """Return the splits train, valid and test; those that are missing are taken from others, each time the same.

    Without splits, the test is the published tenth, or a tenth drawn with the seed 0. Validation is the last tenth of
    the training trajectories.

    Args:
        found: as `Format.open` returns it.
        test: as in `Format`.

    Raises:
        ValueError: if there are fewer than three trajectories to split.
    """
    splits = dict(found)
    if WHOLE in splits:
        source = splits.pop(WHOLE)
        n = source.n_trajectories
        share = max(1, n // SHARE)
        order = (np.random.default_rng(0).permutation(n) if test is None else np.arange(n)).tolist()
        first, rest = (order[:share], order[share:]) if test == "first" else (order[-share:], order[:-share])
        splits |= {"test": Selected(source, first), "train": Selected(source, rest)}
    if "train" not in splits or "test" not in splits:
        raise ValueError(
            f"expected training and test trajectories, found {sorted(found)}; give the folder of all files"
        )
    if "valid" not in splits:
        source = splits["train"]
        share = max(1, source.n_trajectories // SHARE)
        if source.n_trajectories <= share:
            raise ValueError(
                f"expected three trajectories or more to split, found {source.n_trajectories + share}; give more"
            )
        kept = range(source.n_trajectories - share)
        splits["valid"] = Selected(source, range(source.n_trajectories - share, source.n_trajectories))
        splits["train"] = Selected(source, kept)
    return splits


def read_plain(path: Path, largest: int, parse: Callable[[str], Any] = json.loads) -> Any:
    """Return the content of a text file of at most ``largest`` bytes, of JSON by default; None for any other file."""
    if not path.is_file() or path.stat().st_size > largest:
        return None
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def is_address(path: str | Path) -> bool:
    """Return whether a text is an address that fsspec opens, e.g. "s3://bucket/waves.zarr"."""
    return isinstance(path, str) and ADDRESS.match(path) is not None


def located(path: str | Path) -> str:
    """Return the absolute path of a file or folder; an address stays as it is."""
    return str(path) if is_address(path) else str(Path(path).resolve())


def is_hdf5(path: Path) -> bool:
    """Return whether a file begins as one of HDF5 does; MATLAB 7.3 writes a block of 512 bytes before that."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        head = file.read(520)
    return HDF5 in (head[:8], head[512:520])


def root_names(path: Path) -> set[str]:
    """Return the names of the members of an HDF5 file; nothing for other or damaged files."""
    if not is_hdf5(path):
        return set()
    try:
        with open_hdf5(path) as file:
            return set(names(file))
    except FAULTS:
        return set()


def is_group(path: Path, key: str, members: Sequence[str]) -> bool:
    """Return whether a key of an HDF5 file is a group that has these members."""
    try:
        with open_hdf5(path) as file:
            group = file.get(key)
            return isinstance(group, h5py.Group) and set(members) <= set(group)
    except FAULTS:
        return False
