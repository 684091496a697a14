"""Files of PDEBench (Takamoto et al. 2022), in four layouts that differ in their keys:

    A  tensor (sample, time, x), x-coordinate, t-coordinate        advection, Burgers, reaction-diffusion, by attributes
       tensor (sample, 1, x, y), nu (sample, x, y)                 Darcy: nu is the coefficient
    B  density, pressure, Vx[, Vy, Vz] (sample, time, x[, y, z])   compressible flow
    C  0000/data (time, x[, y], channel), 0000/grid/x, ...         one group for each seed
    D  velocity, particles (batch, time, x, y, channel), force     incompressible flow

``t-coordinate`` is one longer than the arrays. Points are cell centres. Burgers is u_t + u u_x = (Nu / pi) u_xx,
reaction-diffusion u_t = Nu u_xx + rho u (1 - u), Darcy flow -div(nu grad tensor) = beta. Diffusion-sorption states no
parameters: they are those of `pdekit.pdes.DiffusionSorption`. Its last value is u = -D u_x at the upper end.
A file that pdekit wrote states its problem in the attribute ``pdekit`` (`pdekit.data.formats.stated`).
Source: the generators in https://github.com/pdebench/PDEBench (pdebench/data_gen).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import pi
from pathlib import Path

import h5py
import numpy as np

from pdekit.boundaries import Dirichlet, Ends, Neumann, Outflow, Periodic, Robin, Wall
from pdekit.data.formats.blocks import Block, Blocked, Hdf5Store
from pdekit.data.formats.contract import WHOLE, Format, is_group, root_names
from pdekit.data.formats.equations import equation
from pdekit.data.formats.evenly import grid_from, step_of
from pdekit.data.formats.stated import as_stated, states_problem
from pdekit.data.hdf5 import attribute, dataset, fault, names, open_hdf5, reading, values, whole_number
from pdekit.data.natural_order import by_number
from pdekit.data.probe import check_readable
from pdekit.fields import Equation, Field, Grid, Problem

AXES = ("x", "y", "z")
SEED = re.compile(r"\d{4,}")
FLOW = ("density", "pressure", "Vx", "Vy", "Vz")
INCOMPRESSIBLE = {"velocity", "particles", "force", "t"}
# of layout C, by dimension and channels: fields, boundary of every axis, class of the equation at its defaults
SEEDED: dict[tuple[int, int], tuple[tuple[str, ...], Ends, str]] = {
    (1, 1): (("concentration",), (Dirichlet(1.0), Robin(1.0, 5e-4)), "DiffusionSorption"),
    (2, 2): (("activator", "inhibitor"), (Neumann(), Neumann()), ""),
    (2, 1): (("height",), (Outflow(), Outflow()), ""),
}


def _tensors(path: Path) -> bool:
    """Return whether a file has layout A or B: the published test is the first tenth."""
    found = root_names(path)
    return {"tensor", "x-coordinate"} <= found or {"density", "pressure", "Vx", "x-coordinate"} <= found


def _seeds(path: Path) -> bool:
    """Return whether a file has layout C: the published test is the last tenth."""
    found = root_names(path)
    return bool(found) and all(map(SEED.fullmatch, found)) and is_group(path, min(found), ("data", "grid"))


def _incompressible(path: Path) -> bool:
    """Return whether a file has layout D."""
    return root_names(path) >= INCOMPRESSIBLE


def _open_tensors(path: Path, trust: Sequence[str] = ()) -> dict[str, Blocked]:
    """Open a file of layout A or B.

    Raises:
        ValueError: if a part is damaged, or the boundary of a compressible flow is not in the name of the file.
    """
    check_readable(path)
    with open_hdf5(path) as file:
        found = names(file)
        if "nu" in found:
            return {WHOLE: _darcy(path, file, trust)}
        if "tensor" in found:
            shape = dataset(file, "tensor").shape
            if len(shape) != 3:
                raise fault(file, "tensor", "the axes sample, time, x", f"the shape {shape}")
            fields, pde = (Field("u"),), _equation(file)
            periodic, frames = True, shape[1]
            blocks: tuple[Block, ...] = (Block("tensor", "stx", fields),)
        else:
            keys = [key for key in FLOW if key in found]
            ndim, pde = len(keys) - 2, None
            blocks = tuple(Block(key, "st" + "xyz"[:ndim], (_flow_field(key),)) for key in keys)
            frames, periodic = dataset(file, "density").shape[1], states_problem(file) or _is_periodic(path)
        axes = {f"{letter}-coordinate": values(file, f"{letter}-coordinate") for letter in blocks[0].axes[2:]}
        times = _times(file, frames)
        grid = grid_from(str(path), axes, ["periodic" if periodic else "cells"] * len(axes))
        ends = (Periodic(), Periodic()) if periodic else (Outflow(), Outflow())
        problem = Problem(
            grid,
            tuple(field for block in blocks for field in block.fields),
            step_of(f"t-coordinate of {path}", times),
            frames,
            boundary=(ends,) * grid.ndim,
            pde=pde,
        )
        problem = as_stated(file, problem, trust)
    return {WHOLE: Blocked(Hdf5Store(path), problem, blocks, times)}


def _times(file: h5py.File, frames: int) -> np.ndarray:
    """Times of the stored frames: the file has one more than frames."""
    times = values(file, "t-coordinate")
    if times.ndim != 1 or len(times) < frames:
        raise fault(file, "t-coordinate", f"{frames} times or one more", times.shape)
    return times[:frames]


def _number(file: h5py.File, name: str) -> float | None:
    with reading(file, f"@{name}"):
        stated = name in file.attrs
    if not stated:
        return None
    found = attribute(file, "", name)
    if found.size != 1 or found.dtype.kind not in "fiu" or not np.isfinite(found).all():
        raise fault(file, f"@{name}", "one finite number", found.tolist())
    return float(found.ravel()[0])


def _equation(file: h5py.File) -> Equation | None:
    """The equation that the attributes name."""
    speed, diffusion, reaction = (_number(file, name) for name in ("beta", "Nu", "rho"))
    if speed is not None:
        return equation("Advection", velocity_x=speed)
    if diffusion is not None and reaction is not None:
        return equation("ReactionDiffusion", diffusivity=diffusion, rate=reaction)
    return None if diffusion is None else equation("Burgers", viscosity=diffusion / pi)


def _flow_field(key: str) -> Field:
    return Field(f"velocity_{key[1]}", vector="velocity") if key.startswith("V") else Field(key)


def _is_periodic(path: Path) -> bool:
    """The boundary of a compressible flow stands in the name of the file only."""
    found = [word for word in ("periodic", "trans") if word in path.stem.lower().split("_")]
    if len(found) != 1:
        raise ValueError(
            f"expected 'periodic' or 'trans' (open ends) in the name of {path}, as PDEBench publishes it, because the "
            "file does not state its boundary; rename it"
        )
    return found == ["periodic"]


def _darcy(path: Path, file: h5py.File, trust: Sequence[str]) -> Blocked:
    axes = {f"{letter}-coordinate": values(file, f"{letter}-coordinate") for letter in "xy"}
    grid = grid_from(str(path), axes, ["cells", "cells"])
    permeability, source = Field("permeability"), _number(file, "beta")
    ends, pde = (Dirichlet(), Dirichlet()), None if source is None else equation("Darcy", source=source)
    problem = Problem(grid, (Field("pressure"),), coeffs=(permeability,), boundary=(ends, ends), pde=pde)
    problem = as_stated(file, problem, trust)
    blocks = (Block("tensor", "stxy", problem.fields),)
    return Blocked(Hdf5Store(path), problem, blocks, np.zeros(1), (Block("nu", "sxy", (permeability,)),))


def _open_seeds(path: Path, trust: Sequence[str] = ()) -> dict[str, Blocked]:
    """Open a file of layout C. Grid and times are those of the first group.

    Raises:
        ValueError: if a part is damaged, or the number of axes and channels is that of no published problem.
    """
    check_readable(path)
    with open_hdf5(path) as file:
        samples = by_number(names(file))
        first = samples[0]
        letters = [letter for letter in AXES if letter in names(file, f"{first}/grid")]
        shape = dataset(file, f"{first}/data").shape
        kind = (len(letters), shape[-1] if shape else 0)
        if kind not in SEEDED or len(shape) != len(letters) + 2:
            raise fault(file, f"{first}/data", "axes time, x[, y], channel of a published problem", f"shape {shape}")
        axes = {f"{first}/grid/{letter}": values(file, f"{first}/grid/{letter}") for letter in letters}
        times = values(file, f"{first}/grid/t", (shape[0],))
        grid = grid_from(str(path), axes, ["cells"] * len(axes))
        names_of_fields, ends, named = SEEDED[kind]
        fields = tuple(Field(name) for name in names_of_fields)
        step = step_of(f"{first}/grid/t of {path}", times)
        pde = equation(named) if named else None
        problem = Problem(grid, fields, step, shape[0], boundary=(ends,) * grid.ndim, pde=pde)
        problem = as_stated(file, problem, trust)
    block = Block("{sample}/data", "t" + "".join(letters) + "c", fields)
    return {WHOLE: Blocked(Hdf5Store(path), problem, (block,), times, samples=samples)}


def _open_incompressible(path: Path, trust: Sequence[str] = ()) -> dict[str, Blocked]:
    """Open a file of layout D. Frames after ``latestIndex`` were not written; the box is the unit square.

    Raises:
        ValueError: if a part is damaged.
    """
    check_readable(path)
    with open_hdf5(path) as file:
        shape = dataset(file, "velocity").shape
        times = values(file, "t")
        if len(shape) != 5 or times.shape != shape[:2]:
            raise fault(
                file, "t", "the times (batch, time) of velocity (batch, time, x, y, 2)", f"{times.shape}, {shape}"
            )
        frames = shape[1]
        if "latestIndex" in file.attrs:
            frames = min(frames, whole_number(file, "", "latestIndex") + 1)
        velocity = tuple(Field(f"velocity_{letter}", vector="velocity") for letter in "xy")
        force = tuple(Field(f"force_{letter}", vector="force") for letter in "xy")
        density = (Field("particles"),)
        step = step_of(f"t of {path}", times[0, :frames])
        grid = Grid(shape[2:4], (1.0, 1.0), layout=("cells", "cells"))
        walls = (Wall("no_slip"), Wall("no_slip"))
        problem = Problem(grid, (*velocity, *density), step, frames, boundary=(walls, walls), coeffs=force)
        problem = as_stated(file, problem, trust)
    blocks = (Block("velocity", "stxyc", velocity), Block("particles", "stxyc", density))
    return {WHOLE: Blocked(Hdf5Store(path), problem, blocks, times[:, :frames], (Block("force", "sxyc", force),))}


FORMATS = (
    Format("PDEBench (tensor or flow fields)", _tensors, _open_tensors, "first", _open_tensors),
    Format("PDEBench (a group for each seed)", _seeds, _open_seeds, "last", _open_seeds),
    Format("PDEBench (incompressible flow)", _incompressible, _open_incompressible, "last", _open_incompressible),
)
