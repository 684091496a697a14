"""Reading one split of a dataset, lazily: only the requested frames, from a file opened once in each process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import torch

from pdekit.data.hdf5 import (
    FileFault,
    dataset,
    fault,
    member,
    names,
    open_hdf5,
    reading,
    text,
    texts,
    values,
    whole_number,
)
from pdekit.data.inputs import narrowed
from pdekit.data.layout import FORMAT, OPTIONAL, OURS, Placement, datasets, problem_from_plain
from pdekit.fields import Problem, Trajectory
from pdekit.plain import from_json


class Split:
    """The trajectories of one file, read on demand.

    The file is opened at the first read in each process, so that a split may be copied to loader workers by fork
    or spawn.

    Args:
        path: the file.
        trust: packages in addition to pdekit that the stored equation may come from.

    Raises:
        FileNotFoundError, ValueError: if the file is absent, damaged, foreign, or of a newer format.
    """

    def __init__(self, path: Path, trust: Sequence[str] = ()):
        self.path = Path(path)
        self._opened: Opened | None = None
        with open_hdf5(self.path) as file:
            self.problem, self.documents = read_problem(file, trust)
            self.name = "".join(texts(file, "", "dataset_name"))
            self.n_trajectories = whole_number(file, "", "n_trajectories", 1)
            check_stored(file, self.problem, self.n_trajectories)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_opened": None}

    @property
    def opened(self) -> Opened:
        """The open file of this process."""
        if self._opened is None or self._opened.process != os.getpid():
            self._opened = Opened(self.path, self.problem)
        return self._opened

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._opened is not None and self._opened.process == os.getpid():
            self._opened.file.close()
        self._opened = None

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Some frames of one trajectory: a batch of one, fields as they are stored (float32 or float64), times float64.

        Only the requested frames are read; coeffs, mask and points are read whole. Params are float32 where that loses
        nothing of their variation (see `narrowed`), else float64.
        """
        problem, opened = self.problem, self.opened
        with reading(opened.file, f"trajectory {trajectory}"):
            return Trajectory(
                u=_unpack(opened.u, trajectory, frames, problem.n_channels),
                t=self.times(trajectory, frames),
                coeffs=_unpack(opened.coeffs, trajectory, None, len(problem.coeffs)),
                forcing=_unpack(opened.forcing, trajectory, frames, len(problem.forcing)),
                params=None if opened.params is None else opened.params[trajectory : trajectory + 1],
                text=(opened.text.asstr()[trajectory],) if problem.has_text else None,
                index=torch.tensor([trajectory]),
                **{part: _whole(part, column, trajectory) for part, column in opened.parts.items()},
            )

    def times(self, trajectory: int, frames: slice = slice(None)) -> torch.Tensor:
        """Times of some frames of one trajectory, "1 time"."""
        stored = self.opened.t
        return stored[trajectory if len(stored) > 1 else 0, frames][None]


class Opened:
    """A file that is open in one process: its datasets, looked up once (a look-up costs more than reading a window).

    Args:
        path: path of the file.
        problem: problem of its trajectories.

    Raises:
        ValueError: if a dataset is absent, damaged, or has another shape than the problem says.
    """

    def __init__(self, path: Path, problem: Problem):
        self.process = os.getpid()
        self.file = open_hdf5(path)
        n = whole_number(self.file, "", "n_trajectories", 1)
        check_stored(self.file, problem, n)
        found = datasets(problem)
        self.u, self.coeffs, self.forcing = (
            tuple((place, self.file[place.path]) for place in places)
            for places in (found.u, found.coeffs, found.forcing)
        )
        self.t = torch.from_numpy(np.atleast_2d(values(self.file, "dimensions/time")))
        columns = [values(self.file, f"scalars/{name}", (n,)) for name in problem.params]
        self.params = torch.from_numpy(narrowed(np.stack(columns, 1))) if columns else None
        group = self.file[OURS]
        self.text = group["text"] if problem.has_text else None
        self.parts = {part: group[part] for part in OPTIONAL if part in group}


def read_problem(file: h5py.File, trust: Sequence[str] = ()) -> tuple[Problem, dict]:
    """The problem of a file, and its other documents.

    Raises:
        ValueError: if the file is foreign, damaged, or of a newer format.
    """
    if OURS not in names(file) or "problem" not in names(file, OURS):
        raise FileFault(
            f"expected a pdekit dataset (with a group {OURS!r} and a problem in it), found {names(file)} in "
            f"{file.filename}; open foreign files with pdekit.data.formats.open_source"
        )
    stored = whole_number(file, OURS, "format", 1)
    if stored > FORMAT:
        raise FileFault(f"expected format {FORMAT} or older, got {stored} in {file.filename}; update pdekit")
    documents = {key: _document(file, f"{OURS}/{key}") for key in names(file, OURS) if _is_text(file, key)}
    key = f"{OURS}/problem"
    if "problem" not in documents:
        raise fault(file, key, "a text", "another type")
    with reading(file, key):
        problem = problem_from_plain(documents.pop("problem"), trust)
        datasets(problem)
    return problem, documents


def check_stored(file: h5py.File, problem: Problem, n: int) -> None:
    """Check every dataset against the problem: shape, type, and that its values are stored in the file.

    Raises:
        ValueError: for the first dataset that is not as the problem says; names file and key.
    """
    for place in datasets(problem).all:
        _check_shape(file, place.path, (stored_shape(place, problem, n),), "f")
    frames, space = problem.n_frames, tuple(problem.grid.shape)
    _check_shape(file, "dimensions/time", ((n, frames), (frames,)), "f")
    for name in problem.params:
        _check_shape(file, f"scalars/{name}", ((n,),), "f")
    if problem.has_text:
        _check_shape(file, f"{OURS}/text", ((n,),), "O")
    present = [part for part in OPTIONAL if part in names(file, OURS)]
    if problem.has_mask and "mask" not in present:
        raise fault(file, f"{OURS}/mask", "the mask that the problem has", "none")
    for part in present:
        found = dataset(file, f"{OURS}/{part}").shape
        shape = {
            "mask": (n, problem.n_channels, *space),
            "points": (n, *space, problem.ndim),
            "point_mask": (n, *space),
            "cells": (n, *found[1:]) if len(found) == 3 else (n, -1, -1),
        }[part]
        _check_shape(file, f"{OURS}/{part}", (shape,), "f" if part == "points" else "biu")


def _check_shape(file: h5py.File, key: str, shapes: tuple[tuple[int, ...], ...], kinds: str) -> None:
    group, _, name = key.rpartition("/")
    found = dataset(file, key, kinds=kinds).shape if name in names(file, group) else "none"
    if found not in shapes:
        raise FileFault(
            f"expected {key} of shape {' or '.join(map(str, shapes))}, as the problem in {file.filename} says, found "
            f"{found}; the file was changed: generate it again"
        )


def _is_text(file: h5py.File, key: str) -> bool:
    item = member(file, f"{OURS}/{key}")
    with reading(file, f"{OURS}/{key}"):
        return isinstance(item, h5py.Dataset) and item.shape == () and h5py.check_string_dtype(item.dtype) is not None


def _document(file: h5py.File, key: str) -> dict:
    with reading(file, key):
        return from_json(text(file, key))


def stored_shape(place: Placement, problem: Problem, n_trajectories: int) -> tuple[int, ...]:
    """Shape of a dataset of ``n_trajectories`` trajectories; components of a vector come last."""
    shape = (n_trajectories, problem.n_frames) if place.time_varying else (n_trajectories,)
    return shape + tuple(problem.grid.shape) + ((len(place.channels),) if place.group == "t1_fields" else ())


def _whole(part: str, column: h5py.Dataset, trajectory: int) -> torch.Tensor:
    """A part of one trajectory that is read whole; a mask is stored as truth values and is 0 or 1."""
    whole = torch.from_numpy(column[trajectory][None])
    return whole.float() if part == "mask" else whole


def _unpack(
    columns: tuple[tuple[Placement, h5py.Dataset], ...], trajectory: int, frames: slice | None, n_channels: int
) -> torch.Tensor | None:
    """Channels of one trajectory: "1 time channel *space", or "1 channel *space" where frames is None."""
    if not columns:
        return None
    where = trajectory if frames is None else (trajectory, frames)
    axis = 0 if frames is None else 1
    channels: list[np.ndarray] = [np.empty(0)] * n_channels
    for place, column in columns:
        stored = column[where]
        for component, channel in enumerate(place.channels):
            channels[channel] = stored[..., component] if place.group == "t1_fields" else stored
    if n_channels == 1:
        return torch.from_numpy(np.expand_dims(channels[0], axis))[None]
    return torch.from_numpy(np.stack(channels, axis))[None]
