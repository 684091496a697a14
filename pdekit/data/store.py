"""Reading one split of a dataset, lazily: only the frames asked for, from a file opened once in each process."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import torch

from pdekit.data.layout import FORMAT, OPTIONAL, OURS, TEXT, Placement, datasets, problem_from_plain
from pdekit.fields import Trajectory


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
        self._file: h5py.File | None = None
        self._process = -1
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
                key: json.loads(item.asstr()[()])
                for key, item in file[OURS].items()
                if isinstance(item, h5py.Dataset) and item.shape == () and item.dtype == TEXT
            }
            self._parts = tuple(part for part in OPTIONAL if part in file[OURS])
        self.problem = problem_from_plain(self.documents.pop("problem"), trust)
        self._datasets = datasets(self.problem)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_file": None, "_process": -1}

    @property
    def file(self) -> h5py.File:
        """The open file of this process."""
        if self._file is None or self._process != os.getpid():
            self._file = open_hdf5(self.path)
            self._process = os.getpid()
        return self._file

    def close(self) -> None:
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file = None

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Some frames of one trajectory: a batch of one, fields and params float32, times float64.

        Only the frames asked for are read; coeffs, mask and points are read whole.
        """
        file, problem = self.file, self.problem
        time = file["dimensions/time"]
        row = time[trajectory, frames] if time.ndim == 2 else time[frames]
        group = file[OURS]
        parts = {part: torch.from_numpy(group[part][trajectory][None]) for part in self._parts}
        return Trajectory(
            u=_unpack(file, self._datasets.u, trajectory, frames, problem.n_channels),
            t=torch.from_numpy(row)[None],
            coeffs=_unpack(file, self._datasets.coeffs, trajectory, None, len(problem.coeffs)),
            forcing=_unpack(file, self._datasets.forcing, trajectory, frames, len(problem.forcing)),
            params=self._params(trajectory),
            text=(group["text"].asstr()[trajectory],) if problem.has_text else None,
            index=torch.tensor([trajectory]),
            **parts,
        )

    def _params(self, trajectory: int) -> torch.Tensor | None:
        if not self.problem.params:
            return None
        values = [self.file["scalars"][name][trajectory] for name in self.problem.params]
        return torch.tensor([values], dtype=torch.float32)


def _unpack(
    file: h5py.File, places: tuple[Placement, ...], trajectory: int, frames: slice | None, n_channels: int
) -> torch.Tensor | None:
    """Channels of one trajectory: "1 time channel *space", or "1 channel *space" where frames is None."""
    if not places:
        return None
    axis = 0 if frames is None else 1
    if n_channels == 1:
        values = file[places[0].path][trajectory] if frames is None else file[places[0].path][trajectory, frames]
        values = values[..., 0] if places[0].group == "t1_fields" else values
        return torch.from_numpy(np.expand_dims(values, axis))[None]
    channels: list[np.ndarray] = [np.empty(0)] * n_channels
    for place in places:
        values = file[place.path][trajectory] if frames is None else file[place.path][trajectory, frames]
        for component, channel in enumerate(place.channels):
            channels[channel] = values[..., component] if place.group == "t1_fields" else values
    return torch.from_numpy(np.stack(channels, axis))[None]
