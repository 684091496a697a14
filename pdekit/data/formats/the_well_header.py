"""Header of a file of The Well, read once and checked; the arrays of fields are not read.

Source: The Well, Ohana et al. 2024, "Data format".
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from pdekit.boundaries import Sides
from pdekit.data.formats.the_well_axes import Axis, even_rows, read_axis, read_boundary, read_names
from pdekit.data.hdf5 import FileFault, dataset, fault, flags, open_hdf5, reading, texts, values, whole_number
from pdekit.fields import Field

MOST_CHANNELS = 1024


@dataclass(frozen=True)
class Column:
    """One dataset of a file: the channels it holds and the axes it has.

    Args:
        key: path in the file.
        fields: its channels; components lie on the last axes of the file.
        sample_varying, time_varying: whether these axes are stored.
        space: points of each axis of space, 1 where the field is constant along it.
        shape: shape of the dataset.
    """

    key: str
    fields: tuple[Field, ...]
    sample_varying: bool
    time_varying: bool
    space: tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """A file without its fields: times "trajectory time" (or one row), axes, boundaries, columns and scalars."""

    path: Path
    n_trajectories: int
    times: np.ndarray
    steps: np.ndarray
    shape: tuple[int, ...]
    axes: tuple[Axis, ...]
    boundary: Sides
    columns: tuple[Column, ...]
    forcing: tuple[Column, ...]
    scalars: dict[str, np.ndarray]

    @property
    def n_frames(self) -> int:
        return self.times.shape[1]


def read_header(path: Path) -> Header:
    """The header of a file.

    Raises:
        FileNotFoundError, ValueError: if a part is absent, damaged, or contradicts another; names file and key.
    """
    with open_hdf5(path) as file:
        kind = "".join(texts(file, "", "grid_type"))
        if kind != "cartesian":
            raise FileFault(f"expected a cartesian grid, found {kind!r} in grid_type of {path}; resample the data")
        n = whole_number(file, "", "n_trajectories", 1)
        letters = read_names(file)
        times, steps = even_rows(file, "dimensions/time", n)
        sizes = {letter: dataset(file, f"dimensions/{letter}").shape for letter in letters}
        for letter, shape in sizes.items():
            if not shape:
                raise fault(file, f"dimensions/{letter}", "coordinates of points", "one number")
        shape = tuple(size[-1] for size in sizes.values())
        boundary = read_boundary(file, dict(zip(letters, shape, strict=True)))
        axes = tuple(read_axis(file, letter, n, ends) for letter, ends in zip(letters, boundary, strict=True))
        columns = _columns(file, n, times.shape[1], letters, shape)
        scalars, forcing = _scalars(file, n, times.shape[1], len(shape))
    return Header(Path(path), n, times, steps, shape, axes, boundary, columns, forcing, scalars)


def _columns(
    file: h5py.File, n: int, n_frames: int, letters: tuple[str, ...], space: tuple[int, ...]
) -> tuple[Column, ...]:
    found: list[Column] = []
    for order in range(3):
        group = f"t{order}_fields"
        if group not in file:
            continue
        for name in texts(file, group, "field_names"):
            key = f"{group}/{name}"
            sample, time, dims = _varying(file, key, len(space))
            parts = ["".join(part) for part in itertools.product(letters, repeat=order)]
            tail = ((len(letters),) * order, (len(letters) ** order,)) if order else ((),)
            lead = (n,) * sample + (n_frames,) * time + tuple(p for p, flag in zip(space, dims, strict=True) if flag)
            shape = dataset(file, key).shape
            if shape not in [lead + end for end in tail]:
                raise fault(file, key, f"shape {lead + tail[0]}, as its attributes and the dimensions say,", shape)
            dataset(file, key, shape, "fiu")
            fields = tuple(Field(f"{name}_{p}" if p else name, vector=name if order else None) for p in parts)
            tiled = tuple(p if flag else 1 for p, flag in zip(space, dims, strict=True))
            found.append(Column(key, fields, sample, time, tiled, shape))
    names = [field.name for column in found for field in column.fields]
    if not any(column.time_varying for column in found) or len(set(names)) != len(names) or len(names) > MOST_CHANNELS:
        raise fault(file, "t0_fields, t1_fields, t2_fields", "fields in time, each name once", names[:8])
    return tuple(found)


def _varying(file: h5py.File, key: str, ndim: int | None) -> tuple[bool, bool, tuple[bool, ...]]:
    (sample,), (time,) = (flags(file, key, f"{axis}_varying", 1) for axis in ("sample", "time"))
    return sample, time, flags(file, key, "dim_varying", ndim) if ndim else ()


def _scalars(file: h5py.File, n: int, n_frames: int, ndim: int) -> tuple[dict[str, np.ndarray], tuple[Column, ...]]:
    """Constant scalars by name, one number for each trajectory, and those that vary in time."""
    constant, forcing = {}, []
    for name in texts(file, "scalars", "field_names"):
        key = f"scalars/{name}"
        sample, time, _ = _varying(file, key, None)
        shape = (n,) * sample + (n_frames,) * time
        column = dataset(file, key)
        with reading(file, key):
            one = column.shape == (1,) and shape == ()  # some writers keep a lone number as a row of one
        if time:
            dataset(file, key, shape, "fiu")
            forcing.append(Column(key, (Field(name),), sample, True, (1,) * ndim, shape))
        else:
            found = values(file, key, (1,) if one else shape)
            constant[name] = np.broadcast_to(found.reshape(-1), (n,)).copy()
    return constant, tuple(forcing)
