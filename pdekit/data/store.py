"""Reading one split of a dataset, lazily: only the frames asked for, from a file opened once in each process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import torch

from pdekit.data.layout import FORMAT, OPTIONAL, OURS, TEXT, Placement, datasets, problem_from_plain
from pdekit.fields import Problem, Trajectory
from pdekit.plain import from_json


def open_hdf5(path: Path) -> h5py.File:
    """Open a file for reading.

    Raises:
        FileNotFoundError, ValueError: if it is not there, or is no HDF5 file or a truncated one.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"expected a dataset at {path}, found none; generate it or correct the path")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ValueError(
            f"expected an HDF5 file, but {path} is not one or is damaged ({error}); delete it and generate it again"
        ) from None


class Split:
    """The trajectories of one file, read on demand.

    The file is opened at the first read in each process, so that a split may be copied to loader workers by fork
    or spawn.

    Args:
        path: the file.
        trust: packages beside pdekit that the stored equation may come from.

    Raises:
        FileNotFoundError, ValueError: if the file is absent, damaged, foreign, or of a newer format.
    """

    def __init__(self, path: Path, trust: Sequence[str] = ()):
        self.path = Path(path)
        self._opened: Opened | None = None
        with open_hdf5(self.path) as file:
            if OURS not in file or "problem" not in file[OURS]:
                raise ValueError(
                    f"expected a pdekit dataset (with a group {OURS!r} and a problem in it), found {sorted(file)} in "
                    f"{path}; open foreign files with pdekit.data.formats.open_source"
                )
            if file[OURS].attrs["format"] > FORMAT:
                raise ValueError(
                    f"expected format {FORMAT} or older, got {file[OURS].attrs['format']} in {path}; update pdekit"
                )
            self.name = str(file.attrs["dataset_name"])
            self.n_trajectories = int(file.attrs["n_trajectories"])
            self.documents = {
                key: from_json(item.asstr()[()])
                for key, item in file[OURS].items()
                if isinstance(item, h5py.Dataset) and item.shape == () and item.dtype == TEXT
            }
        self.problem = problem_from_plain(self.documents.pop("problem"), trust)

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
        """Some frames of one trajectory: a batch of one, fields and params float32, times float64.

        Only the frames asked for are read; coeffs, mask and points are read whole.
        """
        problem, opened = self.problem, self.opened
        return Trajectory(
            u=_unpack(opened.u, trajectory, frames, problem.n_channels),
            t=opened.t[trajectory if len(opened.t) > 1 else 0, frames][None],
            coeffs=_unpack(opened.coeffs, trajectory, None, len(problem.coeffs)),
            forcing=_unpack(opened.forcing, trajectory, frames, len(problem.forcing)),
            params=None if opened.params is None else opened.params[trajectory : trajectory + 1],
            text=(opened.text.asstr()[trajectory],) if problem.has_text else None,
            index=torch.tensor([trajectory]),
            **{part: _whole(part, column, trajectory) for part, column in opened.parts.items()},
        )


class Opened:
    """A file that is open in one process: its datasets, looked up once (a look-up costs more than reading a window).

    Args:
        path: of the file.
        problem: what it holds.

    Raises:
        ValueError: if a dataset is absent or has another shape than the problem says.
    """

    def __init__(self, path: Path, problem: Problem):
        self.process = os.getpid()
        self.file = open_hdf5(path)
        found = datasets(problem)
        for place in found.all:
            expected = stored_shape(place, problem, int(self.file.attrs["n_trajectories"]))
            shape = self.file[place.path].shape if place.path in self.file else "none"
            if shape != expected:
                raise ValueError(
                    f"expected {place.path} of shape {expected}, as the problem in {path} says, found {shape}; the "
                    "file was changed: generate it again"
                )
        self.u, self.coeffs, self.forcing = (
            tuple((place, self.file[place.path]) for place in places)
            for places in (found.u, found.coeffs, found.forcing)
        )
        self.t = torch.from_numpy(np.atleast_2d(self.file["dimensions/time"][...]))
        columns = [self.file["scalars"][name][...] for name in problem.params]
        self.params = torch.from_numpy(np.stack(columns, 1)).float() if columns else None
        group = self.file[OURS]
        self.text = group["text"] if problem.has_text else None
        self.parts = {part: group[part] for part in OPTIONAL if part in group}


def stored_shape(place: Placement, problem: Problem, n_trajectories: int) -> tuple[int, ...]:
    """Shape of a dataset of ``n_trajectories`` trajectories; components of a vector come last."""
    shape = (n_trajectories, problem.n_frames) if place.time_varying else (n_trajectories,)
    return shape + tuple(problem.grid.shape) + ((len(place.channels),) if place.group == "t1_fields" else ())


def _whole(part: str, column: h5py.Dataset, trajectory: int) -> torch.Tensor:
    """A part of one trajectory that is read whole; a mask is stored as truth values and is 0 or 1."""
    values = torch.from_numpy(column[trajectory][None])
    return values.float() if part == "mask" else values


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
        values = column[where]
        for component, channel in enumerate(place.channels):
            channels[channel] = values[..., component] if place.group == "t1_fields" else values
    if n_channels == 1:
        return torch.from_numpy(np.expand_dims(channels[0], axis))[None]
    return torch.from_numpy(np.stack(channels, axis))[None]
