"""Controlled smoke of WDNO (Hu et al. 2025): a folder for each simulation, with axes y, x, channel, time.

    [train/ or test/simulation/]sim_000000/Density.npy   (y, x, 1, time)
                                           Velocity.npy  (y, x, 2, time)   on the faces of the cells, as published
                                           Control.npy   (y, x, 2, time)   prescribed outside the inner square
                                           Smoke.npy     (time, 8)         smoke that left by each of 7 exits; the rest

The box has 128 cells of length 1 along x and y, of which every (128 / points)-th is stored; 256 steps of time 1 lie
between the first and the last frame. Fields are density, velocity, and the share of the smoke that left by the target,
which is the second exit; the share is the same at all places, as the published net receives it. The control is a
forcing. Known faults of the published generator are kept: in the first frame both components of the velocity are equal.
Source: https://github.com/AI4Science-WestlakeU/wdno (smoke/dataset, smoke/ddpm/data_2d.py).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from pdekit.boundaries import Outflow
from pdekit.data.formats.array_files import ArrayFiles, mapped
from pdekit.data.formats.blocks import Block, Blocked
from pdekit.data.formats.contract import WHOLE, Format
from pdekit.data.hdf5 import FileFault
from pdekit.data.natural_order import by_number
from pdekit.fields import Field, Grid, Problem

NAMES = ("Density", "Velocity", "Control", "Smoke")
SIMULATION = re.compile(r"sim_\d{6}")
PARTS = {"train": "train", "test": "test/simulation"}
BOX, STEPS, EXITS, TARGET = 128.0, 256.0, 8, 1
FIELDS = (
    Field("density"),
    Field("velocity_x", vector="velocity"),
    Field("velocity_y", vector="velocity"),
    Field("target_share"),
)
CONTROL = (Field("control_x", vector="control"), Field("control_y", vector="control"))


def _simulations(path: Path) -> list[str]:
    """Return the names of the simulations in a folder."""
    if not path.is_dir():
        return []
    return by_number(item.name for item in path.iterdir() if SIMULATION.fullmatch(item.name))


def _parts(path: Path) -> dict[str, Path]:
    """Return the folder of each split."""
    if _simulations(path):
        return {WHOLE: path}
    return {split: path / part for split, part in PARTS.items() if _simulations(path / part)}


def _recognises(path: Path) -> bool:
    """Return whether a folder holds simulations with the four arrays."""
    found = _parts(path)
    first = [part / _simulations(part)[0] for part in found.values()]
    return bool(first) and all((place / f"{name}.npy").is_file() for place in first for name in NAMES)


class TargetShare:
    """Share of the smoke that has left by the target, as a field "time y x" that is the same at all places.

    Args:
        exits: smoke that has left by each exit, "time exit".
        space: points along y and x.
    """

    def __init__(self, exits: np.ndarray, space: tuple[int, int]):
        self._exits, self.shape = exits, (len(exits), *space)

    def __getitem__(self, frames: slice | tuple[slice, ...]) -> np.ndarray:
        some = self._exits[frames[0] if isinstance(frames, tuple) else frames]
        share = some[:, TARGET] / some.sum(-1)
        return np.broadcast_to(share[:, None, None], (len(share), *self.shape[1:]))


class Simulations(ArrayFiles):
    """Arrays of the simulations in a folder; "NAME/Share" is the `TargetShare`."""

    def array(self, key: str) -> Any:
        """Return an array, read where it is indexed.

        Raises:
            ValueError: if a file is damaged.
        """
        if not key.endswith("/Share"):
            return super().array(key)
        sample = key.removesuffix("/Share")
        exits = super().array(f"{sample}/Smoke")
        if exits.ndim != 2 or exits.shape[1] != EXITS:
            raise FileFault(
                f"expected time and {EXITS} exits in {self.path}/{sample}/Smoke.npy, found {exits.shape}; fetch it"
            )
        return TargetShare(exits, super().array(f"{sample}/Density").shape[:2])


def _open_folder(path: Path) -> dict[str, Blocked]:
    """Open the simulations of a folder.

    Raises:
        ValueError: if the first simulation of a split is damaged, or has other axes.
    """
    return {split: _opened(part) for split, part in _parts(path).items()}


def _opened(path: Path) -> Blocked:
    samples = _simulations(path)
    shape = mapped(path / samples[0] / "Density.npy").shape
    if len(shape) != 4 or shape[2] != 1 or shape[3] < 2:
        raise FileFault(
            f"expected the axes y, x, 1, time in {path}/{samples[0]}/Density.npy, found {shape}; fetch it again"
        )
    points, frames = (shape[1], shape[0]), shape[3]
    grid = Grid(points, (BOX, BOX), (0.5, 0.5), ("half_open", "half_open"))
    ends = (Outflow(), Outflow())
    step = STEPS / (frames - 1)
    problem = Problem(grid, FIELDS, step, frames, boundary=(ends, ends), forcing=CONTROL)
    u = [
        Block("{sample}/Density", "yxct", FIELDS[:1]),
        Block("{sample}/Velocity", "yxct", FIELDS[1:3]),
        Block("{sample}/Share", "tyx", FIELDS[3:]),
    ]
    control = [Block("{sample}/Control", "yxct", CONTROL)]
    return Blocked(Simulations(path), problem, u, step * np.arange(frames), samples=samples, forcing=control)


FORMATS = (Format("WDNO (smoke)", _recognises, _open_folder),)
