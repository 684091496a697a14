"""Measured and simulated flows of RealPDEBench, as Hugging Face's `save_to_disk` writes them; needs the extra arrow.

    hf_dataset/real/ or numerical/    state.json, dataset_info.json, data-00000-of-00001.arrow: a simulation in each row
    ... flows        sim_id, u, v[, p] (bytes of float32, time y x), shape_t, shape_h, shape_w
    ... combustion   sim_id, observed (time y x)[, numerical (time y x channel), numerical_channels], shape_t, ...
    hf_dataset/test_index_real.json   [{"sim_id": ..., "time_id": ...}, ...]: where published windows begin

Rows state neither box nor step: lengths are in points and times in frames. All simulations have the frames of the
shortest. The published splits share simulations between training and test; here the test has those that no training
window comes from ("unseen" there), and without one a tenth is drawn. Files are mapped to memory.
Source: https://github.com/AI4Science-WestlakeU/RealPDEBench (realpdebench/utils/convert_hdf5_to_hf.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pdekit.boundaries import Outflow
from pdekit.data.formats.blocks import Block, Blocked
from pdekit.data.formats.contract import WHOLE, Format, Selected, read_plain
from pdekit.data.hdf5 import FAULTS, FileFault
from pdekit.data.windows import Source
from pdekit.fields import Field, Grid, Problem
from pdekit.plain import mapping_or_empty, mappings_in

LARGEST = 1 << 26  # bytes of a description or an index
KINDS = ("real", "numerical")
SHAPE = ("shape_t", "shape_h", "shape_w")
VELOCITY = {"u": Field("velocity_x", vector="velocity"), "v": Field("velocity_y", vector="velocity")}
SCALARS = {"p": Field("pressure"), "observed": Field("observed")}


def _columns(path: Path) -> Mapping[str, Any]:
    """Return the columns of a folder of rows; none for another folder."""
    about = mapping_or_empty(read_plain(path / "dataset_info.json", LARGEST))
    found = mapping_or_empty(about.get("features"))
    return found if {"sim_id", *SHAPE} <= set(found) else {}


def _folder(path: Path) -> Path | None:
    """Return the folder of rows: the path itself, or the only one in it."""
    if _columns(path):
        return path
    found = [path / kind for kind in KINDS if _columns(path / kind)]
    return found[0] if len(found) == 1 else None


def _recognises(path: Path) -> bool:
    return any(_columns(place) for place in (path, *(path / kind for kind in KINDS)))


class Rows:
    """Arrays in the rows of a folder, by "SIMULATION/COLUMN"; mapped to memory in each process.

    Args:
        path: folder of rows.
    """

    def __init__(self, path: Path):
        self.path = path
        self._process = -1
        self._table: Any = None
        self._places: dict[str, int] = {}

    def __getstate__(self) -> dict:
        return {"path": self.path, "_process": -1, "_table": None, "_places": {}}

    @property
    def table(self) -> Any:
        """The rows; nothing of their arrays is read.

        Raises:
            ValueError: if a file is damaged, or pyarrow is absent.
        """
        if self._process != os.getpid():
            self._process, self._table = os.getpid(), _table(self.path)
            self._places = {sample: i for i, sample in enumerate(self._table["sim_id"].to_pylist())}
        return self._table

    def shapes(self) -> np.ndarray:
        """Frames and points along y and x, "simulation 3"."""
        return np.stack([np.asarray(self.table[name].to_pylist(), dtype=np.int64) for name in SHAPE], 1)

    def array(self, key: str) -> np.ndarray:
        """Return an array "time y x" or "time y x channel".

        Raises:
            ValueError: if its bytes are not those of its shape.
        """
        sample, _, column = key.rpartition("/")
        table = self.table
        place = self._places[sample]
        shape = [table[name][place].as_py() for name in SHAPE]
        if column == "numerical":
            shape.append(table["numerical_channels"][place].as_py())
        values = np.frombuffer(table[column][place].as_buffer() or b"", np.float32)
        if values.size != np.prod(shape, dtype=object):
            raise FileFault(
                f"expected {column} of {sample} in {self.path} with the shape {shape}, found {values.size} numbers; "
                "fetch it again"
            )
        return values.reshape(shape)


def _table(path: Path) -> Any:
    try:
        import pyarrow as pa
    except ImportError:
        raise FileFault(f"expected pyarrow for {path}, found none; pip install pdekit[arrow]") from None
    state = mapping_or_empty(read_plain(path / "state.json", LARGEST))
    try:
        names = [str(item["filename"]) for item in state["_data_files"]]
        if any(Path(name).name != name for name in names):
            raise ValueError(f"it names files of other folders: {names}")
        table = pa.concat_tables([pa.ipc.open_stream(pa.memory_map(str(path / name))).read_all() for name in names])
        missing = sorted(set(_columns(path)) - set(table.column_names))
        if missing:
            raise ValueError(f"they lack the columns {', '.join(missing)} that dataset_info.json states")
        return table
    except (*FAULTS, pa.ArrowException) as error:
        said = " ".join(str(error).split())[:160]
        raise FileFault(f"expected rows of Arrow in {path}, but: {said}; fetch them again") from None


def _open_folder(path: Path) -> dict[str, Source]:
    """Open measured or simulated rows.

    Raises:
        ValueError: if both are there, a file is damaged, or there is no field.
    """
    folder = _folder(path)
    if folder is None:
        raise FileFault(
            f"expected one of {KINDS} in {path}, found both, which are different problems; name one of them"
        )
    rows, columns = Rows(folder), _columns(folder)
    samples, shapes = rows.table["sim_id"].to_pylist(), rows.shapes()
    frames, space = int(shapes[:, 0].min(initial=1 << 62)), {tuple(row) for row in shapes[:, 1:].tolist()}
    if len(space) != 1 or frames < 2 or len(set(samples)) < len(samples):
        raise FileFault(
            f"expected simulations of one grid with names of their own in {folder}, found {space}; open others"
        )
    ny, nx = space.pop()
    flow = {name: field for name, field in (VELOCITY | SCALARS).items() if name in columns}
    blocks = [Block(f"{{sample}}/{name}", "tyx", (field,)) for name, field in flow.items()]
    if "numerical" in columns:
        channels = int(rows.table["numerical_channels"][0].as_py())
        blocks.append(Block("{sample}/numerical", "tyxc", tuple(Field(f"numerical_{i}") for i in range(channels))))
    fields = tuple(field for block in blocks for field in block.fields)
    ends = (Outflow(), Outflow())
    grid = Grid((nx, ny), (float(nx), float(ny)), layout=("cells", "cells"))
    problem = Problem(grid, fields, 1.0, frames, boundary=(ends, ends))
    source = Blocked(rows, problem, blocks, np.arange(float(frames)), samples=samples)
    return _splits(folder, source, samples)


def _splits(folder: Path, source: Source, samples: list[str]) -> dict[str, Source]:
    """Return the splits by simulation; all of them where the test would have none."""
    found: dict[str, set[str]] = {}
    for split in ("train", "val", "test"):
        index = read_plain(folder.parent / f"{split}_index_{folder.name}.json", LARGEST)
        found[split] = {str(entry["sim_id"]) for entry in mappings_in(index) if "sim_id" in entry}
    found["test"] -= found["train"]
    found["val"] -= found["train"] | found["test"]
    names = {"train": "train", "valid": "val", "test": "test"}
    places = {split: [i for i, sample in enumerate(samples) if sample in found[names[split]]] for split in names}
    if not places["train"] or not places["test"]:
        return {WHOLE: source}
    return {split: Selected(source, rows) for split, rows in places.items() if rows}


FORMATS = (Format("RealPDEBench", _recognises, _open_folder),)
