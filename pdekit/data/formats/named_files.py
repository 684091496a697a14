"""NetCDF files, and Zarr folders or addresses (fsspec), with names of dimensions; opened by xarray, read by slices.

Dimensions are known by their name or by the CF attribute "axis" of their coordinate: a sample, time, x (lon), y (lat)
and z (lev). Variables in time are fields, variables of sample and space are inputs, variables of the sample are
parameters; units are kept; a complex field is two channels. Coordinates give grid and times, see `pdekit.data.ends`;
dates become seconds. Axes of space that are stored from their upper end to the lower one are read in reverse; axes of
space of one point are dropped.
Source: CF Conventions 1.11, sections 3 and 4.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pdekit.data.ends import layout_of
from pdekit.data.formats.blocks import Block, Blocked
from pdekit.data.formats.contract import WHOLE, Format, is_hdf5
from pdekit.data.formats.evenly import grid_from, step_of
from pdekit.data.from_xarray import times_in
from pdekit.data.given import pair
from pdekit.data.hdf5 import FAULTS, open_hdf5
from pdekit.data.probe import check_readable
from pdekit.fields import LAYOUTS, Field, Problem

NAMES = {
    "s": ("sample", "member", "ensemble", "realization", "trajectory", "batch", "b", "number"),
    "t": ("time", "t"),
    "x": ("x", "lon", "longitude"),
    "y": ("y", "lat", "latitude"),
    "z": ("z", "lev", "level", "depth", "height"),
}
CF_AXES = {"T": "t", "X": "x", "Y": "y", "Z": "z"}


class NamedStore:
    """Variables of a file, opened at the first read in each process.

    Args:
        path: path of the file or folder, or an address of Zarr.
        decode_times: whether dates are decoded.
    """

    def __init__(self, path: Path | str, decode_times: bool = True):
        self.path, self.decode_times = path, decode_times
        self._process, self._data = -1, None

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_process": -1, "_data": None}

    @property
    def data(self) -> xr.Dataset:
        """The open dataset; nothing of it is loaded."""
        if self._process != os.getpid():
            self._process, self._data = os.getpid(), _opened(self.path, self.decode_times)
        return self._data

    def array(self, key: str) -> Any:
        """Return a variable, or the part NAME/real or NAME/imag of a complex one, which is read where it is indexed."""
        name, _, part = key.partition("/")
        return ComplexPart(self.data[name].variable, part) if part else self.data[name].variable


class ComplexPart:
    """The real or the imaginary part of an array.

    Args:
        array: complex values.
        part: "real" or "imag".
    """

    def __init__(self, array: xr.Variable, part: str):
        self._array, self._part, self.shape = array, part, array.shape

    def __getitem__(self, where: Any) -> np.ndarray:
        return np.ascontiguousarray(getattr(np.asarray(self._array[where]), self._part))


def _opened(path: Path | str, decode_times: bool) -> xr.Dataset:
    """Open a file or folder lazily; the metadata of HDF5 are read in a child process first.

    Raises:
        ValueError: if xarray or libhdf5 cannot.
    """
    local = None if isinstance(path, str) else path  # a text is an address
    engine = "zarr" if local is None or local.is_dir() else "h5netcdf" if is_hdf5(local) else "scipy"
    if engine == "h5netcdf":
        check_readable(Path(path))
    options: dict[str, Any] = {"chunks": None, "cache": False, "decode_times": decode_times}
    if local is not None and engine == "zarr":
        options["consolidated"] = (local / ".zmetadata").is_file()
    try:
        data = xr.open_dataset(path, engine=engine, **options)
        return (
            data[sorted(data.data_vars)].assign_coords(data.coords) if engine == "zarr" else data
        )  # a folder has no order of its own
    except (*FAULTS, ImportError, AttributeError) as error:
        said = " ".join(str(error).split())[:160]
        raise ValueError(
            f"expected a dataset that xarray opens in {path} with {engine}, found: {said}; save it again"
        ) from None


def is_named(path: Path) -> bool:
    """Return whether a path is a folder of Zarr, NetCDF 3, or HDF5 whose datasets have dimensions by name."""
    if path.is_dir():
        return (path / ".zgroup").is_file() or (path / "zarr.json").is_file()
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        if file.read(3) == b"CDF":
            return True
    if not is_hdf5(path):
        return False
    try:
        with open_hdf5(path) as file:
            return "_NCProperties" in file.attrs
    except FAULTS:
        return False


def open_named(path: Path | str) -> dict[str, Blocked]:
    """Open a file or folder, or Zarr at an address.

    Raises:
        ValueError: if names of dimensions are unknown, coordinates are missing or uneven, or there is no field.
    """
    store = NamedStore(path)
    data = store.data
    letters = {str(name): _letter(path, data, str(name)) for name in data.dims}
    flat = [name for name, letter in letters.items() if letter in "xyz" and data.sizes[name] == 1]
    letters |= dict.fromkeys(flat, "0")
    if len(set(letters.values()) - {"0"}) < len(letters) - len(flat):
        raise ValueError(
            f"expected one dimension for each of sample, time, x, y, z in {path}, found {letters}; rename some"
        )
    space = "".join(letter for letter in "xyz" if letter in letters.values())
    falling = "".join(letter for name, letter in letters.items() if letter in space and _falls(data, name))
    blocks: dict[str, list[Block]] = {"u": [], "coeffs": []}
    params: dict[str, np.ndarray] = {}
    in_time = "t" in letters.values()
    for name, item in data.data_vars.items():
        axes = "".join(letters[str(dim)] for dim in item.dims)
        if item.dtype.kind not in "fiubc" or item.dims == ():
            continue
        if axes == "s" and item.dtype.kind != "c":
            params[str(name)] = np.asarray(item.values, dtype=np.float64)
        elif axes != "s" and set(space) <= set(axes):
            blocks["u" if "t" in axes or not in_time else "coeffs"] += [
                Block(key, axes, (field,), flipped=falling) for key, field in _channels(str(name), item)
            ]
        else:
            raise ValueError(
                f"expected {name} in {path} to vary in space ({space}) or with the sample, found {item.dims}; remove it"
            )
    if not blocks["u"]:
        raise ValueError(f"expected a variable in time and space in {path}, found {list(data.data_vars)}; add one")
    return {WHOLE: _source(store, letters, blocks, params)}


def _channels(name: str, item: xr.DataArray) -> list[tuple[str, Field]]:
    """Key and field of each channel of a variable."""
    unit = str(item.attrs.get("units", "1"))
    if item.dtype.kind == "c":
        return list(zip((f"{name}/real", f"{name}/imag"), pair(name, unit), strict=True))
    return [(name, Field(name, unit, item.attrs.get("vector"), item.attrs.get("complex")))]


def _falls(data: xr.Dataset, name: str) -> bool:
    """Return whether coordinates become smaller."""
    return name in data.coords and data[name].dtype.kind in "fiu" and bool(data[name].values[0] > data[name].values[-1])


def _letter(path: Path | str, data: xr.Dataset, name: str) -> str:
    axis = data[name].attrs.get("axis") if name in data.coords else None
    found = CF_AXES.get(str(axis)) or next((letter for letter, known in NAMES.items() if name.lower() in known), None)
    if found is None:
        raise ValueError(
            f"expected dimensions named as sample, time, x (lon), y (lat) or z (lev) in {path}, found {name!r}; rename "
            "it with xarray's .rename and save again"
        )
    return found


def _source(
    store: NamedStore, letters: dict[str, str], blocks: dict[str, list[Block]], params: dict[str, np.ndarray]
) -> Blocked:
    data, names = store.data, {letter: name for name, letter in letters.items()}
    axes, layout = {}, []
    for letter in (letter for letter in "xyz" if letter in names):
        name = names[letter]
        if name not in data.coords:
            raise ValueError(f"expected coordinates of the dimension {name!r} in {store.path}, found none; add them")
        points = np.asarray(data[name].values, dtype=np.float64)
        points = points[::-1] if _falls(data, name) else points
        step_of(f"{name} of {store.path}", points)
        stated = data[name].attrs.get("layout")
        layout.append(stated if stated in LAYOUTS else layout_of(f"{name} of {store.path}", points, None, None))
        axes[name] = points
    times = times_in(data.rename({names["t"]: "time"}) if names.get("t", "time") != "time" else data)
    frames = data.sizes[names["t"]] if "t" in names else 1
    if times is None or times.shape[-1] != frames:
        times = np.zeros(1) if frames == 1 else None
    if times is None:
        raise ValueError(f"expected coordinates of the times in {store.path}, found none; add them")
    problem = Problem(
        grid_from(str(store.path), axes, layout),
        tuple(field for block in blocks["u"] for field in block.fields),
        step_of(f"time of {store.path}", np.atleast_2d(times)[0]) if frames > 1 else None,
        frames,
        coeffs=tuple(field for block in blocks["coeffs"] for field in block.fields),
        params=tuple(params),
    )
    table = np.stack(list(params.values()), 1) if params else None
    return Blocked(store, problem, blocks["u"], times, blocks["coeffs"], table)


FORMATS = (Format("NetCDF or Zarr", is_named, open_named),)
