"""Times, coordinates and boundaries of a file of The Well, checked against each other.

A file gives coordinates of points but does not say whether they are nodes (both ends of the box are points) or cell
centres (the box reaches half a step further). The layout is the reading under which the two ends of the box have the
shorter decimal (or multiple of pi) form; where both are alike, the file must say it in an attribute ``layout``.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import h5py
import numpy as np

from pdekit.boundaries import Boundary, Outflow, Periodic, Sides, Wall
from pdekit.data.hdf5 import attribute, dataset, fault, flags, member, names, reading, texts, values
from pdekit.fields import LAYOUTS
from pdekit.round_ends import EVEN, digits, readings

BOUNDARIES = {"periodic": Periodic(), "wall": Wall(), "open": Outflow()}


@dataclass(frozen=True)
class Axis:
    """One axis of space: its layout, and for each trajectory (or once) its lower end and length."""

    layout: str
    origins: np.ndarray
    lengths: np.ndarray


def varies(file: h5py.File, key: str, default: bool) -> bool:
    """Return whether a dimension is stored for each trajectory; the default where the file does not say."""
    with reading(file, key):
        stated = "sample_varying" in member(file, key).attrs
    return flags(file, key, "sample_varying", 1)[0] if stated else default


def even_rows(file: h5py.File, key: str, n: int, points: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Rows of evenly spaced, increasing numbers ("trajectory point", or one row for all) and their steps.

    Raises:
        FileFault: on another shape, NaN, numbers that fall, or uneven steps.
    """
    column = dataset(file, key)
    per_sample = varies(file, key, default=column.ndim == 2)
    points = points or column.shape[-1] if column.ndim else 0
    expected = (n, points) if per_sample else (points,)
    if points < 1 or column.shape != expected:
        raise fault(file, key, f"shape {expected} (sample_varying is {per_sample})", column.shape)
    rows = np.atleast_2d(values(file, key, expected))
    steps = np.diff(rows, axis=1)
    rounding = 2 * np.finfo(column.dtype).eps * np.abs(rows).max() if column.dtype.kind == "f" else 0.0
    mean = (rows[:, -1] - rows[:, 0]) / max(points - 1, 1)
    if (steps <= 0).any():
        row, place = np.argwhere(steps <= 0)[0]
        found = f"{rows[row, place + 1]:.6g} after {rows[row, place]:.6g} in row {row}"
        raise fault(file, key, "numbers that increase", found, "reverse the axis of the data and these numbers")
    uneven = np.abs(steps - mean[:, None]) > EVEN * mean[:, None] + rounding
    if uneven.any():
        found = f"steps from {steps.min():.6g} to {steps.max():.6g}"
        raise fault(file, key, "evenly spaced numbers", found, "resample the data to even steps")
    return rows, mean


def read_axis(file: h5py.File, letter: str, n: int, ends: tuple[Boundary, Boundary]) -> Axis:
    """An axis of space.

    Raises:
        FileFault: if coordinates and boundary contradict each other, or the layout cannot be known.
    """
    key = f"dimensions/{letter}"
    rows, steps = even_rows(file, key, n)
    points = rows.shape[1]
    if points < 2:
        raise fault(file, key, "two points or more", points, "drop this axis")
    layout = _layout(file, key, rows[0], float(steps[0]), ends)
    half = 0.5 if layout == "cells" else 0.0
    count = points - 1 if layout == "nodes" else points
    return Axis(layout, rows[:, 0] - half * steps, steps * count)


def _layout(file: h5py.File, key: str, row: np.ndarray, step: float, ends: tuple[Boundary, Boundary]) -> str:
    first, last, periodic = float(row[0]), float(row[-1]), ends == (Periodic(), Periodic())
    shown = f"('{ends[0]}', '{ends[1]}')"
    with reading(file, key):
        stated = "layout" in member(file, key).attrs
    if stated:
        layout = "".join(texts(file, key, "layout"))
        if layout not in LAYOUTS or (layout == "periodic") != periodic:
            raise fault(file, f"{key}@layout", f"a layout that fits the boundary {shown}", repr(layout))
        return layout
    if periodic:
        if digits(last, step) + 3 <= digits(last + step, step):
            warnings.warn(
                f"{key} of {file.filename} has periodic points from {first:.6g} to {last:.6g}. They are taken as "
                f"{len(row)} different points of a box of {len(row)} steps; if the last repeats the first, drop it",
                stacklevel=2,
            )
        return "periodic"
    found = readings(first, last, step)
    if found["nodes"] == found["cells"]:
        raise fault(
            file,
            key,
            f"coordinates that distinguish nodes from cells for the boundary {shown}",
            f"points from {first:.6g} to {last:.6g} in steps of {step:.6g}",
            "set the attribute 'layout' of this dataset to 'nodes', 'cells' or 'half_open'",
        )
    return "nodes" if found["nodes"] < found["cells"] else "cells"


def read_boundary(file: h5py.File, sizes: dict[str, int]) -> Sides:
    """(lower, upper) condition of each axis; open where the file says nothing, as The Well has it.

    The layout knows walls and open ends, but not what holds there: walls are read as unspecified, open ends as outflow.

    Args:
        file: open for reading.
        sizes: points of each axis by its name.
    """
    ends = {letter: ["open", "open"] for letter in sizes}
    periodic = set()
    for name in names(file, "boundary_conditions"):
        key = f"boundary_conditions/{name}"
        kind = "".join(texts(file, key, "bc_type")).lower()
        if kind not in BOUNDARIES:
            raise fault(file, f"{key}@bc_type", f"one of {tuple(BOUNDARIES)}", repr(kind))
        letters = texts(file, key, "associated_dims")
        if not set(letters) <= set(sizes):
            raise fault(file, f"{key}@associated_dims", f"axes among {tuple(sizes)}", letters)
        column = dataset(file, f"{key}/mask", tuple(sizes[letter] for letter in letters), "biuf")
        with reading(file, f"{key}/mask"):
            mask = np.asarray(column[()])
        for axis, letter in enumerate(letters):
            if kind == "periodic":
                periodic.add(letter)
                ends[letter] = ["periodic", "periodic"]  # a periodic axis may be marked at one end only
                continue
            decide = np.all if kind == "wall" else np.any
            for end, place in ((0, 0), (1, -1)):
                if decide(np.take(mask, place, axis)):
                    ends[letter][end] = kind
    for letter in sorted(periodic):
        if ends[letter] != ["periodic", "periodic"]:
            found = f"{ends[letter]} together with periodic"
            raise fault(file, "boundary_conditions", f"one kind of boundary for axis {letter!r}", found)
    return tuple((BOUNDARIES[lower], BOUNDARIES[upper]) for lower, upper in ends.values())


def read_names(file: h5py.File) -> tuple[str, ...]:
    """Names of the axes of space."""
    letters = texts(file, "dimensions", "spatial_dims")
    count = attribute(file, "", "n_spatial_dims")
    if not 1 <= len(letters) <= 3 or len(set(letters)) != len(letters) or count.tolist() != len(letters):
        found = f"{letters} with n_spatial_dims {count.tolist()}"
        raise fault(file, "dimensions@spatial_dims", "one to three axes", found)
    return letters
