"""Probabilistic steppers of Kuramoto-Sivashinsky at equal CPU time of training.

    OMP_NUM_THREADS=1 python experiments/probabilistic/study.py data.npz scores.json [--seconds 15] [--seeds 0] \
        [--methods U-Net ...] [--length 32 --points 64]

Makes the data if the first file does not exist, trains each method for about so many CPU seconds, adds its scores to
the second file and prints the table of the README.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor

from pdekit.data.arrays import from_arrays
from pdekit.data.loading import Loading
from pdekit.fields import Grid, Problem
from pdekit.metrics.correlation import correlation
from pdekit.metrics.ensembles import crps, skill, spread
from pdekit.metrics.horizons import correlation_time_first_crossing
from pdekit.models.base import Stepper
from pdekit.models.bridge import InterpolantBridge
from pdekit.models.crps_ensemble import CRPSEnsemble
from pdekit.models.one_step import OneStep
from pdekit.models.pde_refiner import PDERefiner
from pdekit.models.residual_diffusion import ResidualDiffusion
from pdekit.nets.unet import UNet
from pdekit.pdes import KuramotoSivashinsky
from pdekit.settings import Engine, Training
from pdekit.solvers import etdrk, integrate
from pdekit.training.module import fit
from pdekit.training.required import train_required

DT = 0.8
SUBSTEPS, WARMUP = 16, 90  # steps of the solver in a frame, frames before the first one
COUNTS, FRAMES = (256, 16, 32), 121  # trajectories for training, validation, test
TESTED = 8  # trajectories of the test split that are forecast
MEMBERS, LEADS = 8, (8.0, 24.0)  # times at which the ensembles are scored
TRIED = 10  # training steps from which the cost of a step is taken
NET = partial(UNet, width=24, multipliers=(1, 2, 4))

METHODS: dict[str, Callable[[Problem], Stepper]] = {
    "U-Net": partial(OneStep, net=NET),
    "PDE-Refiner, K = 3, 6e-4": partial(PDERefiner, net=NET),
    "PDE-Refiner, K = 3, auto": partial(PDERefiner, net=NET, sigma_min="auto"),
    "PDE-Refiner, K = 1, auto": partial(PDERefiner, net=NET, sigma_min="auto", n_refinements=1),
    "PDE-Refiner, K = 3, auto, weights 4 1 1 1": partial(
        PDERefiner, net=NET, sigma_min="auto", level_weights=(4.0, 1.0, 1.0, 1.0)
    ),
    "PDE-Refiner, v, K = 3, auto": partial(PDERefiner, net=NET, sigma_min="auto", variant="v_prediction"),
    "CRPS ensemble, 2 members": partial(CRPSEnsemble, net=NET),
    "residual diffusion of a U-Net": partial(ResidualDiffusion, base=partial(OneStep, net=NET), net=NET),
    "bridge, 4 calls": partial(InterpolantBridge, net=NET, n_calls=4),
}


def made(path: Path, length: float, points: int) -> np.ndarray:
    """Return trajectories "sample time 1 space", solved on twice as many points and kept in a file."""
    if not path.exists():
        generator = torch.Generator().manual_seed(0)
        x = torch.arange(2 * points, dtype=torch.float64) * 2 * math.pi / (2 * points)
        modes = torch.arange(1, 4)[:, None]
        phase = 2 * math.pi * torch.rand(sum(COUNTS), 3, 1, dtype=torch.float64, generator=generator)
        start = 0.5 * torch.cos(modes * x + phase).sum(1, keepdim=True)
        step = etdrk(KuramotoSivashinsky(), Grid((2 * points,), (length,)), DT / SUBSTEPS)
        u = integrate(step, start, FRAMES, substeps=SUBSTEPS, warmup=WARMUP * SUBSTEPS)
        np.savez(path, u=u[..., ::2].numpy())
    return np.load(path)["u"]


def settings(steps: int) -> Training:
    return Training(steps=steps, lr=2e-3, validate_every=steps, validate_batches=1, checkpoint_every=steps)


def cost(model: Stepper, data) -> float:
    """Return the CPU seconds of a training step, from a few steps that are thrown away."""
    batches, optimiser = iter(data.train_dataloader()), torch.optim.AdamW(model.parameters(), lr=0.0)
    seconds = []
    for _ in range(TRIED):
        begin = time.process_time()
        optimiser.zero_grad()
        model.loss(next(batches))[0].backward()
        optimiser.step()
        seconds.append(time.process_time() - begin)
    return median(seconds)


def trained(name: str, u: np.ndarray, length: float, seed: int, seconds: float) -> dict[str, float]:
    """Train one method and return its scores on the test split."""
    splits = np.split(u, np.cumsum(COUNTS)[:-1])
    loading = Loading(batch_size=32, seed=seed)
    data = from_arrays(*splits, dt=DT, extent=(length,), fields=["u"], loading=loading)
    torch.manual_seed(seed)
    model = METHODS[name](data.problem)
    n_stages = 1 + len(model.requires)  # the training of a base counts, too
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for child in model.requires:
            base = model.get_submodule(child)
            data.set_window(*base.window)
            base.calibrate(data.calibration_batches())
            steps = round(seconds / n_stages / cost(base, data))
            train_required(model, data, settings(steps), Engine(), Path(folder), seed)
        data.set_window(*model.window)
        model.calibrate(data.calibration_batches())
        steps = round(seconds / n_stages / cost(model, data))
        outcome = fit(model, data, settings(steps), Engine(), Path(folder) / "own", seed=seed, progress=False)
        if not outcome.finished:
            raise SystemExit(f"{name}: stopped after {outcome.steps} of {steps} steps; its scores are left out")
    spent = time.process_time() - begin
    print(name, *model.findings(), flush=True)
    return {**scores(model.eval(), data), "steps": steps, "training, s": spent}


def scores(model: Stepper, data) -> dict[str, float]:
    batch, problem = data.test.trajectories(range(TESTED)), data.problem
    exact, given, t = batch.u[:, 1:].double(), batch.frames(slice(0, 1)), batch.t[:, 1:]
    members = MEMBERS if model.stochastic else 1
    begin = time.process_time()
    found = model.forecast(given, t, members, torch.Generator().manual_seed(0)).double()
    spent = time.process_time() - begin
    follow = correlation_time_first_crossing(correlation(found[0], exact, problem)[..., 0].numpy(), t.numpy())
    result = {
        "one-step nRMSE": relative(found[0, :, 0] - exact[:, 0], exact[:, 0]),
        "one-step, fine scales": fine(found[0, :, 0] - exact[:, 0], exact[:, 0]),
        "horizon": float(np.median(follow.time)),
        "spectrum at the end": spectrum_error(found[0, :, -1], exact[:, -1]),
        "ms a step and member": 1e3 * spent / (members * exact.shape[0] * exact.shape[1]),
    }
    if members > 1:
        mean = correlation_time_first_crossing(correlation(found.mean(0), exact, problem)[..., 0].numpy(), t.numpy())
        result["horizon of the mean"] = float(np.median(mean.time))
    for lead in LEADS:
        at = slice(round(lead / DT) - 1, round(lead / DT))
        wrong = found[:, :, at] - exact[:, at]
        if members == 1:
            result[f"CRPS at {lead:g}"] = float(wrong.abs().mean())
            continue
        result[f"CRPS at {lead:g}"] = float(crps(found[:, :, at], exact[:, at], problem).mean())
        wide, far = (f(found[:, :, at], exact[:, at], problem).square().mean().sqrt() for f in (spread, skill))
        result[f"spread / skill at {lead:g}"] = float(wide / far)
    return result


def relative(error: Tensor, exact: Tensor) -> float:
    return float((error.square().mean() / exact.square().mean()).sqrt())


def fine(error: Tensor, exact: Tensor) -> float:
    """Return the relative error of the upper half of the wavenumbers that hold energy above 1e-12 of the total."""
    power = torch.fft.rfft(exact).abs().square().mean((0, 1))
    last = int((power > 1e-12 * power.sum()).nonzero().max()) + 1
    wrong = torch.fft.rfft(error).abs().square().mean((0, 1))
    return float((wrong[last // 2 : last].sum() / power[last // 2 : last].sum()).sqrt())


def spectrum_error(u: Tensor, exact: Tensor) -> float:
    """Return the mean of |log10| of the ratio of the energy at each wavenumber that holds more than 1e-6 of it."""
    ours, right = (torch.fft.rfft(v).abs().square().mean((0, 1))[1:] for v in (u, exact))
    held = right > 1e-6 * right.sum()
    return float((ours[held] / right[held]).log10().abs().mean())


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """Return the table of the README: the median over seeds, and their range if there are several."""
    columns = list(max((runs[0] for runs in found.values()), key=len))
    lines = ["| method | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, runs in found.items():
        cells = []
        for column in columns:
            values = sorted(run[column] for run in runs if column in run)
            text = f"{median(values):.3g}" if values else ""
            cells.append(f"{text} ({values[0]:.3g} to {values[-1]:.3g})" if len(values) > 1 else text)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--length", type=float, default=32.0)
    parser.add_argument("--points", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    chosen = parser.parse_args()
    u = made(chosen.data, chosen.length, chosen.points)
    found = json.loads(chosen.scores.read_text()) if chosen.scores.exists() else {}
    for name in chosen.methods:
        for seed in chosen.seeds:
            found.setdefault(name, []).append(trained(name, u, chosen.length, seed, chosen.seconds))
            chosen.scores.write_text(json.dumps(found, indent=1))
    print(table(found))


if __name__ == "__main__":
    main()
