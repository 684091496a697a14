"""Cost of reading windows, next to a plain memory map and to The Well's own dataset.

    python benchmarks/loader_throughput.py [--quick] [--trajectories 100] [--frames 100] [--points 64] [--channels 1]

One file of random data, in the page cache; random windows of a field, read one at a time and in batches of 16 through
the loader. The file is in pdekit's layout, which contains The Well's, so that three readers open it: pdekit's store,
pdekit's reader of The Well's layout, and `the_well.data.WellDataset` where it is installed (it returns grids and
boundaries with each window, too). Every reader makes the same float32 numbers, which is checked before anything is
timed. Times are medians over rounds in which the readers take turns, so that a busy machine slows all alike. What
counts are the ratios.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pdekit.data.arrays import Arrays
from pdekit.data.formats import TheWell
from pdekit.data.loader import EpochSampler, ResumableLoader
from pdekit.data.store import Split
from pdekit.data.windows import Windows
from pdekit.data.writer import write_split
from pdekit.fields import Field, Grid, Problem, Trajectory

BATCH, TARGETS = 16, (1, 9)
BASE = "memory map"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few small windows, two rounds: seconds")
    parser.add_argument("--trajectories", type=int, default=100)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--points", type=int, default=64)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--reads", type=int, default=300, help="windows in a turn, at least 16")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    if options.quick:
        options.trajectories, options.frames, options.points, options.reads, options.rounds = 16, 12, 16, 32, 2
    if not BATCH <= options.reads <= options.trajectories * (options.frames - TARGETS[-1]):
        parser.error("expected --reads from 16 to the number of windows: trajectories * (frames - 9)")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if not importlib.util.find_spec("the_well"):
        print("the_well: not installed (make oracles installs it)")
    with tempfile.TemporaryDirectory() as folder:
        problem, batch = write(Path(folder), options)
        for target in TARGETS:
            compare(Path(folder), problem, batch, options, target)


def write(folder: Path, options: argparse.Namespace) -> tuple[Problem, Trajectory]:
    """The same random data as a memory map and as a file of pdekit."""
    n, frames, points, channels = options.trajectories, options.frames, options.points, options.channels
    fields = tuple(Field(f"u{i}") for i in range(channels))
    problem = Problem(Grid((points, points), (1.0, 1.0)), fields, dt=1.0, n_frames=frames)
    t = torch.arange(frames, dtype=torch.float64).expand(n, frames).clone()
    batch = Trajectory(torch.randn(n, frames, channels, points, points), t)
    path = folder / "noise" / "data" / "train" / "noise.hdf5"  # where The Well's dataset looks
    path.parent.mkdir(parents=True)
    write_split(path, problem, batch, "noise")
    np.save(folder / "noise.npy", batch.u.numpy())
    return problem, batch


def readers_of(folder: Path, problem: Problem, batch: Trajectory, target: int) -> dict[str, Callable[[int], Tensor]]:
    """Functions that return the frames of a window, "time channel *space", by the name of the reader."""
    length, path = 1 + target, folder / "noise" / "data" / "train" / "noise.hdf5"
    mapped = np.load(folder / "noise.npy", mmap_mode="r")
    per_trajectory = problem.n_frames - target

    def plain(i: int) -> Tensor:
        trajectory, start = divmod(int(i), per_trajectory)
        return torch.from_numpy(mapped[trajectory, start : start + length].copy())

    def ours(source) -> Callable[[int], Tensor]:
        windows = Windows(source, (1, target))
        return lambda i: windows[i].u[0]

    readers = {
        BASE: plain,
        "pdekit, arrays in memory": ours(Arrays(problem, batch)),
        "pdekit, its own layout": ours(Split(path)),
        "pdekit, The Well's layout": ours(TheWell([path])),
    }
    if importlib.util.find_spec("the_well"):
        readers["the_well"] = the_well(folder / "noise", target)
    return readers


def the_well(folder: Path, target: int) -> Callable[[int], Tensor]:
    from the_well.data import WellDataset

    theirs = WellDataset(
        path=str(folder),
        well_split_name="train",
        n_steps_input=1,
        n_steps_output=target,
        use_normalization=False,
        normalize_time_grid=False,
    )

    def read(i: int) -> Tensor:
        window = theirs[int(i)]
        return torch.cat((window["input_fields"], window["output_fields"])).movedim(-1, 1)

    return read


def loaders_of(
    folder: Path, problem: Problem, batch: Trajectory, target: int, readers: dict[str, Callable[[int], Tensor]]
) -> dict[str, Callable[[np.ndarray], object]]:
    """Functions that read batches of 16 windows: pdekit's loader, stacked windows of the others."""
    path = folder / "noise" / "data" / "train" / "noise.hdf5"
    sources = {
        "pdekit, arrays in memory": Arrays(problem, batch),
        "pdekit, its own layout": Split(path),
        "pdekit, The Well's layout": TheWell([path]),
    }

    def stacked(read: Callable[[int], Tensor]) -> Callable[[np.ndarray], object]:
        return lambda places: [torch.stack([read(i) for i in part]) for part in places.reshape(-1, BATCH)]

    def loader(windows: Windows) -> Callable[[np.ndarray], object]:
        def run(places: np.ndarray) -> None:
            batches = iter(ResumableLoader(windows, BATCH, EpochSampler(windows)))
            for _ in range(len(places) // BATCH):
                next(batches)

        return run

    return {
        name: loader(Windows(sources[name], (1, target))) if name in sources else stacked(read)
        for name, read in readers.items()
    }


def compare(folder: Path, problem: Problem, batch: Trajectory, options: argparse.Namespace, target: int) -> None:
    """Print microseconds a window and the ratio to the memory map for windows of 1 + target frames."""
    readers = readers_of(folder, problem, batch, target)
    n_windows = options.trajectories * (options.frames - target)
    places = np.random.default_rng(0).integers(0, n_windows, options.reads // BATCH * BATCH)
    for name, read in readers.items():
        if not torch.equal(read(places[0]), readers[BASE](places[0])):
            raise ValueError(f"expected the same window from all readers, found another one from {name}")
    single = {name: lambda places, read=read: [read(i) for i in places] for name, read in readers.items()}
    size = (1 + target) * options.channels * options.points**2 * 4 / 1e3
    for title, functions in (
        ("one window at a time", single),
        (f"batches of {BATCH}", loaders_of(folder, problem, batch, target, readers)),
    ):
        times: dict[str, list[float]] = {name: [] for name in functions}
        for _ in range(options.rounds):
            for name, function in functions.items():
                began = time.process_time()
                function(places)
                times[name].append((time.process_time() - began) / len(places) * 1e6)
        print(f"windows of {1 + target} frames, {size:.0f} kB, {title}; CPU microseconds a window")
        for name, values in times.items():
            ratio = statistics.median(a / b for a, b in zip(values, times[BASE], strict=True))
            print(f"  {name:<26} {statistics.median(values):8.1f}   {ratio:6.2f} x the memory map")


if __name__ == "__main__":
    main()
