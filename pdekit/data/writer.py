"""Writing one split of a dataset as one HDF5 file: a strict superset of The Well's layout.

Fields, coeffs and forcing are datasets of ``t0_fields`` and ``t1_fields`` in float32 (float64 if asked), contiguous and
uncompressed (a window reads in tens of microseconds); parameters are ``scalars`` in float64. Times are stored for each
trajectory where they differ. The group ``pdekit`` holds the rest: the problem (JSON), text, masks, meshes, provenance,
recipe and the self-convergence of the reference. A file appears complete or not at all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import h5py
import numpy as np
import torch

from pdekit.boundaries import Boundary
from pdekit.data.layout import (
    FORMAT,
    OPTIONAL,
    OURS,
    TEXT,
    Placement,
    datasets,
    problem_to_plain,
    spatial_dims,
)
from pdekit.data.sink import Sink
from pdekit.fields import Problem, Trajectory
from pdekit.plain import is_number, to_json

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk, a quota or a file that is full."""


REMEDY = "set PDEKIT_DATA to a folder on another disk, and run the same command again (finished chunks are kept)"


@contextlib.contextmanager
def replacing(path: Path, remedy: str = REMEDY) -> Iterator[Path]:
    """A temporary name next to ``path`` that takes its place when the block ends without an error.

    Args:
        path: of the file.
        remedy: what to do if the disk is full, instead of freeing some space.

    Raises:
        OSError: with a sentence, if the disk or a quota is full; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, (OSError, RuntimeError)) and disk_full(error):
            raise out_of_room(path, remedy) from error
        raise


def out_of_room(path: Path, remedy: str = REMEDY) -> OSError:
    """The error for a file that a full disk cannot take."""
    return OSError(errno.ENOSPC, f"expected room for {path}, but the disk is full; free some space, or {remedy}")


def disk_full(error: BaseException) -> bool:
    """Return whether an error of the file system, or of HDF5 on top of it, says that no space is left."""
    return getattr(error, "errno", None) in NO_ROOM or "no space left" in str(error).lower()


class SplitWriter:
    """Writes a split piece by piece; a context manager.

    Args:
        path: the file; it appears when the block ends without an error.
        problem: problem of the trajectories; ``n_frames`` is that of this file.
        n_trajectories: number of trajectories that will be written.
        name: name of the dataset.
        documents: JSON documents kept in the group pdekit, e.g. ``{"recipe": ..., "provenance": ...}``.
        dtype: dtype of fields, coeffs and forcing on disk: "f4" or "f8".
    """

    def __init__(
        self,
        path: Path,
        problem: Problem,
        n_trajectories: int,
        name: str,
        documents: dict[str, Any] | None = None,
        dtype: str = "f4",
    ):
        self.path = Path(path)
        self.dtype = np.dtype(dtype)
        self.problem = problem
        self.n_trajectories = n_trajectories
        self.name = name
        self.documents = dict(documents or {})
        self._datasets = datasets(problem)
        self._stack = contextlib.ExitStack()
        self._written = np.zeros(n_trajectories, dtype=bool)
        self._times = np.zeros((n_trajectories, problem.n_frames))

    def __enter__(self) -> SplitWriter:
        with contextlib.ExitStack() as stack:
            temporary = stack.enter_context(replacing(self.path))
            stack.callback(lambda: self._sink.check())  # after the file is closed: HDF5 writes some of it then
            self._sink = stack.enter_context(Sink(temporary))
            self.file = stack.enter_context(h5py.File(self._sink, "w"))
            self._write_header()
            self._sink.check()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind, error, trace) -> bool | None:
        with self._stack:
            if error is not None:
                raise error
            if not self._written.all():
                raise ValueError(
                    f"expected {self.n_trajectories} trajectories in {self.path}, got {int(self._written.sum())}; "
                    "put all of them before closing"
                )
            self._write_times()
        return None

    def put(self, batch: Trajectory, first: int) -> None:
        """Write the trajectories of a batch from place ``first`` on.

        Raises:
            ValueError: if a part is missing or has another shape than the problem says.
        """
        check_batch(batch, self.problem)
        here = slice(first, first + len(batch))
        if here.stop > self.n_trajectories or self._written[here].any():
            raise ValueError(
                f"expected free places among {self.n_trajectories} trajectories, got {here.start} to {here.stop - 1}; "
                "put each trajectory once"
            )
        for places, values in (
            (self._datasets.u, batch.u),
            (self._datasets.forcing, batch.forcing),
            (self._datasets.coeffs, batch.coeffs),
        ):
            for place in places:
                self.file[place.path][here] = _pack(place, values)
        self._times[here] = batch.t.numpy(force=True)
        columns = () if batch.params is None else batch.params.unbind(1)
        for param, column in zip(self.problem.params, columns, strict=True):
            self.file["scalars"][param][here] = column.numpy(force=True)
        self._put_coordinates(batch, here)
        group = self.file[OURS]
        if batch.text is not None:
            group["text"][here] = list(batch.text)
        for part in OPTIONAL:
            values = getattr(batch, part)
            if values is not None:
                values = values.numpy(force=True)
                if part == "mask":
                    values = values > 0
                if part not in group:
                    group.create_dataset(part, (self.n_trajectories, *values.shape[1:]), values.dtype)
                group[part][here] = values
        self._sink.check()
        self._written[here] = True

    def _write_times(self) -> None:
        """Times of each trajectory; one row where they are the same for all."""
        rows = self._times
        varies = "dt" in self.problem.params or bool((rows != rows[:1]).any())
        time = self.file["dimensions"].create_dataset("time", data=rows if varies else rows[0])
        time.attrs["sample_varying"] = varies

    def _put_coordinates(self, batch: Trajectory, here: slice) -> None:
        for axis, letter in enumerate(spatial_dims(self.problem)):
            places = self.file["dimensions"][letter]
            if places.attrs["sample_varying"]:
                _, grid, _ = self.problem.at(batch.params.to(torch.float64))
                places[here] = grid.coordinates(axis).reshape(len(batch), -1).numpy(force=True)

    def _write_header(self) -> None:
        file, problem, n = self.file, self.problem, self.n_trajectories
        dims = spatial_dims(problem)
        constants = equation_constants(problem)
        file.attrs["dataset_name"] = self.name
        file.attrs["grid_type"] = "cartesian" if problem.grid.uniform else "points"
        file.attrs["n_spatial_dims"] = len(dims)
        file.attrs["n_trajectories"] = n
        file.attrs.create("simulation_parameters", list(constants), dtype=TEXT)
        for name, value in constants.items():
            file.attrs[name] = value

        group = file.create_group("dimensions")
        group.attrs.create("spatial_dims", list(dims), dtype=TEXT)
        for axis, (letter, points) in enumerate(zip(dims, problem.grid.shape, strict=True)):
            varies = f"length_{letter}" in problem.params
            if varies:
                column = group.create_dataset(letter, (n, points), "f8")
            else:
                values = _coordinates(problem, axis)
                column = group.create_dataset(letter, data=values)
            column.attrs["sample_varying"] = varies
            column.attrs["time_varying"] = False

        group = file.create_group("boundary_conditions")
        for axis, ends in enumerate(problem.sides):
            _write_boundary(group, dims[axis], problem.grid.shape[axis], ends)

        group = file.create_group("scalars")
        taken = {place.name for place in self._datasets.all}
        names = [name for name in constants if name not in taken and name not in problem.params]
        group.attrs.create("field_names", [*problem.params, *names], dtype=TEXT)
        for name in problem.params:
            _flags(group.create_dataset(name, (n,), "f8"), sample=True, time=False)
        for name in names:
            _flags(group.create_dataset(name, data=float(constants[name])), sample=False, time=False)

        for order in range(3):
            group = file.create_group(f"t{order}_fields")
            places = [place for place in self._datasets.all if place.group == f"t{order}_fields"]
            group.attrs.create("field_names", [place.name for place in places], dtype=TEXT)
            for place in places:
                lead = (n, problem.n_frames) if place.time_varying else (n,)
                shape = (*lead, *problem.grid.shape, *((len(place.channels),) if order else ()))
                column = _flags(
                    group.create_dataset(place.name, shape, self.dtype), sample=True, time=place.time_varying
                )
                column.attrs["dim_varying"] = np.ones(len(dims), dtype=bool)

        group = file.create_group(OURS)
        group.attrs["format"] = FORMAT
        for name, document in {"problem": problem_to_plain(problem), **self.documents}.items():
            group.create_dataset(name, data=to_json(document), dtype=TEXT)
        if problem.has_text:
            group.create_dataset("text", (n,), TEXT)


def _flags(column: h5py.Dataset, sample: bool, time: bool) -> h5py.Dataset:
    column.attrs["sample_varying"] = sample
    column.attrs["time_varying"] = time
    return column


def _coordinates(problem: Problem, axis: int) -> np.ndarray:
    if problem.grid.uniform:
        return problem.grid.coordinates(axis).numpy()
    return np.arange(problem.grid.shape[axis], dtype=np.float64)


def _write_boundary(group: h5py.Group, letter: str, n: int, ends: tuple[Boundary, Boundary]) -> None:
    """Write both ends in one entry where their kind is the same, else one entry for each end."""
    kinds = [end.the_well for end in ends]
    entries = {f"{letter}_{kinds[0].lower()}": [0, n - 1]}
    if kinds[0] != kinds[1]:
        entries = {f"{letter}_lower_{kinds[0].lower()}": [0], f"{letter}_upper_{kinds[1].lower()}": [n - 1]}
    for name, where in entries.items():
        entry = group.create_group(name)
        entry.attrs.create("associated_dims", [letter], dtype=TEXT)
        entry.attrs.create("associated_fields", [], shape=(0,), dtype=TEXT)
        entry.attrs["bc_type"] = kinds[0] if 0 in where else kinds[1]
        entry.attrs["sample_varying"] = False
        entry.attrs["time_varying"] = False
        mask = np.zeros(n, dtype=bool)
        mask[where] = True
        entry.create_dataset("mask", data=mask)


def _pack(place: Placement, values: torch.Tensor) -> np.ndarray:
    axis = 2 if place.time_varying else 1
    array = values.numpy(force=True)
    if place.group == "t0_fields":
        return np.take(array, place.channels[0], axis)
    return np.moveaxis(np.take(array, place.channels, axis), axis, -1)


def equation_constants(problem: Problem) -> dict[str, float]:
    """The equation's numbers that are the same for every trajectory."""
    if problem.pde is None:
        return {}
    values = {item.name: getattr(problem.pde, item.name) for item in dataclasses.fields(problem.pde)}
    return {name: float(value) for name, value in values.items() if is_number(value) and name not in problem.params}


def check_batch(batch: Trajectory, problem: Problem) -> None:
    """Refuse a batch that is not what the problem says, naming the part, the expected and the found shape."""
    n, space = len(batch), tuple(problem.grid.shape)
    expected = {
        "u": (n, problem.n_frames, problem.n_channels, *space),
        "t": (n, problem.n_frames),
        "coeffs": (n, len(problem.coeffs), *space) if problem.coeffs else None,
        "forcing": (n, problem.n_frames, len(problem.forcing), *space) if problem.forcing else None,
        "params": (n, len(problem.params)) if problem.params else None,
    }
    if problem.has_mask or batch.mask is not None:
        expected["mask"] = (n, problem.n_channels, *space)
    if not problem.grid.uniform:
        expected |= {"points": (n, *space, problem.ndim), "point_mask": (n, *space)}
    for part, shape in expected.items():
        values = getattr(batch, part)
        found = None if values is None else tuple(values.shape)
        if found != shape:
            raise ValueError(
                f"expected {part} of shape {shape} for this problem, got {found}; the axes are batch, time, channel, "
                "x, y, z, as far as they apply"
            )
    if problem.has_text != (batch.text is not None):
        raise ValueError(
            f"expected {'one text for each trajectory' if problem.has_text else 'no text'}, got "
            f"{'none' if batch.text is None else len(batch.text)}; set Problem(has_text=...) accordingly"
        )


def write_split(
    path: Path, problem: Problem, batch: Trajectory, name: str, documents: dict[str, Any] | None = None
) -> None:
    """Write a whole split at once, in float64 if one of its parts is."""
    double = any(part is not None and part.dtype == torch.float64 for part in (batch.u, batch.coeffs, batch.forcing))
    with SplitWriter(path, problem, len(batch), name, documents, "f8" if double else "f4") as writer:
        writer.put(batch, 0)
