"""Files of The Well, read into the windows that everything else uses.

Axes that do not vary are absent in a file and are tiled here. Constant fields become coeffs, constant scalars that
differ between trajectories or files become params, scalars that vary in time become forcing that is constant in space.
Source: The Well, Ohana et al. 2024, "Data format".
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import torch

from pdekit.data.store import open_hdf5
from pdekit.fields import Field, Grid, Problem, Trajectory

KEYS = {"boundary_conditions", "dimensions", "scalars", "t0_fields", "t1_fields"}


def is_the_well(file: h5py.File) -> bool:
    """Whether an open file has the groups of this layout."""
    return set(file) >= KEYS and "n_trajectories" in file.attrs


class TheWell:
    """The trajectories of the files of one split, one file after the other.

    Args:
        paths: files of one dataset, on one uniform Cartesian grid.

    Raises:
        ValueError: if the grid is not uniform or not Cartesian, or the files do not fit together.

    Limits: boundaries are taken whole for each axis; grids that vary with trajectory or time are refused.
    """

    def __init__(self, paths: Sequence[Path]):
        self.paths = [Path(path) for path in paths]
        self._files: dict[int, h5py.File] = {}
        self._process = -1
        counts, scalars, problems = [], [], []
        for path in self.paths:
            with open_hdf5(path) as file:
                counts.append(int(file.attrs["n_trajectories"]))
                scalars.append(_constant_scalars(file))
                problems.append(_problem(file, path))
        self._ends = np.cumsum(counts)
        self.n_trajectories = int(self._ends[-1])
        for path, problem in zip(self.paths[1:], problems[1:], strict=True):
            if (problem.grid.shape, problem.fields, problem.n_frames) != (
                problems[0].grid.shape,
                problems[0].fields,
                problems[0].n_frames,
            ):
                raise ValueError(
                    f"expected files of one grid, one set of fields and one length, got another in {path} than in "
                    f"{self.paths[0]}; open them apart"
                )
        names = [name for name in scalars[0] if len(np.unique(np.concatenate([s[name] for s in scalars]))) > 1]
        self._params = {name: np.concatenate([s[name] for s in scalars]) for name in names}
        base = problems[0]
        self.problem = Problem(
            base.grid,
            base.fields,
            base.dt,
            base.n_frames,
            base.boundary,
            base.coeffs,
            tuple(names),
            forcing=base.forcing,
        )

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_files": {}, "_process": -1}

    def _open(self, i: int) -> h5py.File:
        if self._process != os.getpid():
            self._files, self._process = {}, os.getpid()
        if i not in self._files:
            self._files[i] = open_hdf5(self.paths[i])
        return self._files[i]

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Some frames of one trajectory, as a batch of one."""
        i = int(np.searchsorted(self._ends, trajectory, side="right"))
        file = self._open(i)
        sample = trajectory - (self._ends[i] - file.attrs["n_trajectories"])
        count = len(range(self.problem.n_frames)[frames])
        fields, coeffs = [], []
        for order, name, varying in _fields(file):
            values = _tiled(file[f"t{order}_fields"][name], int(sample), frames, self.problem.grid.shape, count)
            (fields if varying else coeffs).extend(values)
        forcing = [
            np.broadcast_to(
                _at(file["scalars"][name], int(sample), frames).reshape(-1, *[1] * self.problem.ndim),
                (count, *self.problem.grid.shape),
            )
            for name in _time_scalars(file)
        ]
        time = file["dimensions/time"]
        row = time[int(sample), frames] if time.ndim == 2 else time[frames]
        params = [values[trajectory] for values in self._params.values()]
        return Trajectory(
            u=_stacked(fields, 1),
            t=torch.from_numpy(np.asarray(row, dtype=np.float64))[None],
            coeffs=_stacked(coeffs, 0) if coeffs else None,
            forcing=_stacked(forcing, 1) if forcing else None,
            params=torch.tensor([params], dtype=torch.float32) if params else None,
            index=torch.tensor([trajectory]),
        )


def _stacked(channels: list[np.ndarray], axis: int) -> torch.Tensor:
    return torch.from_numpy(np.stack(channels, axis).astype(np.float32))[None]


def _at(column: h5py.Dataset, sample: int, frames: slice) -> np.ndarray:
    """The values of one trajectory; axes that do not vary are absent from the file."""
    where: tuple = ()
    if column.attrs["sample_varying"]:
        where += (sample,)
    if column.attrs["time_varying"]:
        where += (frames,)
    return np.asarray(column[where])


def _tiled(column: h5py.Dataset, sample: int, frames: slice, space: tuple[int, ...], count: int) -> list[np.ndarray]:
    """The components of a field, each "time *space" (or "*space" if it does not vary in time)."""
    values = _at(column, sample, frames)
    lead = (count,) if column.attrs["time_varying"] else ()
    varying = [bool(flag) for flag in column.attrs["dim_varying"]]
    inner = values.shape[len(lead) + sum(varying) :]
    shape = lead + tuple(n if flag else 1 for n, flag in zip(space, varying, strict=True)) + inner
    values = np.broadcast_to(values.reshape(shape), lead + space + inner)
    if not inner:
        return [values]
    values = values.reshape(lead + space + (-1,))
    return [values[..., component] for component in range(values.shape[-1])]


def _fields(file: h5py.File) -> list[tuple[int, str, bool]]:
    """(tensor order, name, whether it varies in time) of every field, in the order of the file."""
    found = []
    for order in range(3):
        group = file.get(f"t{order}_fields")
        if group is None:
            continue
        found += [(order, str(name), bool(group[name].attrs["time_varying"])) for name in group.attrs["field_names"]]
    return found


def _time_scalars(file: h5py.File) -> list[str]:
    names = file["scalars"].attrs["field_names"]
    return [str(name) for name in names if file["scalars"][name].attrs["time_varying"]]


def _constant_scalars(file: h5py.File) -> dict[str, np.ndarray]:
    n = int(file.attrs["n_trajectories"])
    found = {}
    for name in file["scalars"].attrs["field_names"]:
        column = file["scalars"][name]
        if not column.attrs["time_varying"]:
            found[str(name)] = np.broadcast_to(np.asarray(column[()], dtype=np.float64).reshape(-1), (n,))
    return found


def _problem(file: h5py.File, path: Path) -> Problem:
    if str(file.attrs["grid_type"]) != "cartesian":
        raise ValueError(f"expected a cartesian grid, found {file.attrs['grid_type']!r} in {path}; resample the data")
    letters = [str(letter) for letter in file["dimensions"].attrs["spatial_dims"]]
    ends = _boundary(file, letters)
    columns = []
    for letter in letters:
        values = np.asarray(file["dimensions"][letter], dtype=np.float64)
        step = np.diff(values)
        if values.ndim != 1 or not np.allclose(step, step.mean(), rtol=1e-3):
            raise ValueError(f"expected evenly spaced coordinates {letter!r}, one row for all, found others in {path}")
        columns.append((values, float(step.mean())))
    layout = tuple("periodic" if pair == ("periodic", "periodic") else "nodes" for pair in ends)
    extent = tuple(
        step * (len(values) if kind == "periodic" else len(values) - 1)
        for (values, step), kind in zip(columns, layout, strict=True)
    )
    time = np.atleast_2d(np.asarray(file["dimensions/time"], dtype=np.float64))
    n_frames = time.shape[-1]
    fields: list[Field] = []
    coeffs: list[Field] = []
    for order, name, varying in _fields(file):
        parts = ["".join(part) for part in itertools.product(letters, repeat=order)]
        group = None if order == 0 else name
        (fields if varying else coeffs).extend(Field(f"{name}_{p}" if p else name, vector=group) for p in parts)
    return Problem(
        Grid(tuple(len(values) for values, _ in columns), extent, tuple(values[0] for values, _ in columns), layout),
        tuple(fields),
        float(np.diff(time[0]).mean()) if n_frames > 1 else None,
        n_frames,
        ends,
        tuple(coeffs),
        forcing=tuple(Field(name) for name in _time_scalars(file)),
    )


def _boundary(file: h5py.File, letters: list[str]) -> tuple[tuple[str, str], ...]:
    """(lower, upper) of each axis; open where the file says nothing, as The Well has it."""
    ends = {letter: ["open", "open"] for letter in letters}
    for entry in file["boundary_conditions"].values():
        kind = str(entry.attrs["bc_type"]).lower()
        mask = np.asarray(entry["mask"])
        names = [str(name) for name in np.atleast_1d(entry.attrs["associated_dims"])]
        for axis, letter in enumerate(names):
            decide = np.all if kind == "wall" else np.any
            for end, place in ((0, 0), (1, -1)):
                # A periodic axis may be marked at one end only.
                if decide(np.take(mask, place, axis)) or kind == "periodic":
                    ends[letter][end] = kind
    return tuple((pair[0], pair[1]) for pair in ends.values())
