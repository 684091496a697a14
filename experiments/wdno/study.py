"""Where a wavelet pays: one net as a model of wavelet bands, Fourier coefficients, point values, steps.

    OMP_NUM_THREADS=1 python experiments/wdno/study.py [--seeds 0 1 2] [--steps 200] [--data smooth shock tube]

Profiles travel a quarter of a periodic box in eight frames on 32 points: sums of three sines (smooth), or a square wave
of random place, width and height (shock). Tubes of gas: density, velocity and pressure of two random states side by
side, exactly, with a shock, a contact and a rarefaction. Prints the tables of the README.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from pdekit.data.arrays import from_arrays
from pdekit.data.loading import Loading
from pdekit.fields import Problem
from pdekit.metrics.pointwise import nrmse
from pdekit.models.base import Surrogate
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.one_step import OneStep
from pdekit.models.wdno import WDNO
from pdekit.nets.fno import FNO
from pdekit.nets.unet import UNet
from pdekit.pdes.exact_riemann import exact_riemann
from pdekit.settings import Engine, Training
from pdekit.training.module import fit

POINTS, FRAMES, MEMBERS = 32, 9, 8
ROUNDING = 1e-10  # of the energy, in float32
COUNTS = (256, 32, 64)  # trajectories for training, validation, test
NET = partial(UNet, width=16, multipliers=(1, 2))

METHODS: dict[str, Callable[[Problem], Surrogate]] = {
    "flow, Haar bands": partial(WDNO, net=NET),
    "flow, point values": partial(WDNO, net=NET, wavelet=None),
    "flow, Fourier coefficients": partial(WDNO, net=NET, wavelet="fourier"),
    "diffusion, Haar bands": partial(WDNO, net=NET, path="diffusion"),
    "U-Net, one step by regression": partial(OneStep, net=NET),
    "FNO, one step by regression": partial(OneStep, net=partial(FNO, modes=8, width=24, n_layers=4)),
}


def profiles(kind: str, generator: torch.Generator) -> Tensor:
    """Return travelling profiles "sample time 1 space", or tubes of gas "sample time 3 space"."""
    if kind == "tube":
        return torch.stack([tube(generator) for _ in range(sum(COUNTS))])

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, dtype=torch.float64, generator=generator)

    n = sum(COUNTS)
    place = torch.arange(POINTS, dtype=torch.float64) / POINTS
    x = place - torch.linspace(0, 0.25, FRAMES, dtype=torch.float64)[:, None]  # "time space"
    if kind == "smooth":
        modes, phase, height = torch.arange(1, 4), uniform(n, 1, 1, 3), 0.5 + uniform(n, 1, 1, 3)
        u = (height * torch.sin(2 * math.pi * (modes * x[None, ..., None] + phase))).sum(-1)
    else:
        inside = (x + uniform(n, 1, 1)) % 1 < 0.2 + 0.4 * uniform(n, 1, 1)
        u = (0.5 + uniform(n, 1, 1)) * inside
    return u[:, :, None]


def tube(generator: torch.Generator) -> Tensor:
    """Return one tube of gas, "time 3 space", from t = 0 to 0.2; the ranges are those of the dataset `euler_1d`."""
    drawn = torch.rand(7, dtype=torch.float64, generator=generator).tolist()
    states = [(0.2 + 1.8 * drawn[i], drawn[i + 1] - 0.5, 0.2 + 1.8 * drawn[i + 2]) for i in (0, 3)]
    x = (torch.arange(POINTS, dtype=torch.float64) + 0.5) / POINTS - 0.4 - 0.2 * drawn[6]
    t = torch.linspace(0, 0.2, FRAMES, dtype=torch.float64)[:, None].clamp_min(1e-9)
    return torch.stack(exact_riemann(states[0], states[1], x / t), 1)


def described(kind: str) -> dict:
    """Return the options of `from_arrays` for the data of a kind."""
    if kind == "tube":
        return {"dt": 0.025, "extent": (1.0,), "fields": ["density", "velocity", "pressure"], "layout": ["cells"]}
    return {"dt": 1.0, "extent": (1.0,), "fields": ["u"]}


def fine_error(found: Tensor, exact: Tensor) -> float:
    """Return the relative rms error of the upper half of the wavenumbers, NaN where the exact field has none."""
    high = slice(POINTS // 4, None)
    wrong, right = (torch.fft.rfft(u)[..., high].abs().square().sum() for u in (found - exact, exact))
    return float((wrong / right).sqrt()) if right > ROUNDING * exact.square().sum() else math.nan


def trained(method: Callable[[Problem], Surrogate], kind: str, seed: int, steps: int) -> dict[str, float]:
    """Train one method and return its scores on the test split."""
    u = profiles(kind, torch.Generator().manual_seed(1000 + seed))
    splits = [part.numpy() for part in u.split(COUNTS)]
    data = from_arrays(*splits, **described(kind), loading=Loading(batch_size=16, seed=seed))
    torch.manual_seed(seed)
    model = method(data.problem)
    data.set_window(*model.window)
    model.calibrate(data.calibration_batches())
    settings = Training(steps=steps, lr=4e-3, ema=0.98, validate_every=steps, checkpoint_every=steps)
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        fit(model, data, settings, Engine(), Path(folder), seed=seed, progress=False)
    seconds = time.process_time() - begin
    return {**scores(model.eval(), data), "seconds": seconds}


def scores(model: Surrogate, data) -> dict[str, float]:
    batch = data.test.trajectories(range(COUNTS[2]))
    exact, given = batch.u[:, 1:], batch.frames(slice(0, 1))
    members = MEMBERS if model.stochastic else 1
    found = model.forecast(given, batch.t[:, 1:], members, torch.Generator().manual_seed(0)).double()
    return {
        "one member": float(nrmse(found[0], exact, data.problem).mean()),
        "mean of 8": float(nrmse(found.mean(0), exact, data.problem).mean()),
        "fine scales": fine_error(found[0], exact),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--data", nargs="+", default=["smooth", "shock", "tube"], choices=["smooth", "shock", "tube"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    chosen = parser.parse_args()
    for kind in chosen.data:
        columns = ("one member", "mean of 8", "fine scales", "seconds")
        print(f"\n### {kind}\n\n| method | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1), flush=True)
        u = profiles(kind, torch.Generator().manual_seed(1000))
        data = from_arrays(*[part.numpy() for part in u.split(COUNTS)], **described(kind))
        still = scores(Persistence(data.problem), data)
        cells = [f"{still[column]:.2g}" if column in still else "" for column in columns]
        print(f"| persistence | {' | '.join(cells)} |", flush=True)
        for name in chosen.methods:
            runs = [trained(METHODS[name], kind, seed, chosen.steps) for seed in chosen.seeds]
            cells = []
            for column in columns:
                values = sorted(run[column] for run in runs)
                cells.append(f"{median(values):.2g} ({values[0]:.2g} to {values[-1]:.2g})")
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
