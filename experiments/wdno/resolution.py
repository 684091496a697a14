"""Super-resolution beyond the training grid: Burgers' equation, twice the points, twice the frames, or both.

    OMP_NUM_THREADS=1 python experiments/wdno/resolution.py [--steps 6000] [--seeds 0 1 2]

Training: 32 points and steps of 0.2 until t = 1.6. One WDNO learns this grid, its halvings, and the details that a
coarser trajectory leaves; it then refines its own forecast to grids that it never saw. Next to it: interpolation of the
same forecast, refinement and interpolation of the exact coarse trajectory, and an FNO stepper. Prints the table of the
README.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

import pdekit
from pdekit.calculus.resample import resample
from pdekit.data.arrays import from_arrays
from pdekit.data.loading import Loading
from pdekit.fields import Problem, Trajectory
from pdekit.metrics.pointwise import nrmse
from pdekit.models.base import Surrogate
from pdekit.models.inputs import normalised
from pdekit.models.one_step import OneStep
from pdekit.models.pyramid import with_midpoints
from pdekit.models.resolution import at_resolution
from pdekit.models.super_resolved import SuperResolved
from pdekit.models.wdno import WDNO
from pdekit.nets.fno import FNO
from pdekit.nets.unet import UNet
from pdekit.settings import Engine, Training
from pdekit.training.module import fit

DT, FRAMES, POINTS = 0.2, 8, 32  # of the training
FINEST = 256
COUNTS = (256, 32, 64)  # trajectories for training, validation, test
MEMBERS = 8
PLACES = {"training grid": (0, 0), "2x space": (1, 0), "2x time": (0, 1), "2x both": (1, 1), "4x space": (2, 0)}
METHODS: dict[str, Callable[[Problem], Surrogate]] = {
    "WDNO": partial(WDNO, net=partial(UNet, width=16, multipliers=(1, 2)), resolutions=2),
    "FNO": partial(OneStep, net=partial(FNO, modes=16, width=24, n_layers=4)),
}


def on(u: Tensor, space: int, time: int) -> Tensor:
    """Return trajectories "sample time 1 point" with some doublings of the training's points and frames."""
    return resample(u[:, :: 2 ** (2 - time)].flatten(0, 1), (POINTS << space,)).unflatten(0, (len(u), -1))


def trained(name: str, u: Tensor, seed: int, steps: int) -> tuple[Surrogate, float]:
    """Return a model trained on the coarse data, and the CPU seconds of its training."""
    splits = [part.numpy() for part in on(u, 0, 0).split(COUNTS)]
    loading = Loading(batch_size=16, seed=seed)
    data = from_arrays(*splits, dt=DT, extent=(1.0,), fields=["u"], loading=loading)
    torch.manual_seed(seed)
    model = METHODS[name](data.problem)
    data.set_window(*model.window)
    model.calibrate(data.calibration_batches())
    settings = Training(steps=steps, lr=4e-3, ema=0.98, validate_every=steps, checkpoint_every=steps)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        fit(model, data, settings, Engine(), Path(folder), seed=seed, progress=False)
    return model.eval(), time.process_time() - began


def forecast(model: Surrogate, exact: Tensor, step: float) -> Tensor:
    """Return "member sample time 1 point" at the times after the first frame."""
    n, members = len(exact), MEMBERS if model.stochastic else 1
    t = torch.arange(exact.shape[1], dtype=torch.float64).expand(n, -1) * step
    given = Trajectory(u=exact[:, :1], t=t[:, :1], index=torch.arange(n))
    return model.forecast(given, t[:, 1:], members, torch.Generator().manual_seed(0)).double()


@torch.no_grad()
def from_exact(model: WDNO, exact: Tensor, space: int, time: int, samples: int) -> Tensor:
    """Return "sample time 1 point" from the exact coarse trajectory: interpolated, or a mean of samples of details.

    At most one doubling of each.
    """
    given = Trajectory(u=exact[:, :1], t=torch.zeros(len(exact), 1).double(), index=torch.arange(len(exact)))
    inner = normalised(given, model.normaliser)
    coarse = model.normaliser.encode(exact[:, 1:][:, time :: 1 + time]).to(inner.u)
    coarse = model.pyramid.halved(coarse, space) if space else coarse
    coarser = model.interpolated(inner.u, coarse, bool(time))
    generator = torch.Generator().manual_seed(0)

    def draw(like: Tensor, call: int) -> Tensor:
        return torch.randn(like.shape, generator=generator)

    found = [model.finer(inner.u, inner, coarser, draw) for _ in range(samples)] or [coarser.frames]
    return model.normaliser.decode(torch.stack(found).mean(0)).double()


def stepped(model: Surrogate, exact: Tensor, space: int, time: int) -> Tensor:
    """Return the forecast of a stepper on the finer grid, by its own steps and cubics between them."""
    kept = exact[:, :: 1 + time]
    found = forecast(at_resolution("FNO", model, (POINTS << space,)), kept, DT)
    if not time:
        return found
    return with_midpoints(torch.cat((kept[None, :, :1].expand(len(found), -1, -1, -1, -1), found), 2), 2)[:, :, 1:]


def scores(u: Tensor, seed: int, steps: int) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]:
    """Train both models with one seed; return nRMSE of (row, place) of forecasts, and of refined exact trajectories."""
    wdno, seconds = trained("WDNO", u, seed, steps)
    fno, fno_seconds = trained("FNO", u, seed, steps)
    print(f"seed {seed}: training {seconds:.0f} and {fno_seconds:.0f} CPU-seconds", flush=True)
    found = {}
    for place, (space, time_) in PLACES.items():
        exact = on(u[-COUNTS[2] :], space, time_)
        step = DT / 2**time_
        rows = {}
        for name, interpolate in (("WDNO, details sampled", False), ("WDNO, interpolated", True)):
            forecasts = forecast(SuperResolved(wdno, space, time_, interpolate), exact, step)
            rows[f"{name}, one member"], rows[f"{name}, mean of 8"] = forecasts[0], forecasts.mean(0)
        rows["FNO on that grid"] = stepped(fno, exact, space, time_)[0]
        for row, forecasts in rows.items():
            error = nrmse(forecasts, exact[:, 1:], wdno.problem)
            found[row, place] = float(error.mean())
    return found, refinements(wdno, u[-COUNTS[2] :])


def refinements(model: WDNO, u: Tensor) -> dict[tuple[str, str], float]:
    """Return nRMSE of (row, place) of one doubling of the exact trajectory, to the training grid and beyond it."""
    found = {}
    for kind, (space, time_) in {"space": (1, 0), "time": (0, 1), "both": (1, 1)}.items():
        for place, beyond in (("to the training grid", 0), ("beyond", 1)):
            exact = on(u, space * beyond, time_ * beyond)
            for row, samples in {"interpolated": 0, "details, one sample": 1, "details, mean of 8": 8}.items():
                error = nrmse(from_exact(model, exact, space, time_, samples), exact[:, 1:], model.problem)
                found[row, f"{kind}, {place}"] = float(error.mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=6000)
    chosen = parser.parse_args()
    runs = []
    for seed in chosen.seeds:
        solved = pdekit.solve("burgers", None, 4 * FRAMES + 1, sum(COUNTS), shape=(FINEST,), seed=seed)
        u = torch.from_numpy(solved["u"].values).double()[:, :, None]
        runs.append(scores(u, seed, chosen.steps))
    for part in zip(*runs, strict=True):
        show(part)


def show(runs: Sequence[dict[tuple[str, str], float]]) -> None:
    """Print a table of medians and ranges over the seeds."""
    rows, places = (dict.fromkeys(keys) for keys in zip(*runs[0], strict=True))
    print("\n| nRMSE | " + " | ".join(places) + " |\n|" + "---|" * (len(places) + 1))
    for row in rows:
        values = [sorted(run[row, place] for run in runs) for place in places]
        print(f"| {row} | " + " | ".join(f"{median(v):.2g} ({v[0]:.2g} to {v[-1]:.2g})" for v in values) + " |")


if __name__ == "__main__":
    main()
