"""The published files of Multiphysics Bench (https://huggingface.co/datasets/Indulge-Bai/Multiphysics_Bench).

    {training|testing}/{PROBLEM}/{quantity}/{i}.mat          in time: .../{quantity}/{i}/{frame}.mat

read as trajectories of the problems of pdekit: axes x, y in this order, complex fields as two channels, temperatures as
rises, what does not exist under a mask. What each folder holds is stated in `multiphysics_layouts`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pdekit.data.formats.contract import Format
from pdekit.data.formats.equations import equation
from pdekit.data.formats.matlab import SUFFIXES, array_in
from pdekit.data.formats.multiphysics_layouts import LAYOUTS, Layout
from pdekit.fields import Grid, Problem, Trajectory

TRAINING, TESTING = "training", "testing"
HELD_OUT = 10  # one in so many training samples is for validation, and as many for a test that is missing


class MultiphysicsBench:
    """Samples of one problem, read when they are asked for.

    Args:
        folder: folder of the problem under ``training`` or ``testing``.
        layout: layout of the problem.
        indices: the published numbers of the samples.

    Raises:
        ValueError: if arrays are not of one shape, or geometry has other columns than it should.
    """

    def __init__(self, folder: Path, layout: Layout, indices: Sequence[int]):
        self.folder, self.layout, self.indices = folder, layout, tuple(indices)
        self.n_trajectories = len(self.indices)
        shape = self._array(layout.inputs[0], self.indices[0], 0).shape
        origin = tuple(-length / 2 for length in layout.extent)
        self.grid = Grid(shape, layout.extent, origin, ("cells", "cells"))
        self._has_geometry = layout.geometry is not None and all(
            _file(folder / layout.geometry[0], index) is not None for index in (self.indices[0], self.indices[-1])
        )
        has_mask = layout.mask is not None and (self._has_geometry or not layout.mask_of_geometry)
        params = tuple(name for name, _ in layout.geometry[1]) if layout.geometry and self._has_geometry else ()
        known = equation(layout.equation) if layout.equation else None
        self.problem = Problem(
            self.grid,
            known.fields if known else layout.fields,
            layout.dt,
            layout.n_frames,
            coeffs=known.coeffs if known else layout.coeffs,
            params=params,
            pde=known,
            has_mask=has_mask,
        )

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Some frames of one sample, as a batch of one.

        Raises:
            ValueError: if a file is absent, damaged or of another shape.
        """
        layout, index = self.layout, self.indices[trajectory]
        wanted = range(layout.n_frames)[frames]
        u = np.stack([self._frame(index, frame) for frame in wanted])
        inputs = {name: self._array(name, index, 0).real for name in layout.inputs}
        geometry = self._numbers(index) if self._has_geometry else {}
        mask = None
        if self.problem.has_mask:
            places = tuple(axis.numpy() for axis in self.grid.mesh())
            mask = layout.mask(inputs, geometry, places)
            u = np.where(mask, u, 0.0)
        return Trajectory(
            u=_float32(u)[None],
            t=torch.tensor([[frame * (layout.dt or 0.0) for frame in wanted]], dtype=torch.float64),
            coeffs=_float32(np.stack(layout.to_coeffs(inputs)))[None],
            mask=None if mask is None else _float32(mask)[None],
            params=torch.tensor([list(geometry.values())], dtype=torch.float32) if geometry else None,
            index=torch.tensor([trajectory]),
        )

    def _frame(self, index: int, frame: int) -> np.ndarray:
        """All fields at one time, "channel x y", in the order of the problem's fields."""
        found: dict[str, np.ndarray] = {}
        for stored in self.layout.channels:
            array = self._array(stored.folder, index, frame) - stored.offset
            parts = (array.real, array.imag) if len(stored.names) == 2 else (array.real,)
            found |= dict(zip(stored.names, parts, strict=True))
        return np.stack([found[field.name] for field in self.problem.fields])

    def _array(self, quantity: str, index: int, frame: int) -> np.ndarray:
        """One array with its axes in the order x, y, both rising."""
        path = _file(self.folder / quantity, index, frame)
        if path is None:
            raise ValueError(
                f"expected {quantity} of sample {index} in {self.folder / quantity}, found none; fetch the files again"
            )
        array = array_in(path)
        if array.ndim != 2 or min(array.shape) < 2:
            raise ValueError(f"expected a two-dimensional array in {path}, got shape {array.shape}; fetch it again")
        array = array if self.layout.rows == "x" else array.T
        return array[::-1] if self.layout.reversed_x else array

    def _numbers(self, index: int) -> dict[str, float]:
        """The geometry of a sample in SI units."""
        name, columns = self.layout.geometry
        path = _file(self.folder / name, index)
        values = array_in(path).ravel() if path is not None else np.empty(0)
        if len(values) != len(columns):
            raise ValueError(
                f"expected {len(columns)} numbers ({', '.join(column for column, _ in columns)}) of sample {index} in "
                f"{self.folder / name}, found {len(values)}; the geometry is of another kind"
            )
        return {column: float(value) * unit for value, (column, unit) in zip(values, columns, strict=True)}


def splits_of(root: Path, name: str) -> dict[str, MultiphysicsBench]:
    """The splits train, valid and test of one problem.

    A tenth of the training samples, the last ones, is held out for validation; there is none in the publication. A
    second tenth serves as test where the published one lacks a quantity, with a warning that says so: in the published
    TE_heat the test split has no inputs, and another kind of geometry. Samples that lack a quantity are left out, with
    a warning, too.

    Args:
        root: the folder with ``training`` and ``testing``.
        name: name of the dataset: a key of `LAYOUTS`.

    Raises:
        FileNotFoundError: if there is no training data of this problem.
        ValueError: if there are too few samples to split.
    """
    layout = LAYOUTS[name]
    folder = root / TRAINING / layout.folder
    indices = complete_samples(folder, layout)
    if not indices:
        raise FileNotFoundError(
            f"expected samples of {layout.folder} in {folder} with {', '.join(quantities(layout))}, found "
            f"{describe(folder)}; unpack training.tar.gz there"
        )
    test_folder = root / TESTING / layout.folder
    test = complete_samples(test_folder, layout)
    for place, whole in ((folder, indices), (test_folder, test)):
        _warn_of_incomplete(place, whole, layout)
    held = max(1, len(indices) // HELD_OUT)
    if len(indices) <= 2 * held:
        raise ValueError(f"expected at least three samples to split, got {len(indices)} in {folder}; fetch more")
    if not test:
        warnings.warn(
            f"the test split {test_folder} is not complete ({describe(test_folder)}): the last {held} training samples "
            "are held out for the test instead; say so next to any result",
            stacklevel=2,
        )
        test_folder, test, indices = folder, indices[-held:], indices[:-held]
    return {
        "train": MultiphysicsBench(folder, layout, indices[:-held]),
        "valid": MultiphysicsBench(folder, layout, indices[-held:]),
        "test": MultiphysicsBench(test_folder, layout, test),
    }


def quantities(layout: Layout) -> tuple[str, ...]:
    """Folders that a sample needs."""
    return (*layout.inputs, *(stored.folder for stored in layout.channels))


def complete_samples(folder: Path, layout: Layout) -> list[int]:
    """The numbers for which every quantity is there, in order; nothing is assumed of how they run."""
    return sorted(set.intersection(*(_numbers_in(folder / name) for name in quantities(layout))))


def _warn_of_incomplete(folder: Path, whole: Sequence[int], layout: Layout) -> None:
    """Warn if some samples of a folder lack a quantity."""
    every = set.union(*(_numbers_in(folder / name) for name in quantities(layout)))
    missing = sorted(every - set(whole))
    if missing and whole:
        warnings.warn(
            f"{len(missing)} of {len(every)} samples in {folder} lack a quantity ({describe(folder)}) and are left "
            f"out, first number {missing[0]}; fetch them again",
            stacklevel=3,
        )


def describe(folder: Path) -> str:
    """Return what a folder of a problem holds."""
    if not folder.is_dir():
        return "no such folder"
    counts = [f"{len(_numbers_in(part))} of {part.name}" for part in sorted(folder.iterdir()) if part.is_dir()]
    return ", ".join(counts) or "nothing"


def _numbers_in(folder: Path) -> set[int]:
    if not folder.is_dir():
        return set()
    names = (path.stem if path.suffix in SUFFIXES else path.name for path in folder.iterdir())
    return {int(name) for name in names if name.isdigit()}


def _file(folder: Path, index: int, frame: int = 0) -> Path | None:
    """The file of a sample: i.mat, i.csv, or i/frame.mat."""
    for suffix in SUFFIXES:
        for path in (folder / str(index) / f"{frame}{suffix}", folder / f"{index}{suffix}"):
            if path.is_file():
                return path
    return None


def _float32(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _problems_in(root: Path) -> list[str]:
    """Return the names of the problems that have training data in a folder."""
    return [name for name, layout in LAYOUTS.items() if (root / TRAINING / layout.folder).is_dir()]


def _open_folder(root: Path) -> dict[str, MultiphysicsBench]:
    """Open a folder with one problem.

    Raises:
        FileNotFoundError, ValueError: as `splits_of`, or if there are several problems.
    """
    found = _problems_in(root)
    if len(found) != 1:
        raise ValueError(
            f"expected one problem of Multiphysics Bench in {root}, found {', '.join(found)}; choose one with "
            "data=NAME in training, or move it to a folder of its own"
        )
    return splits_of(root, found[0])


FORMATS = (Format("Multiphysics Bench", lambda path: bool(_problems_in(path)), _open_folder),)
