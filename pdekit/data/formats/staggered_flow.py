"""Kolmogorov flow of temporal stencil modelling (Sun et al. 2023), which PDE-Refiner used; velocities are staggered:

    NAME.hdf5-0000, ...: full_prefix_64x64 (2, time, x, y)    one file for each trajectory, every frame
                         prefix_64x64, prefix_32x32, ...      the same at less points and frames; not read

The largest grid is read. Files state neither box nor times: the box is (2 pi)^2 and periodic, frames are
0.007012483601762931 apart. Component u lies at the upper faces of the cells along x, v along y. Both are brought to
the centres of the cells by half a cell's shift of their Fourier series: exact for every wave number below the Nyquist
number of the grid. The Nyquist mode, whose phase a grid does not hold, becomes zero. Names of files that begin with
train, valid or test state the split.
Sources: https://github.com/Edward-Sun/TSM-PDE (tsm/dns_generate.py), https://github.com/google/jax-cfd (grids).
"""

from __future__ import annotations

import re
from math import pi
from pathlib import Path
from typing import Any

import numpy as np

from pdekit.data.formats.blocks import Block, Blocked, Hdf5Store
from pdekit.data.formats.contract import WHOLE, Format, Joined, is_hdf5, root_names
from pdekit.data.hdf5 import dataset, fault, open_hdf5
from pdekit.data.natural_order import by_number
from pdekit.data.probe import check_all_readable
from pdekit.data.windows import Source
from pdekit.fields import Field, Grid, Problem

FULL = re.compile(r"full_prefix_(\d+)x\1")
STEP = 0.007012483601762931
VELOCITY = (Field("velocity_x", vector="velocity"), Field("velocity_y", vector="velocity"))
SPLITS = ("train", "valid", "test")


def at_centres(faces: np.ndarray, axis: int) -> np.ndarray:
    """Return periodic values half a cell below those that are given: from the upper faces to the centres of the cells.

    f(x - h/2) = sum_k f_k exp(i k (x - h/2)), exact for wave numbers below the Nyquist number, which becomes zero.

    >>> x = 2 * np.pi * np.arange(8) / 8
    >>> bool(np.allclose(at_centres(np.sin(3 * x), 0), np.sin(3 * (x - np.pi / 8))))
    True
    """
    n = faces.shape[axis]
    k = np.arange(n // 2 + 1)
    shift = np.exp(-1j * pi * k / n)
    if n % 2 == 0:
        shift[-1] = 0
    spectrum = np.fft.rfft(faces.astype(np.float64), axis=axis)
    spectrum *= shift.reshape([-1 if a == axis % faces.ndim else 1 for a in range(faces.ndim)])
    return np.fft.irfft(spectrum, n, axis).astype(faces.dtype)


class CentredVelocity:
    """An array of staggered velocities "component time x y", which are centred as they are read.

    Args:
        array: as it is stored.
    """

    def __init__(self, array: Any):
        self._array, self.shape = array, array.shape

    def __getitem__(self, where: tuple[slice, ...]) -> np.ndarray:
        faces = np.asarray(self._array[where])
        return np.stack([at_centres(faces[0], -2), at_centres(faces[1], -1)])


class CentredStore(Hdf5Store):
    """Arrays of a file with `CentredVelocity` in place of its arrays."""

    def array(self, key: str) -> Any:
        """Return a dataset that is centred where it is indexed."""
        return CentredVelocity(super().array(key))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return by_number(file for file in path.iterdir() if is_hdf5(file))
    return [path] if path.is_file() else []


def _largest(path: Path) -> str | None:
    """Return the key of the frames at most points."""
    found = {int(match[1]): name for name in root_names(path) if (match := FULL.fullmatch(name))}
    return found[max(found)] if found else None


def _recognises(path: Path) -> bool:
    files = _files(path)
    return bool(files) and all(_largest(file) for file in files)


def _open_files(path: Path) -> dict[str, Source]:
    """Open the files of a folder, or one file.

    Raises:
        ValueError: if a part is damaged, or trajectories have different grids or lengths.
    """
    files = _files(path)
    check_all_readable(files)
    splits: dict[str, list[Source]] = {}
    for file in files:
        split = next((name for name in SPLITS if file.name.lower().startswith(name)), WHOLE)
        splits.setdefault(split, []).append(_opened(file))
    if WHOLE in splits and len(splits) > 1:
        raise ValueError(f"expected names that begin with one of {SPLITS} for all files of {path}; rename the others")
    return {split: Joined(sources) for split, sources in splits.items()}


def _opened(path: Path) -> Blocked:
    key = _largest(path)
    with open_hdf5(path) as file:
        shape = dataset(file, str(key)).shape
        if len(shape) != 4 or shape[0] != 2 or shape[1] < 2:
            raise fault(file, str(key), "the axes 2, time, x, y", f"the shape {shape}")
    points = shape[2:]
    grid = Grid(points, (2 * pi, 2 * pi), tuple(pi / n for n in points))
    problem = Problem(grid, VELOCITY, STEP, shape[1])
    return Blocked(CentredStore(path), problem, (Block(str(key), "ctxy", VELOCITY),), STEP * np.arange(1, shape[1] + 1))


FORMATS = (Format("TSM (Kolmogorov flow)", _recognises, _open_files),)
