"""HDF5 files of PDEArena (Gupta and Brandstetter 2023), of the KS generator of LPSDA, and smoke of Text2PDE.

    smoke    {train|valid|test}/u, vx, vy (sample, time, x, y), t, x, y, buo_y     one split, several files for each
    ...      [text_labels/0, 1, ...]                                               captions of Text2PDE
    Maxwell  {train|valid|test}/d_field, h_field (sample, time, x, y, z, 3)
    KS       {train|valid|test}/pde_140-256 (sample, time, x), t, x, dt, dx[, v]   v is the viscosity

Steps and boxes of KS differ from trajectory to trajectory. Smoke lies in a closed box from the first to the last x and
y. Its fields are values at cells (velocities: at their lower faces, as published). Lines of a caption are joined by
blanks, as Text2PDE joins them.

Files of Maxwell state neither box nor times; they are those of the published configuration: cells of 0.5 um, of which
the middle of a larger periodic box was kept, and frames 25 steps of 0.99 / sqrt(3) of the Courant limit apart, after
250 steps. Fields lie on the staggered grid of Yee, as published, in units in which both have one scale.
Sources: https://github.com/pdearena/pdearena (pdedatagen), https://github.com/brandstetter-johannes/LPSDA,
https://github.com/anthonyzhou-1/ldm_pdes (dataset), https://github.com/flaport/fdtd (grid.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from math import sqrt
from pathlib import Path

import h5py
import numpy as np

from pdekit.boundaries import Outflow, Wall
from pdekit.data.formats.blocks import Block, Blocked, Hdf5Store
from pdekit.data.formats.contract import Captioned, Format, Joined, is_hdf5, root_names
from pdekit.data.formats.equations import equation
from pdekit.data.formats.evenly import step_of
from pdekit.data.hdf5 import FAULTS, dataset, fault, names, open_hdf5, text, values
from pdekit.data.natural_order import by_number
from pdekit.data.probe import check_all_readable
from pdekit.data.windows import Source
from pdekit.fields import Field, Grid, Problem

MODES = ("train", "valid", "test")
SMOKE = {"u", "vx", "vy", "t", "x", "y"}
FIELDS = (
    Field("smoke"),
    Field("velocity_x", vector="velocity"),
    Field("velocity_y", vector="velocity"),
)
CAPTIONS = ("text_labels", "labels")
MAXWELL = ("d_field", "h_field")
CELL = 5e-7  # m: L / n_large of pdedatagen/configs/maxwell3d.yaml
MAXWELL_STEP = 0.99 / sqrt(3) * CELL / 299_792_458.0  # s: Grid.time_step of fdtd
SKIPPED, EACH = 250, 25  # steps: skip_nt and sample_rate of the same configuration


def _recognises(path: Path) -> bool:
    """Return whether a file, or every HDF5 file of a folder, has one of the layouts."""
    files = _files_of(path)
    return bool(files) and all(_kind_of(file) for file in files)


def _files_of(path: Path) -> list[Path]:
    """Return the HDF5 files of a folder, or a file itself."""
    if path.is_dir():
        return by_number(file for file in path.iterdir() if is_hdf5(file))
    return [path] if path.is_file() else []


def _kind_of(path: Path) -> str:
    """Return "smoke", "maxwell", "ks" or "" for another layout."""
    modes = root_names(path)
    if not modes or not modes <= set(MODES):
        return ""
    try:
        with open_hdf5(path) as file:
            found = set(names(file, min(modes)))
    except FAULTS:
        return ""
    if {name.lower() for name in found} >= SMOKE:
        return "smoke"
    if found >= set(MAXWELL):
        return "maxwell"
    return "ks" if any(name.startswith("pde_") for name in found) and {"t", "x"} <= found else ""


def _open_files(path: Path) -> dict[str, Joined]:
    """Open the files of a folder, or one file; the files of one split follow each other.

    Raises:
        ValueError: if a part is damaged, or the files are of different problems.
    """
    splits: dict[str, list[Source]] = {}
    files = _files_of(Path(path))
    check_all_readable(files)
    for file in files:
        for mode in sorted(root_names(file)):
            splits.setdefault(mode, []).append(OPENERS[_kind_of(file)](file, mode))
    base = next(splits[mode][0].problem for mode in MODES if mode in splits)
    for part in (part for parts in splits.values() for part in parts):
        if "dt" in part.problem.params:  # step and box are nominal: one for all splits
            grid = dataclasses.replace(part.problem.box, extent=base.grid.extent)
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


def _smoke(path: Path, mode: str) -> Source:
    with open_hdf5(path) as file:
        found = names(file, mode)
        keys = {name.lower(): name for name in found}  # MPP and others write Vx, Vy
        shape = dataset(file, f"{mode}/u").shape
        if len(shape) != 4:
            raise fault(file, f"{mode}/u", "the axes sample, time, x, y", f"the shape {shape}")
        times = _rows(file, f"{mode}/t", shape[0])
        corners = [_rows(file, f"{mode}/{letter}", shape[0]) for letter in "xy"]
        lift = values(file, f"{mode}/buo_y").reshape(-1) if "buo_y" in found else np.zeros(0)
        if len(lift) not in (0, shape[0]):
            raise fault(file, f"{mode}/buo_y", f"{shape[0]} numbers", len(lift))
        said = _captions(file, mode, found, shape[0])
    extent = tuple(float(rows[0, -1] - rows[0, 0]) for rows in corners)
    grid = Grid(shape[2:], extent, tuple(float(rows[0, 0]) for rows in corners), ("cells", "cells"))
    walls = (Wall("no_slip"), Wall("no_slip"))
    step = step_of(f"{mode}/t of {path}", times[0])
    params = ("buoyancy",) if len(lift) else ()
    problem = Problem(grid, FIELDS, step, shape[1], boundary=(walls, walls), params=params)
    pairs = zip(("u", "vx", "vy"), FIELDS, strict=True)
    blocks = [Block(f"{mode}/{keys[key]}", "stxy", (field,)) for key, field in pairs]
    source = Blocked(Hdf5Store(path), problem, blocks, times, params=lift[:, None] if len(lift) else None)
    return Captioned(source, said) if said else source


def _captions(file: h5py.File, mode: str, found: list[str], n: int) -> list[str]:
    """Return the texts of a file, one for each trajectory; none if it has no texts."""
    group = next((name for name in CAPTIONS if name in found), None)
    if group is None:
        return []
    return [" ".join(text(file, f"{mode}/{group}/{i}").split()) for i in range(n)]


def _maxwell(path: Path, mode: str) -> Blocked:
    with open_hdf5(path) as file:
        shape = dataset(file, f"{mode}/d_field").shape
        if len(shape) != 6:
            raise fault(file, f"{mode}/d_field", "the axes sample, time, x, y, z, 3", f"the shape {shape}")
    frames, points = shape[1], shape[2:5]
    parts = [tuple(Field(f"{key}_{letter}", vector=key) for letter in "xyz") for key in MAXWELL]
    grid = Grid(points, tuple(n * CELL for n in points), layout=("cells",) * 3)
    step = EACH * MAXWELL_STEP
    times = SKIPPED * MAXWELL_STEP + step * np.arange(1, frames + 1)
    problem = Problem(grid, parts[0] + parts[1], step, frames, boundary=((Outflow(), Outflow()),) * 3)
    blocks = [Block(f"{mode}/{key}", "stxyzc", fields) for key, fields in zip(MAXWELL, parts, strict=True)]
    return Blocked(Hdf5Store(path), problem, blocks, times)


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
    grid, pde = Grid(shape[2:], (float(columns["length_x"].mean()),)), equation("KuramotoSivashinsky")
    problem = Problem(grid, (Field("u"),), float(columns["dt"].mean()), shape[1], params=tuple(columns), pde=pde)
    return Blocked(Hdf5Store(path), problem, [Block(key, "stx", problem.fields)], times, params=_stacked(columns))


def _stacked(columns: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack(list(columns.values()), 1)


OPENERS: dict[str, Callable[[Path, str], Source]] = {"smoke": _smoke, "maxwell": _maxwell, "ks": _ks}

FORMATS = (Format("PDEArena (smoke, Maxwell, KS)", _recognises, _open_files),)
