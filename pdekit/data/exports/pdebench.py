"""Files in the layouts of PDEBench (Takamoto et al. 2022), of which each holds one kind of problem:

    tensor (sample, time, x)                   one field on a periodic line; Nu, rho or beta if the equation is known
    tensor (sample, 1, x, y), nu               one steady field on cells of the plane, and its coefficient
    density, pressure, Vx[, Vy, Vz]            compressible flow, periodic or with open ends
    0000/data (time, x[, y], channel)          one field on a line, one or two on the plane, cells of a bounded box
    velocity (sample, time, x, y, 2), particles, force (sample, x, y, 2), t   incompressible flow between no-slip walls

Names and keys are those that PDEBench's generators write; ``t-coordinate`` is one longer than the frames. Differences:
values keep their precision (published ones are float32), coordinates and times are float64, and the attribute
``pdekit`` of the file holds the problem (JSON), from which pdekit reads names, units, boundary and equation again.
Source: https://github.com/pdebench/PDEBench (pdebench/data_gen).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from pathlib import Path

import h5py
import numpy as np

from pdekit.boundaries import Outflow, Periodic, Wall
from pdekit.data.exports.contract import ELSEWHERE, Target, Tick, present, refuse
from pdekit.data.finite import check_written
from pdekit.data.formats.contract import WHOLE
from pdekit.data.formats.pdebench import FLOW, FORMATS, SEEDED
from pdekit.data.formats.stated import ATTRIBUTE
from pdekit.data.layout import problem_to_plain
from pdekit.data.sink import through_sink
from pdekit.data.windows import Source
from pdekit.data.writer import replacing
from pdekit.fields import Problem
from pdekit.plain import to_json, to_plain

LINE, PAIRS, COMPRESSIBLE, SEEDS, INCOMPRESSIBLE = "line", "pairs", "flow", "seeds", "incompressible"
NO_SLIP = (Wall("no_slip"), Wall("no_slip"))


def pdebench_layout(problem: Problem) -> str | None:
    """Return the layout of a problem; None if PDEBench has none for it."""
    grid, ends = problem.grid, {type(end) for side in problem.boundary for end in side}
    if not problem.on_box:
        return None
    cells = set(grid.layout) == {"cells"}
    open_or_periodic = (grid.periodic and ends == {Periodic}) or (cells and ends == {Outflow})
    if problem.steady:
        return PAIRS if cells and (grid.ndim, problem.n_channels, len(problem.coeffs)) == (2, 1, 1) else None
    if _is_incompressible(problem):
        return INCOMPRESSIBLE
    if problem.coeffs:
        return None
    if [field.name for field in problem.fields] == _flow_names(grid.ndim) and open_or_periodic:
        return COMPRESSIBLE
    if grid.ndim == 1 and problem.n_channels == 1 and grid.periodic:
        return LINE
    return SEEDS if cells and _has_seeds(problem) else None


def _has_seeds(problem: Problem) -> bool:
    """True for as many fields as a published problem has, no vector, between its ends."""
    _, ends, _ = SEEDED.get((problem.ndim, problem.n_channels), ((), (), ""))
    vectors = any(field.vector is not None for field in problem.fields)
    return not vectors and problem.sides == (ends,) * problem.ndim


def _is_incompressible(problem: Problem) -> bool:
    """True for velocity, particles and a steady force on cells of the unit square between no-slip walls."""
    grid, names = problem.box, [field.name for field in (*problem.fields, *problem.coeffs)]
    square = (grid.extent, grid.origin, grid.layout) == ((1.0, 1.0), (0.0, 0.0), ("cells", "cells"))
    stored = [*(f"velocity_{letter}" for letter in "xy"), "particles", *(f"force_{letter}" for letter in "xy")]
    return square and names == stored and problem.sides == (NO_SLIP, NO_SLIP)


def _flow_names(ndim: int) -> list[str]:
    return [f"velocity_{key[1]}" if key.startswith("V") else key for key in FLOW[: 2 + ndim]]


def check_pdebench(source: Source) -> None:
    """Raise ValueError if no layout of PDEBench holds a source."""
    problem = source.problem
    refuse(
        source,
        "PDEBench",
        {
            "parameters of the sample": bool(problem.params),
            "mask": problem.has_mask,
            "forcing": bool(problem.forcing),
            "captions": problem.has_text,
        },
    )
    if pdebench_layout(problem) is None:
        raise ValueError(
            "expected a problem that PDEBench has a layout for (one field on a periodic line; one steady field and its "
            "coefficient on cells of the plane; density, pressure and velocity_x, ... of a flow; one or two fields on "
            "cells between the ends of a published problem; velocity, particles and force of a flow between walls of "
            "the unit square), found "
            f"{[field.name for field in problem.fields]} on {problem.grid} with {len(problem.coeffs)} coefficients; "
            "export with to=netcdf, which holds everything"
        )


def write_pdebench(source: Source, path: Path, tick: Tick) -> None:
    """Write one file.

    Raises:
        ValueError: if times differ from trajectory to trajectory, or a flow's boundary is not in the name of the file.
    """
    kind = pdebench_layout(source.problem)
    with replacing(path, ELSEWHERE) as temporary, through_sink(temporary, h5py.File) as (file, check):

        def written(done: int) -> None:
            check()
            tick(done)

        file.attrs[ATTRIBUTE] = to_json(problem_to_plain(source.problem))
        if kind == SEEDS:
            _write_seeds(source, file, written)
        elif kind == INCOMPRESSIBLE:
            _write_incompressible(source, file, written)
        else:
            _write_tensors(source, file, str(kind), written)


def _write_tensors(source: Source, file: h5py.File, kind: str, tick: Tick) -> None:
    problem, first = source.problem, source.read(0)
    n, space, dtype = source.n_trajectories, tuple(problem.grid.shape), first.u.numpy().dtype
    keys: Sequence[str] = FLOW[: 2 + problem.ndim] if kind == COMPRESSIBLE else ["tensor"]
    columns = [file.create_dataset(key, (n, problem.n_frames, *space), dtype) for key in keys]
    nu = file.create_dataset("nu", (n, *space), present(first.coeffs).numpy().dtype) if kind == PAIRS else None
    for axis, letter in enumerate(problem.grid.axes):
        file[f"{letter}-coordinate"] = problem.grid.coordinates(axis).numpy()
    if kind != PAIRS:
        times = first.t[0].double().numpy()
        file["t-coordinate"] = np.append(times, times[-1] + float(problem.dt or 0.0))
    for name, value in _attributes(problem).items():
        file.attrs[name] = value
    for i in range(n):
        batch = source.read(i)
        _check_times(first.t, batch.t, i)
        check_written(batch, f"trajectory {i}")
        for channel, column in enumerate(columns):
            column[i] = batch.u[0, :, channel].numpy()
        if nu is not None:
            nu[i] = present(batch.coeffs)[0, 0].numpy()
        tick(i + 1)


def _attributes(problem: Problem) -> dict[str, float]:
    """Parameters of the equation as the attributes of PDEBench."""
    known = {} if problem.pde is None else to_plain(problem.pde)
    name = str(known.get("_target_", "")).rpartition(".")[2]
    if name == "Advection":
        return {"beta": float(known["velocity_x"])}
    if name == "ReactionDiffusion":
        return {"Nu": float(known["diffusivity"]), "rho": float(known["rate"])}
    return {"Nu": float(known["viscosity"]) * pi} if name == "Burgers" and problem.ndim == 1 else {}


def _write_seeds(source: Source, file: h5py.File, tick: Tick) -> None:
    problem, first = source.problem, source.read(0)
    for i in range(source.n_trajectories):
        batch = source.read(i)
        _check_times(first.t, batch.t, i)
        check_written(batch, f"trajectory {i}")
        group = file.create_group(f"{i:04d}")
        group.create_dataset("data", data=np.moveaxis(batch.u[0].numpy(), 1, -1), compression="lzf")
        for axis, letter in enumerate(problem.grid.axes):
            group.create_dataset(f"grid/{letter}", data=problem.grid.coordinates(axis).numpy())
        group.create_dataset("grid/t", data=batch.t[0].double().numpy())
        tick(i + 1)


def _write_incompressible(source: Source, file: h5py.File, tick: Tick) -> None:
    """Write a flow between walls. Times belong to each trajectory, and have no entry more than frames."""
    problem, n, dtype = source.problem, source.n_trajectories, source.read(0, slice(0, 1)).u.numpy().dtype
    frames, space = problem.n_frames, tuple(problem.grid.shape)
    velocity = file.create_dataset("velocity", (n, frames, *space, 2), dtype)
    particles = file.create_dataset("particles", (n, frames, *space, 1), dtype)
    force, times = file.create_dataset("force", (n, *space, 2), dtype), file.create_dataset("t", (n, frames), "f8")
    for i in range(n):
        batch = source.read(i)
        check_written(batch, f"trajectory {i}")
        u = np.moveaxis(batch.u[0].numpy(), 1, -1)
        velocity[i], particles[i] = u[..., :2], u[..., 2:]
        force[i], times[i] = np.moveaxis(present(batch.coeffs)[0].numpy(), 0, -1), batch.t[0].double().numpy()
        tick(i + 1)


def _check_times(expected, found, trajectory: int) -> None:
    if expected.shape != found.shape or bool((expected != found).any()):
        raise ValueError(
            f"expected the same times in all trajectories, because PDEBench stores them once, found others in "
            f"trajectory {trajectory}; export with to=netcdf"
        )


def read_pdebench(path: Path, trust: Sequence[str]) -> Source | None:
    """Return the trajectories of a file in one of the layouts; None for another file."""
    known = next((item for item in FORMATS if item.recognises(path)), None)
    return None if known is None or known.open_trusting is None else known.open_trusting(path, trust)[WHOLE]


TARGET = Target("PDEBench", ".hdf5", check_pdebench, write_pdebench, read_pdebench)
