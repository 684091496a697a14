"""Control of Burgers' equation: a WDNO of state and forcing together is steered to a final state, then solved again.

    OMP_NUM_THREADS=1 python experiments/wdno/control.py [--steps 2000] [--cases 8] [--seed 0]

u_t = -(u^2 / 2)_x + 0.01 u_xx + f on (0, 1), u = 0 at both ends; initial states and forcings of the released generator
of WDNO on a shorter time and a coarser grid. Given u_0, a forcing is wanted that leads to u_T. Prints the table of the
README.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from pdekit.data.arrays import from_arrays
from pdekit.data.loading import Loading
from pdekit.fields import Trajectory
from pdekit.models.wdno import WDNO
from pdekit.nets.unet import UNet
from pdekit.settings import Engine, Training
from pdekit.training.module import fit

VISCOSITY, HORIZON, FRAMES = 0.01, 2.0, 16  # published: time 8, 120 frames
STORED, FINE, COARSE = 32, 128, 64  # intervals; published: 80 and 1921
COUNTS = (600, 40, 40)
STRENGTHS = (4.0, 16.0, 64.0)
ENERGY = 0.01  # weight of the mean square of the forcing


def march(u: Tensor, forcing: Tensor, intervals: int) -> Tensor:
    """Return the states after each frame, "sample frame point": central differences and Euler steps.

    Args:
        u: initial states at the stored nodes; linear in between.
        forcing: "sample frame point" at the stored nodes; constant in each frame, linear in between.
        intervals: of the solver, a multiple of those stored.
    """
    steps = HORIZON / FRAMES * 4 * VISCOSITY * intervals**2  # half of the stable step of the diffusion
    steps, every = max(round(steps), intervals), intervals // STORED
    dt, dx, states = HORIZON / FRAMES / steps, 1 / intervals, []
    grid = partial(torch.nn.functional.interpolate, size=intervals + 1, mode="linear", align_corners=True)
    u, forcing = grid(u[:, None])[:, 0], grid(forcing)
    for n in range(FRAMES):
        for _ in range(steps):
            flux = 0.5 * u.square()
            inside = u[:, 1:-1] + dt * (
                -(flux[:, 2:] - flux[:, :-2]) / (2 * dx)
                + VISCOSITY * (u[:, 2:] - 2 * u[:, 1:-1] + u[:, :-2]) / dx**2
                + forcing[:, n, 1:-1]
            )
            u = torch.nn.functional.pad(inside, (1, 1))
        states.append(u[:, ::every])
    return torch.stack(states, 1)


def drawn(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return initial states "sample point" and forcings "sample frame point" of the released generator."""

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(n, *shape, dtype=torch.float64, generator=generator)

    def bump(x: Tensor, middle: Tensor, width: Tensor) -> Tensor:
        return torch.exp(-0.5 * ((x - middle) / width).square())

    x = torch.linspace(0, 1, STORED + 1, dtype=torch.float64)
    t = (torch.arange(FRAMES, dtype=torch.float64) + 0.5) / FRAMES
    u = between(0, 2, 1) * bump(x, between(0.2, 0.4, 1), between(0.05, 0.15, 1))
    u = u + between(-2, 0, 1) * bump(x, between(0.6, 0.8, 1), between(0.05, 0.15, 1))
    there = (between(0, 1, 8) < 0.5).double()
    there[:, 0] = 1
    in_space = bump(x, between(0, 1, 8, 1), between(0.1, 0.4, 8, 1))
    in_time = 2 * bump(t, between(0, 1, 8, 1), between(0.1, 0.4, 8, 1))
    u[:, [0, -1]] = 0
    return u, torch.einsum("sk,skt,skx->stx", there * between(-1.5, 1.5, 8), in_time, in_space)


def trained(steps: int, seed: int) -> tuple[WDNO, Tensor, float]:
    """Return a model of (u, f), the test trajectories "sample frame field point", and the CPU seconds of training."""
    start, forcing = drawn(sum(COUNTS), torch.Generator().manual_seed(seed))
    u = torch.cat((start[:, None], march(start, forcing, FINE)), 1)
    both = torch.stack((u, torch.nn.functional.pad(forcing, (0, 0, 1, 0))), 2)  # the first frame has no forcing
    splits = both.split(COUNTS)
    data = from_arrays(
        *[part.numpy() for part in splits],
        dt=HORIZON / FRAMES,
        extent=(1.0,),
        fields=["u", "f"],
        layout=["nodes"],
        loading=Loading(batch_size=16, seed=seed),
    )
    torch.manual_seed(seed)
    model = WDNO(data.problem, partial(UNet, width=16, multipliers=(1, 2)))
    data.set_window(*model.window)
    model.calibrate(data.calibration_batches())
    settings = Training(steps=steps, lr=4e-3, ema=0.98, validate_every=steps, checkpoint_every=steps)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        fit(model, data, settings, Engine(), Path(folder), seed=seed, progress=False)
    return model.eval(), splits[2], time.process_time() - began


def steered(model: WDNO, test: Tensor, strength: float) -> Tensor:
    """Return the forcing of one sample for each case."""
    target = test[:, -1, 0]
    given = Trajectory(u=test[:, :1], t=torch.zeros(len(test), 1).double(), index=torch.arange(len(test)))

    def objective(u: Tensor) -> Tensor:
        missed = (u[:, -1, 0] - target).square().sum(1)
        return missed + ENERGY * u[:, :, 1].square().sum((1, 2)) / FRAMES

    found = model.steered(given, objective, strength, generator=torch.Generator().manual_seed(0)).double()
    return found[:, :, 1]


def by_gradient(test: Tensor, iterations: int) -> Tensor:
    """Return the forcings that L-BFGS finds through the solver, all cases at once."""
    start, target = test[:, 0, 0], test[:, -1, 0]
    forcing = torch.zeros(len(test), FRAMES, STORED + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([forcing], max_iter=iterations, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        missed = (march(start, forcing, COARSE)[:, -1] - target).square().sum()
        loss = missed + ENERGY * forcing.square().sum() / FRAMES
        loss.backward()
        return loss

    optimiser.step(closure)
    return forcing.detach()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--iterations", type=int, default=20)
    chosen = parser.parse_args()
    model, test, seconds = trained(chosen.steps, chosen.seed)
    test = test[: chosen.cases].double()
    print(f"training: {seconds:.0f} CPU s\n\n| control | final state | energy | CPU s a case |", flush=True)
    print("|---|---|---|---|")

    def row(name: str, control: Callable[[], Tensor]) -> None:
        began = time.process_time()
        forcing = control()
        cost = (time.process_time() - began) / len(test)
        missed = (march(test[:, 0, 0], forcing, FINE)[:, -1] - test[:, -1, 0]).square().mean(1)
        energy = forcing.square().mean((1, 2))
        middle, largest = float(missed.median()), float(missed.max())
        print(f"| {name} | {middle:.2g} ({largest:.2g}) | {float(energy.median()):.2g} | {cost:.2g} |", flush=True)

    row("none", lambda: torch.zeros_like(test[:, 1:, 1]))
    row("the forcing that made the target", lambda: test[:, 1:, 1])
    for strength in STRENGTHS:
        row(f"WDNO, strength {strength:g}", lambda strength=strength: steered(model, test, strength))
    row(f"gradient through the solver, {chosen.iterations} iterations", lambda: by_gradient(test, chosen.iterations))


if __name__ == "__main__":
    main()
