"""HDF5 files of PDEArena (Gupta and Brandstetter 2023) and of the Kuramoto-Sivashinsky generator of LPSDA.

    smoke   {train|valid|test}/u, vx, vy (sample, time, x, y), t, x, y, buo_y     one split, several files for each
    KS      {train|valid|test}/pde_140-256 (sample, time, x), t, x, dt, dx[, v]   v is the viscosity

Steps and boxes of KS differ from trajectory to trajectory. Smoke lies in a closed box from the first to the last x and
y. Its fields are values at cells (velocities: at their lower faces, as published).
Sources: https://github.com/microsoft/pdearena (pdedatagen), https://github.com/brandstetter-johannes/LPSDA.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import numpy as np

from pdekit.boundaries import Wall
from pdekit.data.formats.blocks import Block, Blocked, Hdf5Store
from pdekit.data.formats.contract import Format, Joined, is_hdf5, root_names
from pdekit.data.formats.evenly import step_of
from pdekit.data.hdf5 import FAULTS, dataset, fault, names, open_hdf5, values
from pdekit.data.probe import check_readable
from pdekit.fields import Field, Grid, Problem
from pdekit.pdes.kuramoto_sivashinsky import KuramotoSivashinsky

MODES = ("train", "valid", "test")
SMOKE = {"u", "vx", "vy", "t", "x", "y"}
FIELDS = (
    Field("smoke"),
    Field("velocity_x", vector="velocity"),
    Field("velocity_y", vector="velocity"),
)


def _recognises(path: Path) -> bool:
    """Return whether a file, or every HDF5 file of a folder, has one of the two layouts."""
    files = _files_of(path)
    return bool(files) and all(_kind_of(file) for file in files)


def _files_of(path: Path) -> list[Path]:
    """Return the HDF5 files of a folder, or a file itself."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if is_hdf5(file))
    return [path] if path.is_file() else []


def _kind_of(path: Path) -> str:
    """Return "smoke", "ks" or "" for another layout."""
    modes = root_names(path)
    if not modes or not modes <= set(MODES):
        return ""
    try:
        with open_hdf5(path) as file:
            found = set(names(file, min(modes)))
    except FAULTS:
        return ""
    if found >= SMOKE:
        return "smoke"
    return "ks" if any(name.startswith("pde_") for name in found) and {"t", "x"} <= found else ""


def _open_files(path: Path) -> dict[str, Joined]:
    """Open the files of a folder, or one file; the files of one split follow each other.

    Raises:
        ValueError: if a part is damaged, or the files are of different problems.
    """
    splits: dict[str, list[Blocked]] = {}
    for file in _files_of(Path(path)):
        check_readable(file)
        for mode in sorted(root_names(file)):
            splits.setdefault(mode, []).append((_smoke if _kind_of(file) == "smoke" else _ks)(file, mode))
    base = next(splits[mode][0].problem for mode in MODES if mode in splits)
    for part in (part for parts in splits.values() for part in parts):
        if "dt" in part.problem.params:  # step and box are nominal: one for all splits
            grid = dataclasses.replace(part.problem.grid, extent=base.grid.extent)
            part.problem = dataclasses.replace(part.problem, dt=base.dt, grid=grid)
    return {mode: Joined(parts) for mode, parts in splits.items()}


def _rows(file: h5py.File, key: str, n: int) -> np.ndarray:
    """One row for each trajectory; some files hold one row for all."""
    found = np.atleast_2d(values(file, key))
    if found.ndim != 2 or len(found) not in (1, n):
        raise fault(file, key, f"{n} rows", found.shape)
    return np.broadcast_to(found, (n, found.shape[1]))


def _steps(path: Path, key: str, rows: np.ndarray) -> np.ndarray:
    return np.array([step_of(f"{key} of {path}", row) for row in rows])


def _smoke(path: Path, mode: str) -> Blocked:
    with open_hdf5(path) as file:
        shape = dataset(file, f"{mode}/u").shape
        if len(shape) != 4:
            raise fault(file, f"{mode}/u", "the axes sample, time, x, y", f"the shape {shape}")
        times = _rows(file, f"{mode}/t", shape[0])
        corners = [_rows(file, f"{mode}/{letter}", shape[0]) for letter in "xy"]
        lift = values(file, f"{mode}/buo_y").reshape(-1) if "buo_y" in names(file, mode) else np.zeros(0)
        if len(lift) not in (0, shape[0]):
            raise fault(file, f"{mode}/buo_y", f"{shape[0]} numbers", len(lift))
    extent = tuple(float(rows[0, -1] - rows[0, 0]) for rows in corners)
    grid = Grid(shape[2:], extent, tuple(float(rows[0, 0]) for rows in corners), ("cells", "cells"))
    walls = (Wall("no_slip"), Wall("no_slip"))
    step = step_of(f"{mode}/t of {path}", times[0])
    params = ("buoyancy",) if len(lift) else ()
    problem = Problem(grid, FIELDS, step, shape[1], boundary=(walls, walls), params=params)
    keys = zip(("u", "vx", "vy"), FIELDS, strict=True)
    blocks = [Block(f"{mode}/{key}", "stxy", (field,)) for key, field in keys]
    return Blocked(Hdf5Store(path), problem, blocks, times, params=lift[:, None] if len(lift) else None)


def _ks(path: Path, mode: str) -> Blocked:
    with open_hdf5(path) as file:
        found = names(file, mode)
        key = f"{mode}/{next(name for name in found if name.startswith('pde_'))}"
        shape = dataset(file, key).shape
        if len(shape) != 3:
            raise fault(file, key, "the axes sample, time, x", f"the shape {shape}")
        times, places = _rows(file, f"{mode}/t", shape[0]), _rows(file, f"{mode}/x", shape[0])
        viscosity = values(file, f"{mode}/v").reshape(-1) if "v" in found else np.zeros(0)
    columns = {"dt": _steps(path, f"{mode}/t", times), "length_x": shape[2] * _steps(path, f"{mode}/x", places)}
    if len(viscosity):
        columns["viscosity"] = viscosity
    if {len(column) for column in columns.values()} != {shape[0]}:
        raise ValueError(f"expected {shape[0]} numbers in {mode}/v of {path}, found {len(viscosity)}; fetch it again")
    grid, pde = Grid(shape[2:], (float(columns["length_x"].mean()),)), KuramotoSivashinsky()
    problem = Problem(grid, (Field("u"),), float(columns["dt"].mean()), shape[1], params=tuple(columns), pde=pde)
    return Blocked(Hdf5Store(path), problem, [Block(key, "stx", problem.fields)], times, params=_stacked(columns))


def _stacked(columns: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack(list(columns.values()), 1)


FORMATS = (Format("PDEArena (smoke, KS)", _recognises, _open_files),)
