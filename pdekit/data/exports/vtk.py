"""Series of VTK files for ParaView: a folder for each trajectory with a ``.vtu`` for each frame, and a ``.pvd`` of all.

    00000.pvd               times and files of trajectory 0
    00000/00000.vtu, ...    points, cells, and every field as data of the points; a vector has three components
    parameters.csv          parameters of the trajectories, if there are some
    problem.json            the problem, from which pdekit reads everything again (`pdekit.data.formats.exported_vtk`)

The points of a grid are joined by lines, quadrilaterals or hexahedra; of a periodic axis the last cell, which closes
the box, is left out. A mesh keeps its own cells, and padding is left out. A field is NaN where it does not exist.
Inputs fixed in time are data of the points, too.
Source: the VTK file formats (XML), https://docs.vtk.org; written by meshio.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pdekit.data.exports.contract import Target, Tick, folder_in_place, present, refuse
from pdekit.data.finite import check_written
from pdekit.data.formats.exported_vtk import PARAMETERS, STATEMENT, VtkSeries, placed, recognises_series
from pdekit.data.formats.stated import ATTRIBUTE
from pdekit.data.layout import problem_to_plain
from pdekit.data.windows import Source
from pdekit.fields import Field, Problem, Trajectory
from pdekit.plain import to_json

CORNERS = {1: "line", 2: "quad", 3: "hexahedron"}
SIDES = {
    **{(2, 2): "line", (2, 3): "triangle", (2, 4): "quad"},
    **{(3, 4): "tetra", (3, 5): "pyramid", (3, 6): "wedge", (3, 8): "hexahedron"},
}
"""Kinds of cells of a mesh, by dimension and number of corners."""


def check_vtk(source: Source) -> None:
    """Raise ValueError if a source has captions, no space, or one name twice, or meshio is not installed."""
    problem = source.problem
    refuse(source, "VTK", {"captions": problem.has_text})
    names = [name for part in (problem.fields, problem.coeffs, problem.forcing) for name in placed(part)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"expected names of fields, vectors and inputs that occur once, found {twice}; rename them")
    if not problem.grid.shape:
        raise ValueError("expected a problem in space for VTK, found none; export with to=netcdf")
    try:
        import_module("meshio")
    except ImportError:
        raise ValueError("expected the package meshio for VTK, found none; pip install pdekit[meshio]") from None


def write_vtk(source: Source, path: Path, tick: Tick) -> None:
    """Write a folder of series."""
    problem = source.problem
    with folder_in_place(path) as folder:
        rows = []
        for i in range(source.n_trajectories):
            batch = source.read(i)
            check_written(batch, f"trajectory {i}")
            _write_series(batch, problem, folder, f"{i:05d}")
            rows.append([i, *([] if batch.params is None else batch.params[0].tolist())])
            tick(i + 1)
        (folder / STATEMENT).write_text(to_json(_stated(source)), encoding="utf-8")
        if problem.params:
            with (folder / PARAMETERS).open("w", newline="", encoding="utf-8") as lines:
                csv.writer(lines).writerows([["trajectory", *problem.params], *rows])


def _stated(source: Source) -> dict[str, Any]:
    """Return what VTK has no place for; sizes of cells and the mask are those of the first trajectory."""
    first = source.read(0, slice(0, 1))
    return {
        ATTRIBUTE: to_json(problem_to_plain(source.problem)),
        "trajectories": source.n_trajectories,
        "masked": first.mask is not None,
        "cells": None if first.cells is None else list(first.cells.shape[1:]),
    }


def _write_series(batch: Trajectory, problem: Problem, folder: Path, name: str) -> None:
    meshio = import_module("meshio")
    points, cells, kept = geometry(batch, problem)
    (folder / name).mkdir()
    u = batch.u if batch.mask is None else torch.where(batch.mask[:, None] > 0, batch.u, torch.nan)
    still = {} if batch.coeffs is None else point_data(problem.coeffs, batch.coeffs[0].flatten(1)[:, kept].numpy())
    lines = []
    for frame, time in enumerate(batch.t[0].double().tolist()):
        data = point_data(problem.fields, u[0, frame].flatten(1)[:, kept].numpy())
        if batch.forcing is not None:
            data |= point_data(problem.forcing, batch.forcing[0, frame].flatten(1)[:, kept].numpy())
        file = f"{name}/{frame:05d}.vtu"
        meshio.write(folder / file, meshio.Mesh(points, cells, point_data={**data, **still}))
        lines.append(f'    <DataSet timestep="{time!r}" part="0" file="{file}"/>')
    head = '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n  <Collection>'
    (folder / f"{name}.pvd").write_text("\n".join([head, *lines, "  </Collection>\n</VTKFile>\n"]), encoding="utf-8")


def point_data(fields: tuple[Field, ...], values: np.ndarray) -> dict[str, np.ndarray]:
    """Return fields "channel point" by name; the components of a vector as one array "point 3"."""
    found = {}
    for name, channels in placed(fields).items():
        columns = values[channels].T
        if fields[channels[0]].vector and len(channels) < 3:
            columns = np.pad(columns, ((0, 0), (0, 3 - len(channels))))
        found[name] = np.ascontiguousarray(columns if columns.shape[1] > 1 else columns[:, 0])
    return found


def geometry(batch: Trajectory, problem: Problem) -> tuple[np.ndarray, list[tuple[str, np.ndarray]], Any]:
    """Return points "point 3", cells by kind, and which of the stored points these are."""
    if problem.grid.uniform:
        _, grid, _ = problem.at(None if batch.params is None else batch.params.double())
        columns = [torch.broadcast_to(axis, (1, 1, *problem.grid.shape)).reshape(-1) for axis in grid.mesh()]
        points, kept, cells = torch.stack(columns, -1).numpy(), slice(None), _box_cells(problem.grid.shape)
    else:
        real = (
            batch.point_mask[0] > 0
            if batch.point_mask is not None
            else torch.ones(problem.grid.shape, dtype=torch.bool)
        )
        points, kept, cells = present(batch.points)[0][real].numpy(), real, _mesh_cells(batch, problem)
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1]))), cells, kept


def _mesh_cells(batch: Trajectory, problem: Problem) -> list[tuple[str, np.ndarray]]:
    """Cells of a mesh without their padding of -1; single points if it has none."""
    if batch.cells is None:
        n = problem.grid.shape[0] if batch.point_mask is None else int((batch.point_mask[0] > 0).sum())
        return [("vertex", np.arange(n)[:, None])]
    return list(_runs(batch.cells[0].numpy(), problem.ndim))


def _runs(cells: np.ndarray, ndim: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield cells "cell corner" without padding, in their order, as runs of one kind."""
    counts = (cells >= 0).sum(1)
    for run in np.split(np.arange(len(cells)), np.flatnonzero(np.diff(counts)) + 1):
        corners = int(counts[run[0]]) if len(run) else 0
        if not corners:
            continue
        if (ndim, corners) not in SIDES:
            raise ValueError(
                f"expected cells of {' or '.join(str(n) for dims, n in SIDES if dims == ndim)} corners in "
                f"{ndim} dimensions, found {corners}; export with to=netcdf"
            )
        yield SIDES[ndim, corners], cells[run, :corners]


def _box_cells(shape: tuple[int, ...]) -> list[tuple[str, np.ndarray]]:
    """Cells between the points of a grid, with corners in VTK's order."""
    number = np.arange(int(np.prod(shape))).reshape(shape)
    if min(shape) < 2:
        return [("vertex", number.reshape(-1, 1))]
    low, high = slice(None, -1), slice(1, None)
    faces = {1: [(low,), (high,)], 2: [(low, low), (high, low), (high, high), (low, high)]}
    order = faces.get(len(shape), [(*face, end) for end in (low, high) for face in faces[2]])
    return [(CORNERS[len(shape)], np.stack([number[place].ravel() for place in order], -1))]


def read_vtk(path: Path, trust: Sequence[str]) -> VtkSeries | None:
    """Return the trajectories of a folder of series; None for another folder."""
    return VtkSeries(path, trust) if recognises_series(path) else None


TARGET = Target("VTK", "", check_vtk, write_vtk, read_vtk)
