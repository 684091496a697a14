"""Forecasts that were made elsewhere: arrays, xarray objects and files, put in the order of their reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from pdekit.conventions import same_unit
from pdekit.data.assembly import in_order
from pdekit.data.axes import check_points
from pdekit.data.formats import named_files, open_source, recognised
from pdekit.data.formats.contract import WHOLE, is_address
from pdekit.data.from_xarray import is_xarray, read_xarray
from pdekit.data.given import (
    Given,
    is_complex,
    is_numpy_file,
    is_path,
    load_numpy,
    read_archive,
    real,
    split_complex,
)
from pdekit.data.natural_order import by_number
from pdekit.data.windows import Source, on_one_grid
from pdekit.fields import Problem, Trajectory
from pdekit.plain import mapping_or_empty

MEMBER = "member"
ON_TIME = 1e-2
"""Share of a time step by which times of a forecast may differ from those of the reference: rounding of float32."""


def forecasts_by_name(given: Any, name: str) -> Mapping[str, Any]:
    """Return forecasts by name; one forecast, which may be an xarray Dataset and so a mapping, too, gets the name."""
    return given if isinstance(given, Mapping) and not is_xarray(given) else {name: given}


class Frames:
    """Fields in memory as a source: no inputs, any values.

    Args:
        problem: what they are.
        u: "sample time channel *space".
        t: "sample time".
    """

    def __init__(self, problem: Problem, u: torch.Tensor, t: torch.Tensor):
        self.problem, self.n_trajectories, self.u, self.t = problem, len(u), u, t

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one."""
        one = slice(trajectory, trajectory + 1)
        return Trajectory(u=self.u[one, frames], t=self.t[one, frames], index=torch.tensor([trajectory]))


class Later:
    """A source whose times are later by so many seconds.

    Args:
        source: the source.
        seconds: by how much.
    """

    def __init__(self, source: Source, seconds: float):
        self.source, self.seconds = source, seconds
        self.problem, self.n_trajectories = source.problem, source.n_trajectories

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one."""
        batch = self.source.read(trajectory, frames)
        return dataclasses.replace(batch, t=batch.t + self.seconds)


@dataclass(frozen=True)
class Forecast:
    """Forecasts of all trajectories of a reference.

    Args:
        members: a source for each member of the ensemble; one if there is no ensemble.
        order: for each channel of the reference, the channel of the sources.
        first: frame of the reference at which the forecasts begin; None if they state no times.
        n_frames: of each forecast.
    """

    members: tuple[Source, ...]
    order: tuple[int, ...]
    first: int | None
    n_frames: int


def read_forecast(
    name: str, data: Any, reference: Source, trust: Sequence[str] = (), since: np.datetime64 | None = None
) -> Forecast:
    """Return forecasts in the order of a reference; their values are not looked at.

    Args:
        name: of the forecast, for messages.
        data: an array or tensor "[member] sample time channel *space"; an xarray object with the dimensions sample,
            time, x, y, z and, if there is an ensemble, member; or the path of a file of any layout that pdekit reads.
        reference: that they are scored against.
        trust: packages that formats may come from.
        since: the first date of the reference, if its times are dates; see `first_date`.

    Raises:
        FileNotFoundError, ValueError: if fields, units, trajectories, points or times are not those of the reference.
    """
    try:
        found = _read(data, reference, trust, since)
        for source in found.members:
            if source.n_trajectories != reference.n_trajectories:
                raise ValueError(
                    f"expected the {reference.n_trajectories} trajectories of the reference, found "
                    f"{source.n_trajectories}; give forecasts of the same ones in the same order"
                )
    except ValueError as error:
        raise ValueError(f"in the forecast {name!r}: {error}") from None
    return found


def _with_names(data: Any) -> xr.Dataset | xr.DataArray | None:
    """An xarray object, or that of a NetCDF or Zarr file; None for anything else."""
    if is_path(data) and (is_address(data) or named_files.is_named(Path(data))):
        return named_files.NamedStore(data if is_address(data) else Path(data)).data
    return data if is_xarray(data) else None


def first_date(data: Any) -> np.datetime64 | None:
    """Return the first date of an xarray object or of a NetCDF file; None if its times are numbers, or for arrays.

    Dates that are no coordinate of the time, such as that of the issue of a forecast, are not looked at.
    """
    found = _with_names(data)
    dates = {} if found is None else {name: item for name, item in found.coords.items() if item.dtype.kind == "M"}
    timed = (item for name, item in dates.items() if name in item.dims or name == "time_of_sample")
    return next((item.values.min() for item in timed), None)


def check_samples(name: str, data: Any, reference: Any) -> None:
    """Raise ValueError if forecast and reference both number their samples, and not alike.

    Args:
        name: of the forecast, for messages.
        data, reference: as a user gives them.
    """
    pair = [_with_names(part) for part in (data, reference)]
    found, wanted = (
        None if part is None or "sample" not in part.coords else np.atleast_1d(part.coords["sample"].values)
        for part in pair
    )
    if found is not None and wanted is not None and not np.array_equal(found, wanted):
        raise ValueError(
            f"in the forecast {name!r}: expected the samples {wanted[:5].tolist()} ... of the reference, found "
            f"{found[:5].tolist()} ...; sort them with .sel(sample=...), or drop the coordinate if the order is right"
        )


def _read(data: Any, reference: Source, trust: Sequence[str], since: np.datetime64 | None) -> Forecast:
    begins, seconds = first_date(data), 0.0
    if begins is not None:
        if since is None:
            raise ValueError(
                f"expected times as numbers, as in the reference, found dates from {begins} on; convert them"
            )
        seconds = float((begins - since) / np.timedelta64(1, "s"))
    if is_path(data) and not is_numpy_file(data):
        data = opened_file(data, trust)
    if is_xarray(data):
        many = MEMBER in data.dims
        parts = [data.isel({MEMBER: i}, drop=True) for i in range(data.sizes[MEMBER])] if many else [data]
        read = [read_xarray(part, gaps=True) for part in parts]
        return _of_arrays(
            [one if one.times is None else dataclasses.replace(one, times=one.times + seconds) for one in read],
            reference,
        )
    if isinstance(data, Source):
        return _of_source(Later(data, seconds) if seconds else data, reference)
    return _of_arrays(_members_of(data, reference.problem), reference)


def _members_of(data: Any, problem: Problem) -> list[Given]:
    """The members of an array; masked values become NaN."""
    if is_path(data):
        data = load_numpy(data)
        fields = mapping_or_empty(data)
        if len(fields) > 1:
            many = all(part.ndim == problem.grid.ndim + 3 for part in data.values())
            counts = {key: len(part) for key, part in data.items()}
            if many and len(set(counts.values())) > 1:
                raise ValueError(f"expected one number of members in all fields, found {counts}; correct the archive")
            n = max(counts.values())
            archives = [{key: part[i] for key, part in data.items()} for i in range(n)] if many else [data]
            return [read_archive(archive) for archive in archives]
        data = next(iter(fields.values()), data)
    array = real(split_complex(data, -1 - problem.grid.ndim) if is_complex(data) else data)
    if np.ma.isMaskedArray(array):
        array = array.filled(np.nan)
    depth = 3 + problem.grid.ndim
    if array.ndim not in (depth, depth + 1):
        raise ValueError(
            f'expected an array "sample time channel *space" with {depth} axes, or {depth + 1} with members first, got '
            f"shape {array.shape}; add missing axes of length 1 (one field: array[:, :, None])"
        )
    return [Given(member) for member in (array if array.ndim > depth else array[None])]


def _of_arrays(members: Sequence[Given], reference: Source) -> Forecast:
    """Forecasts in memory."""
    problem = reference.problem
    if not problem.grid.uniform:
        raise ValueError("expected a reference on a grid for arrays, found a point cloud; give files with their points")
    sources = []
    for given in members:
        given = in_order("the forecast", given, problem.fields)
        n, n_frames, *rest = given.values.shape
        wanted = (problem.n_channels, *problem.grid.shape)
        if tuple(rest) != wanted:
            raise ValueError(
                f"expected {wanted} (channel *space) in each frame as in the reference, found {tuple(rest)}; bring the "
                "forecast to the grid of the reference, and its axes into the order sample time channel x y z"
            )
        if given.axes is not None:
            check_points(problem.box, given.axes)
        t = np.full((n, n_frames), np.nan) if given.times is None else np.broadcast_to(given.times, (n, n_frames))
        u = torch.from_numpy(np.ascontiguousarray(given.values))
        sources.append(Frames(dataclasses.replace(problem, n_frames=n_frames), u, torch.from_numpy(t.copy())))
    first = None if members[0].times is None else first_frame(sources[0], reference)
    order = tuple(range(problem.n_channels))
    return Forecast(tuple(sources), order, first, sources[0].problem.n_frames)


def _of_source(source: Source, reference: Source) -> Forecast:
    """Forecasts in a file."""
    problem, wanted = source.problem, reference.problem
    names, expected = [field.name for field in problem.fields], [field.name for field in wanted.fields]
    if sorted(names) != sorted(expected):
        raise ValueError(f"expected the fields {expected} of the reference, found {names}; rename, add or remove some")
    units = {field.name: field.unit for field in problem.fields}
    for field in wanted.fields:
        if not same_unit(units[field.name], field.unit):
            raise ValueError(f"expected {field.name} in {field.unit!r}, found {units[field.name]!r}; convert it")
    if problem.grid.shape != wanted.grid.shape or type(problem.grid) is not type(wanted.grid):
        raise ValueError(
            f"expected the grid of the reference, {wanted.grid.shape}, found {problem.grid.shape}; bring the forecast "
            "to the grid of the reference"
        )
    if problem.grid.uniform and wanted.grid.uniform:
        check_points(wanted.box, [problem.grid.coordinates(i).numpy() for i in range(problem.grid.ndim)])
    order = tuple(names.index(name) for name in expected)
    return Forecast((source,), order, first_frame(source, reference), problem.n_frames)


def first_frame(forecast: Source, reference: Source) -> int | None:
    """Return the frame of the reference at which forecasts begin, from the times of the first trajectory.

    Raises:
        ValueError: if their times are not consecutive times of the reference.
    """
    if reference.problem.steady:
        return 0
    t, known = forecast.read(0).t[0].double(), reference.read(0).t[0].double()
    step = float(reference.problem.dt or 1.0)
    first = int((known - t[0]).abs().argmin())
    beyond = first + len(t) > len(known)
    if beyond or float((known[first : first + len(t)] - t).abs().max()) > ON_TIME * step:
        raise ValueError(
            f"expected times of the reference, {float(known[0]):g} to {float(known[-1]):g} in steps of {step:g}, found "
            f"{len(t)} times from {float(t[0]):g} to {float(t[-1]):g}; cut or interpolate the forecast to them"
        )
    return first


def opened_file(path: str | Path, trust: Sequence[str] = ()) -> Any:
    """Return the forecasts or the reference in a file or folder: a source, or an xarray object if it has members.

    Of files with splits it is the test split.

    Raises:
        FileNotFoundError, ValueError: if nothing is there, its layout is unknown, or it has splits but no test.
    """
    stored = Path(path) / "data" / "test"
    files = by_number(file for pattern in ("*.hdf5", "*.h5") for file in stored.glob(pattern))
    if files:
        return on_one_grid(open_source(files, trust), "to score")
    known = recognised(path, trust)
    if known in named_files.FORMATS:
        data = named_files.NamedStore(Path(path)).data
        if MEMBER in data.dims and "sample" in data.dims:
            return data
    found = dict(known.open(Path(path)))
    split = next((split for split in ("test", WHOLE) if split in found), None)
    if split is None and len(found) > 1:
        raise ValueError(f"expected a test split or no splits in {path}, found {sorted(found)}; give one file")
    return on_one_grid(found[split or next(iter(found))], "to score")
