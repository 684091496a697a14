"""NetCDF files and Zarr folders with the names of xarray and the attributes of the CF Conventions 1.11.

Fields have the dimensions sample, time, x, y, z, or sample, time, point on a mesh, whose places are coordinates of
sample and point. Inputs fixed in time lack the time; parameters have the sample alone; captions are the coordinate
``text``. A field is NaN where it does not exist. The attribute ``pdekit`` holds the problem (JSON), from which pdekit
reads everything again (`pdekit.data.formats.exported`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import torch
import xarray as xr
from xarray.backends import H5NetCDFStore

from pdekit.data.exports.contract import ELSEWHERE, Target, Tick, folder_in_place, present
from pdekit.data.finite import check_written
from pdekit.data.formats.exported import MASKED, Exported
from pdekit.data.formats.stated import ATTRIBUTE
from pdekit.data.layout import problem_to_plain
from pdekit.data.sink import through_sink
from pdekit.data.windows import Source
from pdekit.data.writer import replacing
from pdekit.fields import AXES, Problem, Trajectory
from pdekit.labelled import attributes_of, to_dataset
from pdekit.plain import to_json

RESERVED = ("text", "point_mask", "cells")


def check_named(source: Source) -> None:
    """Raise ValueError if a name of the problem is that of another part of a file."""
    problem = source.problem
    names = [item.name for item in (*problem.fields, *problem.coeffs, *problem.forcing)] + list(problem.params)
    wrong = sorted({name for name in names if names.count(name) > 1 or name in RESERVED})
    if wrong:
        raise ValueError(f"expected names that occur once and none of {RESERVED}, found {wrong}; rename them")


def dataset_of(batch: Trajectory, problem: Problem) -> xr.Dataset:
    """Return trajectories with the names of their fields, inputs, axes and parameters."""
    u = batch.u if batch.mask is None else torch.where(batch.mask[:, None] > 0, batch.u, torch.nan)
    if problem.grid.uniform:
        data, space = to_dataset(u, batch.t, problem), problem.grid.axes
    else:
        data, space = _on_points(u, batch, problem), ("point",)
    if "time" in data.coords:
        data.time.attrs["axis"] = "T"
    for i, field in enumerate(problem.coeffs):
        data[field.name] = (("sample", *space), present(batch.coeffs)[:, i].numpy(), attributes_of(field))
    for i, field in enumerate(problem.forcing):
        attrs = attributes_of(field) | {"role": "forcing"}
        data[field.name] = (("sample", "time", *space), present(batch.forcing)[:, :, i].numpy(), attrs)
    for i, name in enumerate(problem.params):
        data[name] = ("sample", present(batch.params)[:, i].double().numpy())
    if batch.text is not None:
        data = data.assign_coords(text=("sample", np.array(batch.text, dtype=object)))
    document = to_json(problem_to_plain(problem))
    return data.assign_attrs({"Conventions": "CF-1.11", ATTRIBUTE: document, MASKED: int(batch.mask is not None)})


def _on_points(u: torch.Tensor, batch: Trajectory, problem: Problem) -> xr.Dataset:
    coords: dict[str, Any] = {
        axis: (("sample", "point"), present(batch.points)[..., i].numpy(), {"axis": axis.upper()})
        for i, axis in enumerate(AXES[: problem.ndim])
    }
    if batch.point_mask is not None:
        coords["point_mask"] = (("sample", "point"), batch.point_mask.numpy().astype(np.int8))
    if batch.cells is not None:
        coords["cells"] = (("sample", "cell", "corner"), batch.cells.numpy())
    fields = {
        field.name: (("sample", "time", "point"), u[:, :, i].numpy(), attributes_of(field))
        for i, field in enumerate(problem.fields)
    }
    return xr.Dataset(fields, {**coords, "time_of_sample": (("sample", "time"), batch.t.double().numpy())})


def _trajectories(source: Source, tick: Tick) -> Any:
    """Yield the dataset of each trajectory; all have times of their own if those of any differ."""
    n, problem = source.n_trajectories, source.problem
    first = source.read(0)
    same = "dt" not in problem.params and all(
        bool((source.read(i, slice(0, 1)).t == first.t[:, :1]).all()) for i in range(1, n)
    )
    for i in range(n):
        batch = first if i == 0 else source.read(i)
        check_written(batch, f"trajectory {i}")
        data = dataset_of(batch, problem)
        if not same and "time" in data.coords:
            data = data.drop_vars("time").assign_coords(time_of_sample=(("sample", "time"), batch.t.double().numpy()))
        elif same and not torch.equal(batch.t, first.t):
            raise ValueError(
                f"expected the times of trajectory 0 in trajectory {i}, found others; give it the param dt"
            )
        yield data
        tick(i + 1)


def _chunks(data: xr.Dataset) -> dict[str, list[int]]:
    """One frame in each chunk, so that a window is read without its neighbours."""
    found = {}
    for name, item in data.variables.items():
        lead = [1 if dim in ("sample", "time") else size for dim, size in item.sizes.items()]
        if "sample" in item.dims:
            found[str(name)] = lead if item.ndim > 1 else [512]
    return found


def write_netcdf(source: Source, path: Path, tick: Tick) -> None:
    """Write a NetCDF 4 file, one trajectory at a time."""
    with replacing(path, ELSEWHERE) as temporary, through_sink(temporary, h5netcdf.File) as (file, check):
        pieces = _trajectories(source, lambda done: None)
        first = next(pieces)
        encoding = {name: {"chunksizes": tuple(sizes)} for name, sizes in _chunks(first).items()}
        first.dump_to_store(H5NetCDFStore(file), encoding=encoding, unlimited_dims=["sample"])
        tick(1)
        file.resize_dimension("sample", source.n_trajectories)
        for i, piece in enumerate(pieces, 1):
            for name, item in piece.variables.items():
                if "sample" in item.dims:
                    file.variables[str(name)][i] = item.values[0]
            check()
            tick(i + 1)


def write_zarr(source: Source, path: Path, tick: Tick) -> None:
    """Write a Zarr folder (version 2, which all readers know), one trajectory at a time."""
    with folder_in_place(path) as temporary:
        for i, piece in enumerate(_trajectories(source, tick)):
            if i:
                piece.to_zarr(temporary, append_dim="sample", zarr_format=2)
            else:
                encoding = {name: {"chunks": tuple(sizes)} for name, sizes in _chunks(piece).items()}
                piece.to_zarr(temporary, mode="w", encoding=encoding, zarr_format=2)


NETCDF = Target("NetCDF", ".nc", check_named, write_netcdf, Exported)
ZARR = Target("Zarr", ".zarr", check_named, write_zarr, Exported)
