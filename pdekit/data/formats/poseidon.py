"""Files of Poseidon (Herde et al. 2024), HDF5 with the suffix .nc; channels stand before space:

    NS-*.nc              velocity (sample, time, 2 or 3, x, y)       velocity[, tracer]; NS-SL has x and y exchanged
    CE-*.nc              data (sample, time, 5, x, y)                density, velocity, pressure, tracer
    FNS-KF.nc            solution (sample, time, 2, x, y)            velocity, forced by 0.1 sin(2 pi (x + y))
    CE-RM.nc, GCE-RT.nc  solution (sample, time, 4 to 6, x, y)       as CE[, tracer[, gravity potential: an input]]
    ACE.nc               solution (sample, time, x, y)
    Wave-*.nc            solution (sample, time, x, y), c (sample, x, y): speed of sound
    SE-AF.nc             solution (sample, 2, x, y)                  shape of the airfoil (input), density
    Poisson-Gauss.nc     source, solution (sample, x, y)
    Helmholtz.h5         Sample_0/a, u (x, y), bc (a number)         coefficient, solution, boundary value (parameter)

No file states its box or its times: the box is the unit square, and the times of the frames go from 0 to 1, which is
the time that the published models receive, up to its scale. The first stored axis of space is taken as x. Flows of NS,
FNS and CE are periodic; ends of other boxes are unspecified. Points are cells. The published splits are the last
trajectories (test) and those before them (validation).
Source: https://github.com/camlab-ethz/poseidon (scOT/problems).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from pdekit.data.formats.blocks import Block, Blocked, Hdf5Store
from pdekit.data.formats.contract import WHOLE, Format, Selected, is_group, root_names
from pdekit.data.hdf5 import FAULTS, dataset, fault, names, open_hdf5, values
from pdekit.data.probe import check_readable
from pdekit.data.windows import Source
from pdekit.fields import Field, Grid, Problem

VELOCITY = (Field("velocity_x", vector="velocity"), Field("velocity_y", vector="velocity"))
TRACER = Field("tracer")
FLOW = (Field("density"), *VELOCITY, Field("pressure"))
SAMPLE = re.compile(r"Sample_\d+")
KINDS = ({"velocity"}, {"data"}, {"solution"})
FOREIGN = {"particles", "force", "grid", "tensor"}  # names of other layouts
COORDINATES = ("x", "y", "lat", "lon", "time", "t")
NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"


@dataclass(frozen=True)
class PublishedArrays:
    """Arrays of one published problem.

    Args:
        u, coeffs, forcing: what is read.
        shape: points along x and y.
        periodic: of both axes.
        held: trajectories of the test and of the validation.
    """

    u: tuple[Block, ...]
    shape: tuple[int, ...]
    periodic: bool = False
    coeffs: tuple[Block, ...] = ()
    forcing: tuple[Block, ...] = ()
    held: tuple[int, int] = (240, 120)


def _recognises(path: Path) -> bool:
    """Return whether a file has the arrays of a published problem, and none of another layout."""
    found = root_names(path)
    if not found or found & FOREIGN:
        return False
    if all(map(SAMPLE.fullmatch, found)):
        return is_group(path, min(found), ("a", "u", "bc"))
    if not any(found >= kind for kind in KINDS):
        return False
    try:
        with open_hdf5(path) as file:
            return not any(_is_coordinate(file, key) for key in found.intersection(COORDINATES)) and bool(
                _layout(path, file)
            )
    except FAULTS:
        return False


def _is_coordinate(file: h5py.File, key: str) -> bool:
    """Return whether a dataset holds coordinates: NetCDF stores one for each dimension, with or without them."""
    name = file[key].attrs.get("NAME", b"")
    return not np.bytes_(name).startswith(NO_VARIABLE)


def _open_file(path: Path) -> dict[str, Source]:
    """Open a file.

    Raises:
        ValueError: if a part is damaged, or an array has another shape than the published ones.
    """
    check_readable(path)
    with open_hdf5(path) as file:
        found = names(file)
        if SAMPLE.fullmatch(found[0]):
            return _splits(*_helmholtz(path, file, found))
        layout = _layout(path, file)
    if layout is None:
        raise ValueError(f"expected arrays of a published problem in {path}, found {found}; fetch the file again")
    frames = _frames(path, layout)
    axis = "periodic" if layout.periodic else "cells"
    problem = Problem(
        Grid(layout.shape, (1.0, 1.0), layout=(axis, axis)),
        tuple(field for block in layout.u for field in block.fields),
        1.0 / (frames - 1) if frames > 1 else None,
        frames,
        coeffs=tuple(field for block in layout.coeffs for field in block.fields),
        forcing=tuple(field for block in layout.forcing for field in block.fields),
    )
    times = np.linspace(0.0, 1.0, frames)
    source = Blocked(Hdf5Store(path), problem, layout.u, times, layout.coeffs, forcing=layout.forcing)
    return _splits(source, layout.held)


def _frames(path: Path, layout: PublishedArrays) -> int:
    block = layout.u[0]
    with open_hdf5(path) as file:
        shape = dataset(file, block.key).shape
    return shape[block.axes.index("t")] if "t" in block.axes else 1


def _splits(source: Source, held: tuple[int, int]) -> dict[str, Source]:
    """Return the published splits; all trajectories if there are too few for them."""
    n, (test, valid) = source.n_trajectories, held
    if n <= test + valid:
        return {WHOLE: source}
    ends = (0, n - test - valid, n - test, n)
    return {
        split: Selected(source, range(first, stop))
        for split, first, stop in zip(("train", "valid", "test"), ends, ends[1:], strict=False)
    }


def _layout(path: Path, file: h5py.File) -> PublishedArrays | None:
    """Return what the arrays of a file are; None if they are of no published problem."""
    found = names(file)
    if "velocity" in found:
        shape = dataset(file, "velocity").shape
        if len(shape) == 5 and shape[2] in (2, 3):
            swapped = path.name.upper().startswith("NS-SL")
            fields = VELOCITY + (TRACER,) * (shape[2] - 2)
            space = shape[:2:-1] if swapped else shape[3:]
            return PublishedArrays((Block("velocity", "stcyx" if swapped else "stcxy", fields),), space, periodic=True)
    elif "data" in found:
        shape = dataset(file, "data").shape
        if len(shape) == 5 and shape[2] == 5:
            return PublishedArrays((Block("data", "stcxy", (*FLOW, TRACER)),), shape[3:], periodic=True)
    elif "source" in found:
        shape = dataset(file, "solution").shape
        one = "0" * (len(shape) - 3)
        if len(shape) in (3, 4) and (len(shape) == 3 or shape[1] == 1):
            source = Block("source", f"s{one}xy", (Field("source"),))
            return PublishedArrays((Block("solution", f"s{one}xy", (Field("u"),)),), shape[-2:], coeffs=(source,))
    elif "solution" in found:
        return _solution(dataset(file, "solution").shape, "c" in found)
    return None


def _solution(shape: Sequence[int], has_speed: bool) -> PublishedArrays | None:
    """Return what an array named solution holds, by its shape."""
    field, space = Field("u"), tuple(shape[-2:])
    if len(shape) == 5 and shape[2] == 1:
        axes = "st0xy"
    elif len(shape) == 5 and shape[2] == 2 and not has_speed:
        return PublishedArrays((Block("solution", "stcxy", VELOCITY),), space, periodic=True)
    elif len(shape) == 5 and 4 <= shape[2] <= 6 and not has_speed:
        u = FLOW + (TRACER,) * (shape[2] > 4)
        gravity = Block("solution", "stcxy", (Field("gravity_potential"),), first=5)
        return PublishedArrays(
            (Block("solution", "stcxy", u, first=0),), space, forcing=(gravity,) * (shape[2] == 6), held=(130, 100)
        )
    elif len(shape) == 4 and shape[1] == 2 and not has_speed:
        airfoil = Block("solution", "scxy", (Field("airfoil"),), first=0)
        return PublishedArrays((Block("solution", "scxy", (Field("density"),), first=1),), space, coeffs=(airfoil,))
    elif len(shape) == 4:
        axes = "stxy"
    else:
        return None
    speed = (Block("c", "sxy", (Field("sound_speed"),)),) * has_speed
    return PublishedArrays((Block("solution", axes, (field,)),), space, coeffs=speed, held=(240, 60))


def _helmholtz(path: Path, file: h5py.File, found: list[str]) -> tuple[Source, tuple[int, int]]:
    samples = sorted(found, key=lambda name: int(name.removeprefix("Sample_")))
    shape = dataset(file, f"{samples[0]}/a").shape
    one = "0" * (len(shape) - 2)
    if len(shape) not in (2, 3) or (one and shape[0] != 1):
        raise fault(file, f"{samples[0]}/a", "the axes x, y", f"the shape {shape}")
    ends = np.array([values(file, f"{sample}/bc").reshape(-1)[:1] for sample in samples])
    if ends.shape != (len(samples), 1):
        raise fault(file, "Sample_*/bc", "one number for each sample", ends.shape)
    a = Field("coefficient")
    grid = Grid(shape[-2:], (1.0, 1.0), layout=("cells", "cells"))
    problem = Problem(grid, (Field("u"),), coeffs=(a,), params=("boundary_value",))
    blocks = [Block(f"{{sample}}/{key}", f"{one}xy", (field,)) for key, field in (("u", problem.fields[0]), ("a", a))]
    source = Blocked(Hdf5Store(path), problem, blocks[:1], np.zeros(1), blocks[1:], ends, samples)
    return source, (512, 128)


FORMATS = (Format("Poseidon", _recognises, _open_file, test="last"),)
