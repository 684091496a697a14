"""Time of the periodic reference solver next to other libraries', per step and at equal accuracy.

Each library runs in a process of its own, on one thread of the same core, with the same settings of the memory
allocator; they take turns in short chunks of processor time, and the tables show medians of ratios within a round.
The state stays on developed Kolmogorov flow (Re 1000) or Kuramoto-Sivashinsky chaos.

The second table is about equal accuracy: dt(1e-4) is the step at which a library's solution differs by 1e-4
(relative, root mean square) from its own with a much smaller step after the time given, in float64.

A library that is not installed is named and left out.

    make oracles; .venv-oracles/bin/python benchmarks/solver_speed.py [--quick] [--sizes 64 128 256 512]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import solver_peers
from interleaved import table
from solver_peers import LENGTH, PROBLEMS

from pdekit.machine import describe_machine
from pdekit.solvers.traced import PATIENCE

BATCHES = {64: 16, 128: 8, 256: 4, 512: 4}
GOALS = {"batched float32": 0.8, "batched float64": 1.0, "one trajectory in 2-D": 1.3}
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(64 << 20),
}


class Library:
    """A process that runs one library in one precision."""

    def __init__(self, name: str, precision: str):
        script = Path(solver_peers.__file__)
        self.process = subprocess.Popen(
            [sys.executable, str(script), name, precision],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ALLOCATOR},
        )

    def ask(self, **command: object) -> dict[str, float]:
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args[-2]} stopped while asked to {command}; its message is above")
        return json.loads(answer)


@contextmanager
def libraries(names: list[str], precision: str) -> Iterator[dict[str, Library]]:
    with ExitStack() as stack:
        started = {name: Library(name, precision) for name in names}
        for library in started.values():
            stack.callback(library.process.kill)
        yield started


def developed_states(folder: Path, steps: int = 2000) -> None:
    """ks.npy "64 256" and vorticity.npy "16 128 128", by pdekit itself."""
    import torch

    from pdekit.fields import Grid
    from pdekit.pdes import KuramotoSivashinsky, NavierStokes2D
    from pdekit.solvers import etdrk, integrate

    torch.set_num_threads(1)
    torch.manual_seed(0)
    line, square = Grid((256,), (LENGTH,)), Grid((128, 128), (2 * math.pi,) * 2)
    u = torch.randn(64, 1, 256, dtype=torch.float64)
    np.save(folder / "ks.npy", integrate(etdrk(KuramotoSivashinsky(), line, 0.1), u, 2, steps)[:, -1, 0].numpy())
    w_hat = torch.zeros(16, 1, 128, 65, dtype=torch.complex64)
    w_hat[..., :6, :6] = torch.randn(16, 1, 6, 6, dtype=torch.complex64)
    w = torch.fft.irfft2(w_hat, s=(128, 128))
    pde = NavierStokes2D(solver_peers.VISCOSITY, solver_peers.FORCING, solver_peers.WAVENUMBER, solver_peers.DRAG)
    step = etdrk(pde, square, 0.005, dtype=torch.float32)
    np.save(folder / "vorticity.npy", integrate(step, 4 * w / w.std(), 2, steps)[:, -1, 0].double().numpy())


def start(folder: Path, problem: str, n: int, batch: int) -> Path:
    """A developed state of n points along each axis, interpolated or truncated spectrally."""
    path = folder / f"{problem}-{n}-{batch}.npy"
    u = np.load(folder / f"{problem}.npy")[:batch]
    if problem == "vorticity":
        known, top = u.shape[-1], min(u.shape[-1], n) // 3
        u_hat, w_hat = np.fft.fft2(u), np.zeros((len(u), n, n), dtype=complex)
        for rows in (slice(0, top + 1), slice(-top, None)):
            for columns in (slice(0, top + 1), slice(-top, None)):
                w_hat[:, rows, columns] = u_hat[:, rows, columns]
        u = np.fft.ifft2(w_hat).real * (n / known) ** 2
    np.save(path, u)
    return path


def equal_accuracy(running: dict[str, Library], folder: Path, problem: str, n: int) -> tuple[float, dict[str, float]]:
    """The simulated time, and the step of each library with a relative error of 1e-4 after it."""
    t = 10.0 if problem == "ks" else 1.0 if n <= 128 else 0.25
    first = 0.5 if problem == "ks" else 64 / n * 0.0125
    steps_of = {}
    path = start(folder, problem, n, 1)
    for name, library in running.items():
        if problem not in PROBLEMS[name]:
            continue
        ends: dict[float, np.ndarray] = {}
        for halvings in range(7):
            steps = round(t / first * 2**halvings)
            library.ask(do="prepare", problem=problem, n=n, dt=t / steps, start=str(path))
            library.ask(do="solve", steps=steps, end=str(folder / "end.npy"))
            ends[t / steps] = np.load(folder / "end.npy")
            if len(ends) > 2 and distance(*list(ends.values())[-2:]) < 5e-6:
                break
        finest = list(ends)[-1]
        errors = {dt: distance(end, ends[finest]) for dt, end in ends.items() if dt != finest}
        steps_of[name] = step_for(errors, 1e-4)
    return t, steps_of


def distance(u: np.ndarray, reference: np.ndarray) -> float:
    value = float(np.linalg.norm(u - reference) / np.linalg.norm(reference))
    return value if math.isfinite(value) else math.inf


def step_for(errors: dict[float, float], wanted: float) -> float:
    """Between the two steps whose errors bracket the wanted one, along a power law."""
    steps = sorted(errors, reverse=True)
    for coarse, fine in pairwise(steps):
        if errors[fine] <= wanted < errors[coarse] and math.isfinite(errors[coarse]):
            order = math.log(errors[coarse] / errors[fine]) / math.log(coarse / fine)
            return fine * (wanted / errors[fine]) ** (1 / order)
    # no bracket: the largest step that is stable is good enough, or none is
    return max((dt for dt in steps if errors[dt] <= wanted), default=math.nan)


def per_step(
    running: dict[str, Library], folder: Path, case: tuple[str, int, int], rounds: int, chunk: float
) -> dict[str, list[float]]:
    """Processor seconds of a step of the whole batch, for each library and round of ``chunk`` seconds."""
    problem, n, batch = case
    dt = 0.05 if problem == "ks" else 0.32 / n
    path = start(folder, problem, n, batch)
    able = {name: library for name, library in running.items() if problem in PROBLEMS[name]}
    for name, library in able.items():  # pdekit records its step once it has run a hundred times
        warmup = PATIENCE + 1 if name == "pdekit" else 2
        library.ask(do="prepare", problem=problem, n=n, dt=dt, start=str(path), warmup=warmup)
    seconds: dict[str, list[float]] = {name: [] for name in able}
    for _ in range(rounds):
        for name, library in able.items():
            seconds[name].append(library.ask(do="time", seconds=chunk)["seconds"])
    return seconds


def ratio(seconds: dict[str, list[float]], peer: str, scale: float = 1.0) -> str:
    """pdekit's cost relative to a peer's: median and half the distance between the quartiles."""
    if peer not in seconds:
        return "-"
    low, middle, high = statistics.quantiles(
        [scale * own / other for own, other in zip(seconds["pdekit"], seconds[peer], strict=True)], n=4
    )
    return f"{middle:.2f} +- {(high - low) / 2:.2f}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="two short rounds of KS and 64^2, equal accuracy for KS only"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256, 512], help="points along an axis, 2-D")
    options = parser.parse_args()
    if options.quick:
        options.sizes = [64]
    return options


def main() -> None:
    options = parse()
    rounds, chunk = (2, 0.02) if options.quick else (15, 0.1)
    precisions = ("float32",) if options.quick else ("float32", "float64")
    names = solver_peers.available()
    for name in set(solver_peers.MODULES) - set(names):
        print(f"{name}: not installed (make oracles installs it)")
    peers = [name for name in names if name != "pdekit"]
    problems = [("ks", 256, 64)] + [("vorticity", n, BATCHES[n]) for n in options.sizes]
    costs, equal = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        developed_states(folder, 200 if options.quick else 2000)
        with libraries(names, "float64") as running:
            accuracy = {
                (problem, n): equal_accuracy(running, folder, problem, n)
                for problem, n, _ in problems
                if problem == "ks" or not options.quick
            }
        for precision in precisions:
            with libraries(names, precision) as running:
                for problem, n, batch in [(problem, n, b) for problem, n, most in problems for b in (1, most)]:
                    seconds = per_step(running, folder, (problem, n, batch), rounds, chunk)
                    own = 1e6 * min(seconds["pdekit"]) / batch
                    case = [f"{problem} {n}", str(batch), precision]
                    costs.append([*case, f"{own:.1f}", *(ratio(seconds, peer) for peer in peers)])
                    if (problem, n) in accuracy:
                        _, dt = accuracy[problem, n]
                        scales = {peer: dt.get(peer, math.nan) / dt["pdekit"] for peer in peers}
                        compared = [ratio(seconds, peer, scales[peer]) for peer in peers]
                        equal.append([*case, f"{own * 1e-6 / dt['pdekit']:.4f}", *compared])
    print(f"{describe_machine()['cpu']}, one thread, processor time; medians over {rounds} rounds.")
    print(f"Goals next to exponax: {GOALS}\n")
    report(costs, accuracy, equal, names)


def report(costs: list[list[str]], accuracy: dict, equal: list[list[str]], names: list[str]) -> None:
    """Print the three tables."""
    case = ["problem", "batch", "precision"]
    compared = [f"pdekit / {name}" for name in names if name != "pdekit"]
    print("Time of a step\n\n" + table([*case, "us per step and trajectory", *compared], costs))
    steps = [
        [f"{problem} {n}", f"{t:g}", *(f"{dt[name]:.2g}" if name in dt else "-" for name in names)]
        for (problem, n), (t, dt) in accuracy.items()
    ]
    print("\nStep with a relative error of 1e-4\n\n" + table(["problem", "after", *names], steps))
    print("\nTime at that error\n\n" + table([*case, "s per simulated second and trajectory", *compared], equal))


if __name__ == "__main__":
    main()
