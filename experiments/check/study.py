"""Properties that small surrogates learn, and properties that are built in: one table of verdicts for each dataset.

    OMP_NUM_THREADS=1 python experiments/check/study.py [--seeds 0 1 2] [--steps 300] [--data ks advection]
        [--methods FNO U-Net PDE-Refiner]

Datasets are those of pdekit on 64 points: 48 training trajectories of 21 frames, an eighth of the solver's steps. Each
method takes the same number of steps of 16 windows. A cell is the verdict of each seed (P pass, F fail, ? cannot say)
and the median over seeds of the median share; see docs/check.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from pdekit.checks.catalogue import rows_of
from pdekit.checks.ground import Forecaster
from pdekit.checks.run import Finding, run_check
from pdekit.data.arrays import Arrays
from pdekit.data.loading import Loading
from pdekit.data.module import DataModule
from pdekit.fields import Problem
from pdekit.models.base import Surrogate
from pdekit.models.one_step import OneStep
from pdekit.models.pde_refiner import PDERefiner
from pdekit.nets.fno import FNO
from pdekit.nets.unet import UNet
from pdekit.recipes.base import SPLITS, BaseRecipe
from pdekit.settings import Engine, Training
from pdekit.simulate import recipe_named
from pdekit.training.module import fit
from pdekit.workflows.check_run import CheckSettings, ground_of

COUNTS = {"train": 48, "valid": 4, "test": 8}
FRAMES = 21
METHODS: dict[str, Callable[[Problem], Surrogate]] = {
    "FNO": partial(OneStep, net=partial(FNO, modes=16, width=16, n_layers=3)),
    "U-Net": partial(OneStep, net=partial(UNet, width=12, multipliers=(1, 2))),
    "PDE-Refiner": partial(PDERefiner, net=partial(UNet, width=12, multipliers=(1, 2))),
}


def small(name: str) -> BaseRecipe:
    """A dataset on 64 points."""
    recipe = recipe_named(name)
    return dataclasses.replace(
        recipe,
        grid=recipe.grid.resized((64,)),
        solver_shape=None,
        substeps=max(1, recipe.substeps // 8),
        n_trajectories=COUNTS,
        n_frames=dict.fromkeys(SPLITS, FRAMES),
    )


def checked(method: str, recipe: BaseRecipe, data: DataModule, seed: int, steps: int) -> list[Finding]:
    """Train a method and ask all rows."""
    torch.manual_seed(seed)
    model = METHODS[method](data.problem)
    data.set_window(*model.window)
    model.calibrate(data.calibration_batches())
    settings = Training(steps=steps, lr=3e-3, ema=0.98, validate_every=steps, checkpoint_every=steps)
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        fit(model, data, settings, Engine(threads=1), Path(folder), seed, progress=False)
        trained = time.process_time()
        ground = ground_of(model.window[0], data, recipe, CheckSettings())
        found = run_check(Forecaster(method, model.eval(), members=4, seed=seed), ground, rows_of(data.problem))
    print(f"{method}: {trained - began:.0f} CPU-s of training, {time.process_time() - trained:.0f} of the check")
    return found


def cell(findings: list[Finding]) -> str:
    """The verdicts of all seeds, and the median share."""
    letters = "".join({"PASS": "P", "FAIL": "F"}.get(one.verdict.verdict, "?") for one in findings)
    shares = [one.verdict.share[1] for one in findings if one.verdict.share[1] == one.verdict.share[1]]
    return f"{letters} {statistics.median(shares):.2g}" if shares else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--data", nargs="+", default=["ks", "advection"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    chosen = parser.parse_args()
    for name in chosen.data:
        recipe = small(name)
        sources = [Arrays(recipe.problem(split), recipe.simulate(split, range(COUNTS[split]))) for split in SPLITS]
        data = DataModule(*sources, Loading(batch_size=16))
        found = {
            method: [checked(method, recipe, data, seed, chosen.steps) for seed in chosen.seeds]
            for method in chosen.methods
        }
        print(f"\n### {name}\n\n| row | {' | '.join(found)} |\n|{'---|' * (len(found) + 1)}")
        for place, row in enumerate(next(iter(found.values()))[0]):
            cells = [cell([findings[place] for findings in runs]) for runs in found.values()]
            if any(cells):
                print(f"| `{row.row}` | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
