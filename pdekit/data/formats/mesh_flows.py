"""Flow past cylinders on meshes: a numbered group of an HDF5 file for each trajectory, each with a mesh of its own.

    Text2PDE        0/mesh_pos (point, 2), cells (cell, 3), node_type (point, 1), u, v (time, point),
    ...             pressure (time, point, 1), metadata/center (2), radius, u_inlet, reynolds_number, prompt
    MeshGraphNets   0/pos (time, point, 2), cells (time, cell, 3), node_type (time, point, 1),
    ...             velocity (time, point, 2), pressure (time, point, 1); meshes that move are refused

Text2PDE is Zhou et al. 2025, MeshGraphNets Pfaff et al. 2021 as converted to HDF5.
Fields are velocity and pressure; inputs are 1 at the inlet, the outlet and the walls, else 0 (node types 4, 5, 6).
Frames are 0.01 apart. Points are sorted along x, then y, and padded to the largest mesh; corners of cells follow them,
and padding has corners of -1. Numbers and prompts of Text2PDE become parameters and captions. Its Reynolds numbers were
computed from a radius that was divided by 100 twice, and are 100 times smaller than those of water; they are kept. A
folder with train.h5, valid.h5 and test.h5 has these splits.
Sources: https://github.com/anthonyzhou-1/ldm_pdes (dataset), https://github.com/echowve/meshGraphNets_pytorch
(parse_tfrecord.py), https://github.com/google-deepmind/deepmind-research (meshgraphnets).
"""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import h5py
import numpy as np
import torch

from pdekit.data.formats.contract import WHOLE, Format, is_group, is_hdf5, root_names
from pdekit.data.hdf5 import dataset, fault, names, open_hdf5, reading, text, values
from pdekit.data.probe import check_all_readable
from pdekit.fields import Field, Points, Problem, Trajectory
from pdekit.mesh_order import corners_of, order_of

STEP = 0.01
NUMBER = re.compile(r"\d+")
PARTS = {
    "text2pde": ("mesh_pos", "cells", "node_type", "u", "v", "pressure"),
    "meshgraphnets": ("pos", "cells", "node_type", "velocity", "pressure"),
}
FIELDS = (Field("velocity_x", vector="velocity"), Field("velocity_y", vector="velocity"), Field("pressure"))
TYPES = {"inlet": 4, "outlet": 5, "wall": 6}
PARAMS = ("center_x", "center_y", "radius", "u_inlet", "reynolds_number")
SPLITS = ("train", "valid", "test")


def _kind(path: Path) -> str:
    """Return the layout of a file, "" for another."""
    found = root_names(path)
    if not found or not all(map(NUMBER.fullmatch, found)):
        return ""
    return next((kind for kind, parts in PARTS.items() if is_group(path, min(found), parts)), "")


def _files(path: Path) -> dict[str, Path]:
    """Return the file of each split."""
    if path.is_file():
        return {WHOLE: path}
    found = {split: path / f"{split}.h5" for split in SPLITS} if path.is_dir() else {}
    return {split: file for split, file in found.items() if is_hdf5(file)}


def _recognises(path: Path) -> bool:
    files = _files(path)
    return bool(files) and len({_kind(file) for file in files.values()} - {""}) == 1 and all(map(_kind, files.values()))


class MeshFlows:
    """Trajectories of one file.

    Args:
        path: path of the file.

    Raises:
        ValueError: if a group lacks a part, or its parts have different numbers of points.
    """

    def __init__(self, path: Path):
        self.path, self.kind = Path(path), _kind(path)
        self._process, self._file = -1, None
        self._orders: dict[int, np.ndarray] = {}
        with open_hdf5(self.path) as file:
            self.samples = sorted(names(file), key=int)
            sizes = np.array([self._sizes(file, sample) for sample in self.samples])
            captioned = self.kind == "text2pde" and "metadata" in names(file, self.samples[0])
            if captioned:
                self._params = np.array([self._metadata(file, sample) for sample in self.samples])
        if len(set(sizes[:, 0])) != 1:
            raise ValueError(
                f"expected equal numbers of frames in {self.path}, found {sorted(set(sizes[:, 0]))}; open them apart"
            )
        self.n_trajectories, self.n_cells = len(self.samples), int(sizes[:, 2].max())
        self.problem = Problem(
            Points(2, int(sizes[:, 1].max())),
            FIELDS,
            STEP,
            int(sizes[0, 0]),
            coeffs=tuple(Field(name) for name in TYPES),
            params=PARAMS if captioned else (),
            has_text=captioned,
        )

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_process": -1, "_file": None}

    def padded(self, points: int, cells: int) -> MeshFlows:
        """Return the same source with meshes padded to these numbers, at least its own."""
        self.problem = dataclasses.replace(self.problem, grid=Points(2, points))
        self.n_cells = cells
        return self

    def _sizes(self, file: h5py.File, sample: str) -> tuple[int, int, int]:
        """Return frames, points and cells of a group, all parts checked."""
        shapes = {part: self._dataset(file, f"{sample}/{part}").shape for part in PARTS[self.kind]}
        frames = shapes["pressure"][0] if shapes["pressure"] else 0
        moving = (frames,) if self.kind == "meshgraphnets" else ()
        cells, points = shapes["cells"][-2:-1], shapes["node_type"][-2:-1]
        wanted = {
            "pos": (*moving, *points, 2),
            "mesh_pos": (*points, 2),
            "cells": (*moving, *cells, 3),
            "node_type": (*moving, *points, 1),
            "velocity": (frames, *points, 2),
            "pressure": (frames, *points, 1),
            "u": (frames, *points),
            "v": (frames, *points),
        }
        for part, shape in shapes.items():
            if shape != wanted[part] or 0 in shape or frames < 2:
                raise fault(file, f"{sample}/{part}", f"the shape {wanted[part]} that its other parts have", shape)
        return frames, points[0], cells[0]

    def _metadata(self, file: h5py.File, sample: str) -> list[float]:
        center = values(file, f"{sample}/metadata/center", (2,))
        return [*center, *(float(values(file, f"{sample}/metadata/{name}", ())) for name in PARAMS[2:])]

    @property
    def file(self) -> h5py.File:
        """The open file of this process."""
        if self._process != os.getpid():
            self._process, self._file = os.getpid(), open_hdf5(self.path)
        return self._file

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one."""
        sample = self.samples[trajectory]
        frames = slice(*frames.indices(self.problem.n_frames))
        still = 0 if self.kind == "meshgraphnets" else ()
        places = self._array(f"{sample}/{PARTS[self.kind][0]}", still)
        if trajectory not in self._orders:
            self._check_still(sample)
            self._orders[trajectory] = order_of(places)
        order, n = self._orders[trajectory], len(places)
        points, mask = np.zeros((self.problem.grid.shape[0], 2), np.float32), np.zeros(self.problem.grid.shape, bool)
        points[:n], mask[:n] = places[order], True
        types = self._array(f"{sample}/node_type", still)[order, 0]
        times = STEP * np.arange(self.problem.n_frames)[frames]
        u, coeffs = np.zeros((len(times), 3, len(mask)), np.float32), np.zeros((3, len(mask)), np.float32)
        u[:, :, :n] = self._fields(sample, frames)[:, :, order]
        coeffs[:, :n] = types == np.array(list(TYPES.values()))[:, None]
        return Trajectory(
            u=torch.from_numpy(u)[None],
            t=torch.from_numpy(times)[None],
            coeffs=torch.from_numpy(coeffs)[None],
            points=torch.from_numpy(points)[None],
            point_mask=torch.from_numpy(mask)[None],
            cells=torch.from_numpy(self._cells(sample, still, order))[None],
            params=torch.from_numpy(self._params[trajectory : trajectory + 1]).float() if self.problem.params else None,
            text=(text(self.file, f"{sample}/metadata/prompt"),) if self.problem.has_text else None,
            index=torch.tensor([trajectory]),
        )

    def _check_still(self, sample: str) -> None:
        """Refuse a mesh of MeshGraphNets whose first and last frame differ: one mesh is read for all frames."""
        for part in ("pos", "cells", "node_type") if self.kind == "meshgraphnets" else ():
            first, last = (self._array(f"{sample}/{part}", frame) for frame in (0, -1))
            if not np.array_equal(first, last):
                raise fault(
                    self.file,
                    f"{sample}/{part}",
                    "the same mesh in all frames",
                    "another one in the last frame",
                    "write a file of samples whose meshes do not move",
                )

    def _fields(self, sample: str, frames: slice) -> np.ndarray:
        """Return velocity and pressure, "time channel point"."""
        pressure = self._array(f"{sample}/pressure", frames)[..., 0]
        if self.kind == "text2pde":
            return np.stack([self._array(f"{sample}/{part}", frames) for part in "uv"] + [pressure], 1)
        velocity = self._array(f"{sample}/velocity", frames)
        return np.concatenate([velocity.swapaxes(1, 2), pressure[:, None]], 1)

    def _cells(self, sample: str, still: object, order: np.ndarray) -> np.ndarray:
        """Return corners of the cells among the sorted points, padded with -1."""
        cells = self._array(f"{sample}/cells", still)
        try:
            return corners_of(cells, order, (self.n_cells, 3))
        except ValueError as error:
            raise fault(self.file, f"{sample}/cells", *str(error).split(", found ")) from None

    def _dataset(self, file: h5py.File, key: str) -> h5py.Dataset:
        return dataset(file, key, kinds="iu" if key.endswith("/cells") else "fiub")

    def _array(self, key: str, where: object) -> np.ndarray:
        column = self._dataset(self.file, key)
        with reading(self.file, key):
            return np.asarray(column[where])


def _open_files(path: Path) -> dict[str, MeshFlows]:
    """Open a file, or the files train.h5, valid.h5 and test.h5 of a folder; meshes are padded to one size.

    Raises:
        ValueError: if a part is missing or damaged.
    """
    files = _files(path)
    check_all_readable(list(files.values()))
    found = {split: MeshFlows(file) for split, file in files.items()}
    points = max(source.problem.grid.shape[0] for source in found.values())
    cells = max(source.n_cells for source in found.values())
    return {split: source.padded(points, cells) for split, source in found.items()}


FORMATS = (Format("Text2PDE or MeshGraphNets (cylinder flow)", _recognises, _open_files),)
