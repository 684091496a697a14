"""How fast windows are read, beside a plain memory map: ``python benchmarks/loader_throughput.py``.

One file of random data, in the page cache; random windows of a field, read one at a time and in batches of 16 through
the loader. Every reader makes the same float32 tensors; times are medians over rounds in which the readers take turns,
so that a busy machine disturbs all alike. What counts are the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from pdekit.data.arrays import Arrays
from pdekit.data.loader import EpochSampler, ResumableLoader
from pdekit.data.store import Split
from pdekit.data.windows import Windows
from pdekit.data.writer import write_split
from pdekit.fields import Field, Grid, Problem, Trajectory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trajectories", type=int, default=100)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--points", type=int, default=64)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--reads", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for target in (1, 9):
            compare(Path(folder), options, target)


def compare(folder: Path, options: argparse.Namespace, target: int) -> None:
    """Print microseconds a window and the ratio to the memory map for windows of 1 + target frames."""
    n, frames, points, channels = options.trajectories, options.frames, options.points, options.channels
    problem = Problem(
        Grid((points, points), (1.0, 1.0)), tuple(Field(f"u{i}") for i in range(channels)), dt=1.0, n_frames=frames
    )
    u = torch.randn(n, frames, channels, points, points)
    t = torch.arange(frames, dtype=torch.float64).expand(n, frames).clone()
    write_split(folder / "data.hdf5", problem, Trajectory(u, t), "benchmark")
    np.save(folder / "data.npy", u.numpy())
    mapped = np.load(folder / "data.npy", mmap_mode="r")
    ours = Windows(Split(folder / "data.hdf5"), (1, target))
    memory = Windows(Arrays(problem, Trajectory(u, t)), (1, target))
    length = 1 + target
    places = np.random.default_rng(0).integers(0, len(ours), options.reads)

    def plain(i: int) -> torch.Tensor:
        trajectory, start = divmod(int(i), ours.per_trajectory)
        return torch.from_numpy(mapped[trajectory, start : start + length].copy())

    def batched(read: Callable[[int], torch.Tensor]) -> Callable[[], None]:
        def run() -> None:
            for first in range(0, len(places) - 15, 16):
                torch.stack([read(i) for i in places[first : first + 16]])

        return run

    def loader(windows: Windows) -> Callable[[], None]:
        def run() -> None:
            batches = iter(ResumableLoader(windows, 16, EpochSampler(windows)))
            for _ in range(len(places) // 16):
                next(batches)

        return run

    def single(read: Callable[[int], object]) -> Callable[[], None]:
        return lambda: [read(i) for i in places] and None

    readers = {
        "memory map, one window": single(plain),
        "pdekit file, one window": single(ours.__getitem__),
        "pdekit in memory, one window": single(memory.__getitem__),
        "memory map, batches of 16": batched(plain),
        "pdekit file, loader of 16": loader(ours),
        "pdekit in memory, loader of 16": loader(memory),
    }
    times: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(options.rounds):
        for name, read in readers.items():
            began = time.process_time()
            read()
            times[name].append((time.process_time() - began) / len(places) * 1e6)
    size = length * channels * points * points * 4 / 1e3
    print(f"windows of {length} frames, {size:.0f} kB; CPU microseconds a window, median of {options.rounds} rounds")
    for name, values in times.items():
        base = "memory map, one window" if "one window" in name else "memory map, batches of 16"
        ratio = statistics.median(a / b for a, b in zip(values, times[base], strict=True))
        print(f"  {name:<32} {statistics.median(values):7.1f}   {ratio:5.2f} x the memory map")


if __name__ == "__main__":
    main()
