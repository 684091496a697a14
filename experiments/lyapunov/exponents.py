"""Lyapunov exponents next to published values, by a protocol that is fixed before anything is measured.

    OMP_NUM_THREADS=1 python experiments/lyapunov/exponents.py SYSTEM [SYSTEM ...] [--seeds 1 2] [--set key=value ...]

Prints a row of the README's table for each system and seed. `--set` changes a number of the protocol
(n, dt, size, every, batch, after, tolerance), to see whether the result depends on it.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi

import numpy as np
import torch
from torch import Tensor

from pdekit import machine
from pdekit.fields import Grid
from pdekit.pdes import KuramotoSivashinsky, Lorenz96, NavierStokes2D
from pdekit.recipes.initial import FilteredVelocity
from pdekit.solvers import Copies, etdrk, lyapunov_exponents, still_changing


@dataclass(frozen=True)
class Protocol:
    """What is done to a system; times are in its own unit.

    Args:
        batch: trajectories from independent starts.
        dt: of the step.
        settle: time from the start to the attractor.
        align: time after that in which perturbations find their directions.
        average: time over which local exponents are averaged.
        after: time after that at whose end a trajectory must still be changing to count.
        apart: time between the states that are compared for that.
        tolerance: of that comparison.
        every: steps between two factorisations.
        exponents: how many.
        size: of the perturbations, relative.
        n: points of each axis of the grid.
    """

    batch: int
    dt: float
    settle: float
    align: float
    average: float
    after: float
    apart: float = 10.0
    tolerance: float = 0.01
    every: int = 10
    exponents: int = 1
    size: float = 1e-6
    n: int = 0


@dataclass(frozen=True)
class System:
    """`make` of a protocol returns the step; `start` of a batch, a grid size and a generator the states."""

    protocol: Protocol
    make: Callable[[Protocol], Callable[[Tensor], Tensor]]
    start: Callable[[int, int, torch.Generator], Tensor]


def lorenz_63(protocol: Protocol) -> Callable[[Tensor], Tensor]:
    """x' = 10 (y - x), y' = x (28 - z) - y, z' = x y - 8/3 z, by the classical Runge-Kutta scheme."""
    dt = protocol.dt

    def slope(u: Tensor) -> Tensor:
        x, y, z = u.unbind(1)
        return torch.stack((10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z), dim=1)

    def step(u: Tensor) -> Tensor:
        a = slope(u)
        b = slope(u + dt / 2 * a)
        c = slope(u + dt / 2 * b)
        return u + dt / 6 * (a + 2 * b + 2 * c + slope(u + dt * c))

    return step


def lorenz_96(protocol: Protocol) -> Callable[[Tensor], Tensor]:
    return etdrk(Lorenz96(), Grid((), ()), protocol.dt)


def line(length: float) -> Callable[[Protocol], Callable[[Tensor], Tensor]]:
    return lambda protocol: etdrk(KuramotoSivashinsky(), Grid((protocol.n,), (length,)), protocol.dt)


def square(viscosity: float, drag: float) -> Callable[[Protocol], Callable[[Tensor], Tensor]]:
    """Kolmogorov flow: force sin 4y on a square of 2 pi."""
    return lambda protocol: etdrk(NavierStokes2D(viscosity, 1.0, 4, drag), box(protocol.n), protocol.dt)


def box(n: int) -> Grid:
    return Grid((n, n), (2 * pi, 2 * pi))


def noise(*shape: int, around: float = 0.0) -> Callable[[int, int, torch.Generator], Tensor]:
    """White noise of variance one; without a shape, one channel on a line of n points."""

    def start(batch: int, n: int, generator: torch.Generator) -> Tensor:
        return around + torch.randn(batch, *(shape or (1, n)), generator=generator, dtype=torch.float64)

    return start


def flow(max_velocity: float) -> Callable[[int, int, torch.Generator], Tensor]:
    """Filtered random velocity, as in the recipes of Kolmogorov flow."""

    def start(batch: int, n: int, generator: torch.Generator) -> Tensor:
        draw = np.random.default_rng(generator.initial_seed())
        sampler = FilteredVelocity(4.0, max_velocity, max_mode=16)
        return torch.stack([sampler(box(n), NavierStokes2D.fields, draw) for _ in range(batch)]).double()

    return start


KS = Protocol(256, 0.1, settle=200, align=300, average=2000, after=500)
SYSTEMS = {
    "lorenz_63": System(
        Protocol(512, 0.01, settle=20, align=20, average=400, after=0.5, apart=0.5, exponents=3),
        lorenz_63,
        noise(3, around=20.0),
    ),
    "lorenz_96": System(Protocol(256, 0.01, settle=10, align=20, average=400, after=1, apart=1), lorenz_96, noise(40)),
    "ks_22": System(dataclasses.replace(KS, n=48, average=4000), line(22.0), noise()),
    "ks_64": System(dataclasses.replace(KS, n=96), line(64.0), noise()),
    "kolmogorov_re34": System(Protocol(24, 0.05, 150, 100, 400, after=50, n=48), square(1 / 34, 0.0), flow(3.0)),
    "kolmogorov": System(Protocol(16, 0.03125, 50, 20, 150, after=10, n=64), square(0.01, 0.1), flow(3.0)),
    "kolmogorov_re1000_64": System(Protocol(8, 0.01, 50, 10, 60, after=10, n=64), square(0.001, 0.1), flow(7.0)),
    "kolmogorov_re1000_128": System(Protocol(4, 0.008, 50, 10, 40, after=10, n=128), square(0.001, 0.1), flow(7.0)),
}


def measure(system: System, protocol: Protocol, seed: int) -> list[str]:
    """One row: how many trajectories were left, the exponents over them and over all, and what it cost."""
    began = time.process_time()
    generator = torch.Generator().manual_seed(seed)
    step = system.make(protocol)
    u = system.start(protocol.batch, protocol.n, generator)
    steps = {
        name: round(getattr(protocol, name) / protocol.dt) for name in ("settle", "align", "average", "after", "apart")
    }
    with torch.no_grad():
        for _ in range(steps["settle"]):
            u = step(u)
    copies = Copies(protocol.exponents, protocol.every, protocol.size)
    found = lyapunov_exponents(step, u, protocol.dt, steps["average"], copies, steps["align"], generator=generator)
    stayed = still_changing(step, found.states, steps["after"], steps["apart"], protocol.tolerance)
    chaos, n = found.over(stayed), int(stayed.sum())
    escape = -log(n / len(stayed)) / sum(getattr(protocol, name) for name in ("settle", "align", "average", "after"))
    return [
        f"{n} of {len(stayed)}",
        ", ".join(f"{v:.4f} ± {e:.4f}" for v, e in zip(chaos.exponents, chaos.standard_error, strict=True)),
        f"{chaos.lyapunov_time:.2f}",
        f"{float(found.exponents[0]):.4f}",
        f"{escape:.1e}" if escape else "0",
        f"{time.process_time() - began:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("systems", nargs="+", choices=SYSTEMS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="change the protocol")
    arguments = parser.parse_args()
    changes = {key: float(value) for key, value in (item.split("=") for item in arguments.set)}
    whole = {"batch", "every", "exponents", "n"}
    changes = {key: int(value) if key in whole else value for key, value in changes.items()}
    torch.set_num_threads(1)
    columns = ["system", "seed", "still chaotic", "exponents", "1/λ₁", "λ₁ over all", "escapes per unit", "CPU s"]
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns), flush=True)
    for name in arguments.systems:
        system = SYSTEMS[name]
        protocol = dataclasses.replace(system.protocol, **changes)
        for seed in arguments.seeds:
            print("| " + " | ".join([name, str(seed), *measure(system, protocol, seed)]) + " |", flush=True)


if __name__ == "__main__":
    machine.prepare()
    main()
