"""Measured values of fields at scattered points in space and time, read from a file of the user and checked.

A file has one column for each axis (x, y, z as far as they exist), one for the time t, and one for each measured field:

    .csv          a header with the names; an empty cell of a field is a value that was not measured
    .npy          a structured array with these names, or rows of numbers in the order x, y, z, t, fields
    .npz          one array for each name
    .nc, .h5      an xarray dataset: fields over a common dimension, or over the axes and t themselves
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem

LARGEST = 10_000_000  # rows of a file
OUTSIDE = 1e-6  # share of the span by which a coordinate may lie outside: rounding
UNIT = re.compile(r"(?P<name>[^\[\]]*[^\[\]\s])\s*\[(?P<unit>[^\[\]]*)\]")


@dataclass(frozen=True)
class Measurements:
    """Measured values.

    Args:
        points: "row coordinate" in float64: x, y, z as far as they exist, then t.
        values: "row field" in float64, for each field of the problem; NaN where it was not measured.
    """

    points: Float[Tensor, "row coordinate"]
    values: Float[Tensor, "row field"]

    def __len__(self) -> int:
        return len(self.points)


def read_measurements(path: str | Path, problem: Problem) -> Measurements:
    """Read measurements of a problem from a file (see the top of this module).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: on another kind of file, missing or unknown columns, and what `measured` refuses. The message names
            the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a file of measurements at {path}, found none; correct measurements=FILE")
    if path.suffix.lower() not in READERS:
        raise ValueError(
            f"expected a file of measurements that ends in {', '.join(READERS)}, got {path.name}; convert it, or give "
            "arrays in Python"
        )
    try:
        return measured(problem, READERS[path.suffix.lower()](path, _names(problem)))
    except ValueError as error:
        raise ValueError(f"{error} (file {path})") from error


def measured(problem: Problem, columns: Mapping[str, Any]) -> Measurements:
    """Check measurements that are given as arrays.

    Args:
        problem: whose fields were measured.
        columns: one array of numbers for each axis, for "t" and for each measured field, all of one length. A name may
            be followed by a unit in brackets, as in "u [m/s]".

    Raises:
        ValueError: on missing or unknown names, another unit than the field's, lengths that differ, values that are no
            finite numbers, or points outside the box or the time span of the problem.

    >>> from pdekit.fields import Field, Grid
    >>> rod = Problem(Grid((5,), (2.0,), layout=("nodes",)), (Field("T", "K"),), dt=0.5, n_frames=3)
    >>> found = measured(rod, {"x": [0.0, 2.0], "t": [0.1, 1.0], "T [K]": [290, 310]})
    >>> found.points.tolist(), found.values.tolist()
    ([[0.0, 0.1], [2.0, 1.0]], [[290.0], [310.0]])
    """
    names, fields = _names(problem), [field.name for field in problem.fields]
    columns = _without_units(columns, problem)
    axes = names[: len(names) - len(fields)]
    absent = [name for name in axes if name not in columns]
    unknown = [name for name in columns if name not in names]
    if absent or unknown or not any(name in columns for name in fields):
        raise ValueError(
            f"expected columns {axes} and one or more of the fields {fields}, found {list(columns)}; "
            f"{f'add {absent}' if absent else f'remove or rename {unknown}' if unknown else 'add a field'}"
        )
    arrays = {name: _numbers(name, values) for name, values in columns.items()}
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1 or not 0 < max(lengths.values()) <= LARGEST:
        raise ValueError(f"expected columns of one length from 1 to {LARGEST:,}, found {lengths}; correct them")
    points = torch.stack([arrays[name] for name in axes], 1)
    nothing = torch.full_like(points[:, 0], torch.nan)
    values = torch.stack([arrays.get(name, nothing) for name in fields], 1)
    _check_values(points, values, axes, [name for name in fields if name in arrays])
    _check_inside(points, axes, problem)
    return Measurements(points, values)


def _names(problem: Problem) -> list[str]:
    """Names of all columns that a file may have, in order."""
    if not problem.grid.uniform or problem.steady:
        raise ValueError("expected a problem in time on a uniform box for measurements, got another; choose other data")
    return [*problem.grid.axes, "t", *(field.name for field in problem.fields)]


def _without_units(columns: Mapping[str, Any], problem: Problem) -> dict[str, Any]:
    """Take the units off the names, and compare them with those of the fields."""
    units, found = {field.name: field.unit for field in problem.fields}, {}
    for key, values in columns.items():
        match = UNIT.fullmatch(str(key).strip())
        name, unit = (match["name"], match["unit"].strip()) if match else (str(key).strip(), None)
        if name in found:
            raise ValueError(f"expected each column once, found {name!r} twice; remove one")
        wanted = units.get(name, "1")
        if unit is not None and unit != wanted:
            raise ValueError(
                f"expected the unit [{wanted}] of the problem for {name!r}, found [{unit}]; convert the values and "
                f"write {name!r} or '{name} [{wanted}]'"
            )
        found[name] = values
    return found


def _numbers(name: str, values: Any) -> Float[Tensor, "row"]:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"expected one number in each row of {name!r}, found an array of shape {array.shape} and type "
            f"{array.dtype}; correct the column"
        )
    return torch.from_numpy(np.ascontiguousarray(array.astype(np.float64)))


def _check_values(points: Tensor, values: Tensor, axes: list[str], fields: list[str]) -> None:
    """Raise ValueError unless coordinates are finite, values finite or NaN, and each row has a value."""
    bad = ~torch.isfinite(points)
    if bad.any():
        row, column = bad.nonzero()[0].tolist()
        raise ValueError(
            f"expected finite coordinates, found {axes[column]} = {float(points[row, column])} in row {row + 1}; "
            "correct or remove the row"
        )
    if torch.isinf(values).any():
        row = int(torch.isinf(values).any(1).nonzero()[0])
        raise ValueError(f"expected finite values, found an infinite one in row {row + 1}; correct or remove the row")
    empty = torch.isnan(values).all(1)
    if empty.any():
        raise ValueError(
            f"expected a value of {' or '.join(fields)} in each row, found none in row {int(empty.nonzero()[0]) + 1}; "
            "remove the row"
        )


def _check_inside(points: Tensor, axes: list[str], problem: Problem) -> None:
    """Raise ValueError for points outside the box or the time span."""
    lower = [*(float(o) for o in problem.grid.origin), 0.0]
    lengths = [*(float(length) for length in problem.grid.extent), problem.step * (problem.n_frames - 1)]
    for column, (name, low, length) in enumerate(zip(axes, lower, lengths, strict=True)):
        found = points[:, column]
        outside = (found < low - OUTSIDE * length) | (found > low + length + OUTSIDE * length)
        if outside.any():
            row = int(outside.nonzero()[0])
            what = "the time span" if name == "t" else "the box"
            raise ValueError(
                f"expected {name} in [{low:g}, {low + length:g}], {what} of the problem, found {float(found[row]):g} "
                f"in row {row + 1}; convert the unit of {name}, remove the row, or enlarge {what}"
            )


def _read_csv(path: Path, names: list[str]) -> dict[str, Any]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        try:
            rows = [row for row in csv.reader(lines, strict=True) if any(cell.strip() for cell in row)]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"expected text with commas, found {error}; save it as CSV in UTF-8") from error
    if len(rows) < 2:
        raise ValueError(
            f"expected a header with the names {names} and rows of numbers, found {len(rows)} rows; add them"
        )
    header, found = [cell.strip() for cell in rows[0]], rows[1:]
    for number, row in enumerate(found, 1):
        if len(row) != len(header):
            raise ValueError(f"expected {len(header)} cells in row {number}, found {len(row)}; correct the row")
    if len(set(header)) < len(header):
        raise ValueError(f"expected each column once, found the header {header}; remove or rename columns")
    return {name: [_cell(row[i], name, n) for n, row in enumerate(found, 1)] for i, name in enumerate(header)}


def _cell(text: str, name: str, row: int) -> float:
    try:
        return float(text) if text.strip() else float("nan")
    except ValueError:
        raise ValueError(f"expected a number of {name!r} in row {row}, found {text!r}; correct the cell") from None


def _read_npy(path: Path, names: list[str]) -> dict[str, Any]:
    array = _load(path)
    if array.dtype.names:
        return {name: array[name] for name in array.dtype.names}
    if array.ndim != 2 or array.shape[1] != len(names):
        raise ValueError(
            f"expected rows of {len(names)} numbers in the order {names}, found an array of shape {array.shape}; name "
            "the columns (.npz, .csv) if some were not measured"
        )
    return {name: array[:, i] for i, name in enumerate(names)}


def _read_npz(path: Path, names: list[str]) -> dict[str, Any]:
    with _load(path) as arrays:
        try:
            return {name: arrays[name] for name in arrays.files}
        except (ValueError, OSError, EOFError) as error:
            raise ValueError(f"expected arrays of numbers, found a damaged file: {error}; save it again") from error


def _load(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(
            f"expected arrays of numbers, found a damaged or pickled file: {error}; save it again"
        ) from error


def _read_dataset(path: Path, names: list[str]) -> dict[str, Any]:
    import xarray as xr

    try:
        data = xr.load_dataset(path, engine="h5netcdf")
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise ValueError(f"expected a NetCDF file (HDF5), found another: {error}; save it with to_netcdf") from error
    data = data.rename({"time": "t"}) if "time" in data.variables and "t" not in data.variables else data
    units = {name: data[name].attrs.get("units") for name in data.variables}
    columns = [name for name in data.variables if name in names or name in data.data_vars]
    flat = data[[name for name in columns if name not in data.dims]].stack(row=[*data.dims]).reset_index("row")
    return {name if units[name] is None else f"{name} [{units[name]}]": flat[name].values for name in columns}


READERS: dict[str, Callable[[Path, list[str]], dict[str, Any]]] = {
    ".csv": _read_csv,
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".nc": _read_dataset,
    ".h5": _read_dataset,
}
