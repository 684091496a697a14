"""Shallow water on the sphere of PDEArena (Gupta and Brandstetter 2023), as SpeedyWeather.jl wrote it:

    FOLDER/[{train|valid|test}/]seed=1/run0001/output.nc   u, v (time, lev, lat, lon), pres (time, lat, lon), time
    FOLDER/{train|valid|test}.zarr                         the same with b (sample) in front, runs after each other

Fields are pressure and velocity, as in the published task; the vorticity in the files follows from the velocity. Times
are hours and become seconds. Latitudes are Gaussian and stored from north to south; they are read from south to north,
on evenly spaced cells of the box of longitudes and latitudes, the nominal grid. A Gaussian latitude lies at most 0.27
of a cell from the centre of its cell. Weights of the grid are those of the box, not of the sphere.
Sources: https://github.com/pdearena/pdearena (pdedatagen/shallowwater, pdearena/data/twod/datapipes/shallowwater2d.py),
https://github.com/SpeedyWeather/SpeedyWeather.jl (output).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pdekit.boundaries import Wall
from pdekit.data.formats.blocks import Block, Blocked, Hdf5Store
from pdekit.data.formats.contract import WHOLE, Format, Joined, root_names
from pdekit.data.formats.evenly import step_of
from pdekit.data.formats.named_files import NamedStore
from pdekit.data.hdf5 import dataset, open_hdf5, values
from pdekit.data.natural_order import by_number
from pdekit.data.probe import check_all_readable
from pdekit.data.windows import Source
from pdekit.fields import Field, Grid, Problem

MODES = ("train", "valid", "test")
NEEDED = {"u", "v", "pres", "lat", "lon", "time"}
RUNS = "seed=*/run*/output.nc"
HOUR = 3600.0
PRESSURE = Field("pressure", "Pa")
VELOCITY = (Field("velocity_x", "m/s", vector="velocity"), Field("velocity_y", "m/s", vector="velocity"))
SPREAD = 0.01  # of a step: largest distance of the stored latitudes from Gaussian ones


def _recognises(path: Path) -> bool:
    """Return whether a folder holds runs, or is or holds Zarr, with the variables of this dataset."""
    found = _parts(path)
    return bool(found) and all(_has_variables(part) for parts in found.values() for part in parts[:1])


def _parts(path: Path) -> dict[str, list[Path]]:
    """Return the runs or Zarr folders of each split."""
    if not path.is_dir():
        return {}
    if _is_zarr(path):
        return {WHOLE: [path]}
    found = {mode: [path / f"{mode}.zarr"] for mode in MODES if _is_zarr(path / f"{mode}.zarr")}
    if found:
        return found
    found = {mode: by_number((path / mode).glob(RUNS)) for mode in MODES}
    found[WHOLE] = by_number(path.glob(RUNS))
    return {mode: files for mode, files in found.items() if files}


def _is_zarr(path: Path) -> bool:
    return (path / ".zgroup").is_file() or (path / "zarr.json").is_file()


def _has_variables(path: Path) -> bool:
    names = {item.name for item in path.iterdir() if item.is_dir()} if path.is_dir() else root_names(path)
    return names >= NEEDED


def _open_folder(path: Path) -> dict[str, Source]:
    """Open the runs of a folder, or its Zarr folders.

    Raises:
        ValueError: if a part is damaged, runs are of different problems, or latitudes are not Gaussian.
    """
    found = _parts(path)
    check_all_readable([part for parts in found.values() for part in parts if part.is_file()])
    return {
        mode: Joined([_zarr(part) if part.is_dir() else _run(part) for part in parts]) for mode, parts in found.items()
    }


def _run(path: Path) -> Blocked:
    with open_hdf5(path) as file:
        lat, lon, hours = (values(file, key) for key in ("lat", "lon", "time"))
        _check_level(path, dataset(file, "u").shape[1:2])
    problem = _problem(path, lat, lon, hours)
    return Blocked(Hdf5Store(path), problem, _blocks("", lat), HOUR * hours)


def _zarr(path: Path) -> Blocked:
    store = NamedStore(path, decode_times=False)
    lat, lon, hours = (np.asarray(store.data[key].values, dtype=np.float64) for key in ("lat", "lon", "time"))
    _check_level(path, store.data["u"].shape[2:3])
    problem = _problem(path, lat, lon, hours)
    return Blocked(store, problem, _blocks("s", lat), HOUR * hours)


def _blocks(before: str, lat: np.ndarray) -> list[Block]:
    flipped = "y" if lat[0] > lat[-1] else ""
    velocity = [
        Block(key, f"{before}t0yx", (field,), flipped=flipped) for key, field in zip("uv", VELOCITY, strict=True)
    ]
    return [Block("pres", f"{before}tyx", (PRESSURE,), flipped=flipped), *velocity]


def _problem(path: Path, lat: np.ndarray, lon: np.ndarray, hours: np.ndarray) -> Problem:
    """Return the problem of stored coordinates.

    Raises:
        ValueError: if latitudes are not Gaussian, or longitudes or times are uneven.
    """
    _check_gaussian(path, lat)
    spacing = step_of(f"lon of {path}", lon)
    grid = Grid((len(lon), len(lat)), (spacing * len(lon), 180.0), (float(lon[0]), -90.0), ("periodic", "cells"))
    step = HOUR * step_of(f"time of {path}", hours)
    poles = (Wall(), Wall())
    return Problem(grid, (PRESSURE, *VELOCITY), step, len(hours), boundary=(("periodic", "periodic"), poles))


def _check_level(path: Path, found: tuple[int, ...]) -> None:
    if found != (1,):
        raise ValueError(
            f"expected u of one vertical level in {path}, found {found}; open other models by their own names"
        )


def _check_gaussian(path: Path, lat: np.ndarray) -> None:
    found = np.sort(lat)
    wanted = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(len(found))[0]))
    if np.abs(found - wanted).max() > SPREAD * 180 / len(found):
        raise ValueError(
            f"expected {len(found)} Gaussian latitudes in lat of {path}, found {found[:3]} to {found[-1:]}; open "
            "evenly spaced latitudes as NetCDF files of your own"
        )


FORMATS = (Format("PDEArena (shallow water)", _recognises, _open_folder),)
