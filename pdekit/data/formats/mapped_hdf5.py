"""HDF5 files of any layout with a mapping, a YAML file that states where the parts lie:

    file: waves.h5                      next to the mapping; or one file for each split: {train: a.h5, test: b.h5}
    fields: {u: /states/u, v: /flow}    arrays in time (or of space only, if the problem is steady); an array with an
                                        axis c becomes NAME_0, NAME_1, ...
    axes: stxy                          of all arrays; {u: stxy, v: stcxy} if they differ. Letters: s sample, t time,
                                        c channel, x, y, z space, 0 an axis of which the first entry is read
    coeffs: {a: /a}                     inputs fixed in time, axes without t
    forcing: {f: /f}                    inputs in time
    params: {nu: /nu}                   one number for each sample
    dt: 0.1                             or time: /t, the key of the times
    extent: [1.0, 2.0]                  or x: /x, y: /y, the keys of the coordinates; origin: [0, 0]
    layout: [periodic, nodes]           one word for all axes; without it coordinates must state it
    boundary: [[wall, outflow], ...]    as texts of `pdekit.boundaries`; optional

`python -m pdekit.train path=FILE name=NAME fields.u=/states/u axes=stxy dt=0.1 extent=[1,2] layout=periodic` writes
such a file next to FILE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pdekit.data.ends import layout_of
from pdekit.data.formats.blocks import Block, Blocked, Hdf5Store
from pdekit.data.formats.contract import WHOLE, Format, is_hdf5, read_plain
from pdekit.data.formats.evenly import grid_from, step_of
from pdekit.data.hdf5 import FileFault, dataset, open_hdf5, values
from pdekit.data.probe import check_readable
from pdekit.fields import AXES, LAYOUTS, Field, Grid, Problem
from pdekit.plain import are_texts, is_number, mapping_or_empty
from pdekit.plain_yaml import read_yaml

LARGEST = 1 << 16  # bytes of a mapping
KEYS = {"file", "fields", "axes", "coeffs", "forcing", "params", "dt", "time", "extent", "origin", "layout", "boundary"}
KEYS |= set(AXES)
LETTERS = set("stcxyz0")
SPLITS = ("train", "valid", "test")


def _content(path: Path) -> dict[str, Any] | None:
    """Return the content of a mapping; None for another file."""
    found = mapping_or_empty(read_plain(path, LARGEST, read_yaml))
    return dict(found) if {"file", "fields"} <= set(found) else None


def _fault(path: Path) -> str:
    """Return the reason why a file that is named as YAML cannot be read; "" for another file, or if it can."""
    if path.suffix not in (".yaml", ".yml") or not path.is_file() or path.stat().st_size > LARGEST:
        return ""
    try:
        read_yaml(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        return str(error)
    return ""


def _recognises(path: Path) -> bool:
    return _content(path) is not None or _fault(path) != ""


def _is_list(value: Any, n: int) -> bool:
    return isinstance(value, list) and len(value) == n


@dataclass(frozen=True)
class Mapped:
    """A mapping, with the path that messages name.

    Args:
        path: path of the mapping.
        content: its content.

    Raises:
        ValueError: on keys that no mapping has, or parts of another kind.
    """

    path: Path
    content: Mapping[str, Any]

    def __post_init__(self):
        unknown = sorted(set(map(str, self.content)) - KEYS)
        if unknown:
            raise self.wrong(f"keys among {sorted(KEYS)}", unknown)
        for name in ("fields", "coeffs", "forcing", "params"):
            part = self.content.get(name, {})
            if not isinstance(part, dict) or not are_texts((*part, *part.values())):
                raise self.wrong(f"names and keys of arrays in {name}", part)

    def wrong(self, expected: str, found: object) -> FileFault:
        """Return the error for one part."""
        return FileFault(f"expected {expected} in {self.path}, found {found}; correct the mapping")

    def key(self, name: str) -> str | None:
        """Return the key of the coordinates of an axis; None if none is stated."""
        stated = self.content.get(name)
        return stated.strip("/") if isinstance(stated, str) else None

    def files(self) -> dict[str, Path]:
        """Return the HDF5 file of each split."""
        stated = self.content["file"]
        parts = mapping_or_empty(stated) or {WHOLE: stated}
        if not parts or not are_texts(parts.values()) or set(parts) - {WHOLE, *SPLITS}:
            raise self.wrong(f"the name of a file, or one for each of {SPLITS}, in file", stated)
        found = {split: self.path.parent / file for split, file in parts.items()}
        for file in found.values():
            if not is_hdf5(file):
                raise self.wrong("HDF5 files", file)
        return found

    def blocks(self, part: str, file: h5py.File) -> tuple[Block, ...]:
        """Return the arrays of fields, coeffs or forcing."""
        found = []
        for name, key in self.content.get(part, {}).items():
            axes = self.content.get("axes")
            axes = mapping_or_empty(axes).get(name, axes)
            if not isinstance(axes, str) or not set(axes) <= LETTERS or any(axes.count(a) > 1 for a in "stcxyz"):
                raise self.wrong(f"letters among {' '.join(sorted(LETTERS))}, each once, for axes of {name}", axes)
            shape = dataset(file, key.strip("/")).shape
            if part == "coeffs" and len(shape) == len(axes.replace("t", "")):
                axes = axes.replace("t", "")
            if len(shape) != len(axes):
                raise self.wrong(f"{len(shape)} letters for axes of {name}, whose shape is {shape}", axes)
            channels = shape[axes.index("c")] if "c" in axes else 1
            fields = [Field(name)] if channels == 1 else [Field(f"{name}_{i}") for i in range(channels)]
            found.append(Block(key.strip("/"), axes, tuple(fields)))
        return tuple(found)

    def grid(self, file: h5py.File, sizes: Mapping[str, int]) -> Grid:
        """Return the grid of the axes of space of the first field."""
        letters = [letter for letter in AXES if letter in sizes]
        layout, shape = self.content.get("layout"), tuple(sizes[letter] for letter in letters)
        layout = [layout] * len(letters) if isinstance(layout, str) else layout
        if layout is not None and (not _is_list(layout, len(letters)) or set(layout) - {*LAYOUTS}):
            raise self.wrong(f"one of {LAYOUTS} for each of {letters} in layout", layout)
        if "extent" in self.content:
            numbers = [self.content["extent"], self.content.get("origin", [0.0] * len(letters))]
            if layout is None:
                raise self.wrong(f"layout: one of {LAYOUTS} next to extent", None)
            if not all(_is_list(row, len(letters)) for row in numbers):
                raise self.wrong(f"{len(letters)} numbers for extent and origin", numbers)
            extent, origin = (tuple(map(float, row)) for row in numbers)
            return Grid(shape, extent, origin, tuple(layout))
        axes = {}
        for letter in letters:
            key = self.key(letter)
            if key is None:
                raise self.wrong(f"extent, or the key of the coordinates {letter}", self.content.get(letter))
            axes[key] = values(file, key, (sizes[letter],))
        for key, points in axes.items():
            step_of(f"{key} of {file.filename}", points)
        found = layout or [layout_of(f"{key} of {file.filename}", row, None, None) for key, row in axes.items()]
        return grid_from(file.filename, axes, found)

    def times(self, file: h5py.File, frames: int) -> np.ndarray:
        """Return the times of the frames."""
        if frames == 1:
            return np.zeros(1)
        key = self.key("time")
        if key is not None:
            found = values(file, key)
            return found[..., :frames]
        dt = self.content.get("dt")
        if not is_number(dt) or not dt > 0:
            raise self.wrong("dt > 0, or the key of the times in time", dt)
        return float(dt) * np.arange(frames)


def _open_mapping(path: Path) -> dict[str, Blocked]:
    """Open the files of a mapping.

    Raises:
        ValueError: if the mapping is no YAML, incomplete or wrong, or a file is damaged or of another shape.
    """
    if fault := _fault(path):
        raise FileFault(f"expected a mapping in YAML in {path}, found a damaged file, {fault}; correct it")
    mapping = Mapped(path, _content(path) or {})
    return {split: _source(mapping, file) for split, file in mapping.files().items()}


def _source(mapping: Mapped, path: Path) -> Blocked:
    check_readable(path)
    with open_hdf5(path) as file:
        u, coeffs, forcing = (mapping.blocks(part, file) for part in ("fields", "coeffs", "forcing"))
        if not u:
            raise mapping.wrong("the key of an array in fields", {})
        sizes = u[0].sizes(dataset(file, u[0].key).shape)
        frames = sizes.get("t", 1)
        grid, times = mapping.grid(file, sizes), mapping.times(file, frames)
        params = mapping.content.get("params", {})
        columns = [values(file, key.strip("/"), (sizes.get("s", 1),)) for key in params.values()]
    problem = Problem(
        grid,
        tuple(field for block in u for field in block.fields),
        step_of(f"times of {path}", np.atleast_2d(times)[0]) if frames > 1 else None,
        frames,
        boundary=tuple(tuple(ends) for ends in mapping.content.get("boundary", ())),
        coeffs=tuple(field for block in coeffs for field in block.fields),
        params=tuple(params),
        forcing=tuple(field for block in forcing for field in block.fields),
    )
    table = np.stack(columns, 1) if columns else None
    return Blocked(Hdf5Store(path), problem, u, times, coeffs, table, forcing=forcing)


FORMATS = (Format("HDF5 with a mapping (YAML)", _recognises, _open_mapping),)
