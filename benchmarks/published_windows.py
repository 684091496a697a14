"""Cost of reading windows of published HDF5 layouts, next to the same slices with h5py alone, and of opening 100 GB.

    python benchmarks/published_windows.py [--quick] [--reads 2000] [--rounds 5]

Files are in the page cache; random windows of two frames are read one at a time. Both readers return the same numbers,
which is checked first; pdekit's makes tensors with times. Times are processor times, medians over rounds in which the
readers take turns. The large file is sparse: its values are stored as holes, so that it takes no room.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from pdekit.data import probe
from pdekit.data.exports import TARGETS, export
from pdekit.data.formats import open_path, recognised
from pdekit.data.writer import write_split
from pdekit.fields import Field, Grid, Problem, Trajectory

Read = Callable[[int, int], Any]


@dataclass(frozen=True)
class Layout:
    """A published layout: its file, and how h5py alone reads two frames of a trajectory."""

    name: str
    path: Path
    plain: Read


def tensor(folder: Path, n: int, frames: int, points: int) -> Layout:
    """PDEBench in one dimension: one contiguous array."""
    path = folder / "1D_Advection_Sols_beta0.1.hdf5"
    with h5py.File(path, "w") as file:
        file["tensor"] = np.random.default_rng(0).normal(size=(n, frames, points)).astype("f4")
        file["x-coordinate"], file["t-coordinate"] = (np.arange(points) + 0.5) / points, 0.01 * np.arange(frames + 1)
        file.attrs["beta"] = 0.1
    column = h5py.File(path)["tensor"]
    return Layout("PDEBench, one array", path, lambda i, t: column[i, t : t + 2][:, None])


def groups(folder: Path, n: int, frames: int, points: int) -> Layout:
    """PDEBench in two dimensions: compressed groups, channels last."""
    path, side = folder / "2D_diff-react_NA_NA.h5", max(8, int(points**0.5))
    values = np.random.default_rng(0).normal(size=(n, frames, side, side, 2)).astype("f4")
    with h5py.File(path, "w") as file:
        for i in range(n):
            group = file.create_group(f"{i:04d}")
            group.create_dataset("data", data=values[i], compression="lzf")
            for letter in "xy":
                group[f"grid/{letter}"] = (np.arange(side) + 0.5) / side
            group["grid/t"] = 0.1 * np.arange(frames)
    file = h5py.File(path)
    columns = [file[f"{i:04d}/data"] for i in range(n)]
    return Layout("PDEBench, compressed groups", path, lambda i, t: np.moveaxis(columns[i][t : t + 2], -1, 1))


def flow(folder: Path, n: int, frames: int, points: int) -> Layout:
    """Poseidon: one contiguous array, channels before space."""
    path, side = folder / "NS-PwC.nc", max(8, int(points**0.5))
    with h5py.File(path, "w") as file:
        file["velocity"] = np.random.default_rng(0).normal(size=(n, frames, 2, side, side)).astype("f4")
    column = h5py.File(path)["velocity"]
    return Layout("Poseidon", path, lambda i, t: column[i, t : t + 2])


def stored(folder: Path, names: tuple[str, ...], n: int, frames: int, side: int) -> Path:
    """Write periodic fields in pdekit's own layout; names that begin with velocity are a vector."""
    fields = tuple(Field(name, vector="velocity" if name.startswith("velocity") else None) for name in names)
    problem = Problem(Grid((side, side), (1.0, 1.0)), fields, dt=0.1, n_frames=frames)
    u = torch.randn(n, frames, len(names), side, side)
    t = (0.1 * torch.arange(frames, dtype=torch.float64)).expand(n, -1)
    write_split(folder / "own.hdf5", problem, Trajectory(u=u, t=t, index=torch.arange(n)), "own")
    return folder / "own.hdf5"


def the_well(folder: Path, n: int, frames: int, points: int) -> Layout:
    """The Well: a scalar and a vector, whose components come last."""
    side = max(8, int(points**0.5))
    path = stored(folder, ("density", "velocity_x", "velocity_y"), n // 5 + 1, frames, side)
    path = path.rename(folder / "the_well.hdf5")
    with h5py.File(path, "r+") as file:
        del file["pdekit"]
    file = h5py.File(path)
    density, velocity = file["t0_fields/density"], file["t1_fields/velocity"]

    def plain(i: int, t: int) -> np.ndarray:
        parts = (density[i, t : t + 2][:, None], np.moveaxis(velocity[i, t : t + 2], -1, 1))
        return np.concatenate(parts, 1)

    return Layout("The Well, a scalar and a vector", path, plain)


def netcdf(folder: Path, n: int, frames: int, points: int) -> Layout:
    """NetCDF of pdekit: one frame in a chunk."""
    source = stored(folder, ("u",), n // 5 + 1, frames, max(8, int(points**0.5)))
    (path,) = export(source, folder / "own.nc", TARGETS["netcdf"])
    source.unlink()
    column = h5py.File(path)["u"]
    return Layout("NetCDF of pdekit", path, lambda i, t: column[i, t : t + 2][:, None])


def compare(layout: Layout, reads: int, rounds: int) -> str:
    """Return a row: times of both readers for a window and their ratio."""
    source = recognised(layout.path).open(layout.path)["all"]
    draw = np.random.default_rng(1)
    n, frames = source.n_trajectories, source.problem.n_frames
    windows = list(zip(draw.integers(0, n, reads).tolist(), draw.integers(0, frames - 1, reads).tolist(), strict=True))

    def ours(i: int, t: int) -> Trajectory:
        return source.read(i, slice(t, t + 2))

    for i, t in windows[:16]:
        assert np.array_equal(ours(i, t).u[0], layout.plain(i, t)), "both read the same"

    def turn(read: Read) -> float:
        began = time.process_time()
        for i, t in windows:
            read(i, t)
        return (time.process_time() - began) / reads * 1e6

    turns = [(turn(layout.plain), turn(ours)) for _ in range(rounds)]
    plain, mine = (statistics.median(column) for column in zip(*turns, strict=True))
    ratio = statistics.median(b / a for a, b in turns)
    return f"| {layout.name} | {plain:.1f} | {mine:.1f} | {ratio:.2f} |"


def opening(folder: Path, rounds: int) -> str:
    """Return a sentence: the processor time that opens and splits a sparse file of 100 GB."""
    path, points = folder / "large.hdf5", 4096
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((10_000, 625, points))
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        h5py.h5d.create(file.id, b"tensor", h5py.h5t.IEEE_F32LE, space, plist)
        file["x-coordinate"], file["t-coordinate"] = (np.arange(points) + 0.5) / points, 0.01 * np.arange(626)
    times = []
    for _ in range(rounds):
        probe._outcome.cache_clear()
        began = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        open_path(path)
        ended = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        times.append([b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(began, ended, strict=True)])
    own, child = (statistics.median(column) for column in zip(*times, strict=True))
    return f"opening {path.stat().st_size / 1e9:.0f} GB takes {own:.3f} s here and {child:.3f} s in the child process"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few windows, two rounds: seconds")
    parser.add_argument("--reads", type=int, default=2000, help="windows in a turn")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    size = (100, 101, 1024)
    if options.quick:
        options.reads, options.rounds, size = 50, 2, (6, 11, 64)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        print("| layout | h5py alone, us | pdekit, us | ratio |\n|---|---|---|---|")
        for write in (tensor, groups, flow, the_well, netcdf):
            print(compare(write(Path(name), *size), options.reads, options.rounds))
        print(opening(Path(name), options.rounds))


if __name__ == "__main__":
    main()
