"""Checks of small surrogates, with their rollout horizons: one ``check.json`` for each dataset, method and seed.

    OMP_NUM_THREADS=1 python experiments/check/study.py RESULTS [--seeds 0 1 2] [--data ks burgers]
        [--methods FNO U-Net]
    python experiments/check/page.py RESULTS > experiments/check/tables.md

Results that exist are kept, so that a stopped study goes on where it stopped. Methods that call a net many times for a
step are trained with the first seed only. Datasets are those of pdekit on few points, with an eighth of the solver's
steps. Each method takes the same number of steps. The rows are asked of the first half of the test trajectories. The
error of a step and the horizon are taken from the second half, which no row sees.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from functools import cache, lru_cache
from pathlib import Path

import torch
from methods import IN_TIME, MANY_CALLS, METHODS, STEADY

from pdekit.checks.base import CheckRow
from pdekit.checks.catalogue import chosen_rows
from pdekit.checks.ground import Forecaster, Ground
from pdekit.checks.output import write_findings
from pdekit.checks.run import run_check
from pdekit.data.arrays import Arrays
from pdekit.data.loading import Loading
from pdekit.data.module import DataModule
from pdekit.metrics.horizons import valid_time_first_crossing
from pdekit.models.base import Surrogate
from pdekit.recipes.base import SPLITS, BaseRecipe
from pdekit.settings import Engine, Training
from pdekit.simulate import recipe_named
from pdekit.training.module import fit
from pdekit.training.required import train_required
from pdekit.workflows.check_run import CheckSettings, ground_of

COUNTS = {"train": 48, "valid": 4, "test": 16}
TESTED = 8
FRAMES = {1: 41, 2: 21}
POINTS = {1: 64, 2: 32}
BATCH = {1: 16, 2: 4}
SHAPES = {"kolmogorov": (36, 36), "shallow_water": (24, 24), "darcy": (29, 29)}
SUBSTEPS = {"kolmogorov": 4}
"""Steps of the solver in a frame, where an eighth of the dataset's is too few."""
DATA = ("ks", "burgers", "kolmogorov", "shallow_water", "darcy", "e_flow")
STEPS = {1: 300, 2: 200}
"""Training steps by the number of axes."""
LEFT_OUT: dict[int, tuple[str, ...]] = {1: (), 2: ("uncertainty.", "time.long")}
"""Rows that take too long on two axes."""
THRESHOLD = 0.4
"""Error, in deviations of the fields, at which a horizon ends."""
MEMBERS = 2


def small(name: str) -> BaseRecipe:
    """A dataset on few points."""
    recipe = recipe_named(name)
    ndim = recipe.grid.ndim
    grid = recipe.grid.resized(SHAPES.get(name, (POINTS[ndim],) * ndim))
    if recipe.problem("train").steady:
        return dataclasses.replace(recipe, grid=grid, n_trajectories=COUNTS)
    return dataclasses.replace(
        recipe,
        grid=grid,
        solver_shape=None,
        substeps=SUBSTEPS.get(name, max(1, recipe.substeps // 8)),
        n_trajectories=COUNTS,
        n_frames=dict.fromkeys(SPLITS, FRAMES[ndim]),
    )


class Prepared:
    """A dataset with everything of a check that does not depend on the method.

    Args:
        name: name of the dataset.
    """

    def __init__(self, name: str):
        recipe = small(name)
        made = {split: recipe.simulate(split, range(COUNTS[split])) for split in SPLITS}
        train, valid, test = (Arrays(recipe.problem(split), made[split]) for split in SPLITS)
        halves = [Arrays(test.problem, made["test"].samples(part)) for part in (slice(TESTED), slice(TESTED, None))]
        self.steady = test.problem.steady
        loading = Loading(batch_size=BATCH[recipe.grid.ndim])
        self.data = DataModule(train, valid, halves[0], loading)
        held = DataModule(train, valid, halves[1], loading)
        alone = CheckSettings(against="data", n_states=TESTED, horizon=1 if self.steady else FRAMES[recipe.grid.ndim])
        self.ground = ground_of(1, self.data, recipe, CheckSettings(long=30))
        self.rollouts = ground_of(1, held, None, alone)
        self.steps = ground_of(1, held, None, dataclasses.replace(alone, n_states=5 * TESTED, horizon=1))
        rows = chosen_rows(test.problem, None, stochastic=False)
        left_out = ("engineering.device", *LEFT_OUT[recipe.grid.ndim])
        self.rows = [remembering(row, self.ground) for row in rows if not row.name.startswith(left_out)]

    def fresh(self) -> Ground:
        """The states of the check, without forecasts of surrogates."""
        return dataclasses.replace(self.ground, kept={}, kept_members={})

    def scores(self, forecaster: Forecaster) -> dict:
        """The median error of a step, and the horizon of each trajectory in frames, without the last frame's limit."""
        with torch.no_grad():
            one = error(forecaster, self.steps)[:, 0]
            if self.steady:
                return {"step_error": float(one.median())}
            errors = error(forecaster, self.rollouts)
        found = valid_time_first_crossing(errors.numpy(), torch.arange(1, errors.shape[1] + 1).numpy(), THRESHOLD)
        return {
            "step_error": float(one.median()),
            "horizon": found.time.tolist(),
            "longest": errors.shape[1],
        }


def error(forecaster: Forecaster, ground: Ground) -> torch.Tensor:
    """The error of each frame in deviations of the fields, "state time"."""
    frames = ground.frames(forecaster, ground.horizon)
    return torch.stack([ground.distance(frames[:, n], ground.reference[:, n]) for n in range(ground.horizon)], 1)


def remembering(row: CheckRow, ground: Ground) -> CheckRow:
    """The same row, which asks the solver only once for all methods."""
    if row.floor is not None or ground.solver is None:
        return row
    solver = ground.solver

    @lru_cache(maxsize=1)
    def found() -> torch.Tensor:
        return row.value(solver, ground)

    return dataclasses.replace(row, floor=lambda _: found())


def trained(method: str, data: DataModule, seed: int, steps: int, folder: Path) -> Surrogate:
    """Train a method, and what it requires before it."""
    torch.manual_seed(seed)
    model = METHODS[method](data.problem)
    settings = Training(steps=steps, lr=3e-3, ema=0.98, validate_every=steps, checkpoint_every=steps)
    for required in model.requires:
        base = model.get_submodule(required)
        data.set_window(*base.window)
        base.calibrate(data.calibration_batches())
        train_required(model, data, settings, Engine(threads=1), folder, seed)
    data.set_window(*model.window)
    model.calibrate(data.calibration_batches())
    if model.stages(settings):
        fit(model, data, settings, Engine(threads=1), folder / "own", seed, progress=False)
    return model.eval()


@cache
def prepared(name: str) -> Prepared:
    """A dataset, made once."""
    return Prepared(name)


def study(name: str, method: str, seed: int, path: Path) -> None:
    """Train, check, score, and write the file; a method that refuses the problem writes nothing."""
    here = prepared(name)
    steps = STEPS[here.data.problem.ndim]
    began = time.process_time()
    try:
        with tempfile.TemporaryDirectory() as folder:
            model = trained(method, here.data, seed, steps, Path(folder))
    except ValueError as refusal:
        print(f"{name}, {method}: refused: {refusal}", flush=True)
        return
    seconds = {"training": time.process_time() - began}
    forecaster = Forecaster(method, model, members=MEMBERS if model.stochastic else 1, seed=seed)
    began = time.process_time()
    findings = run_check(forecaster, here.fresh(), here.rows)
    seconds["check"] = time.process_time() - began
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"data": name, "method": method, "seed": seed, "steps": steps, "seconds": seconds}
    write_findings(path, findings, about | here.scores(forecaster))
    print(name, method, seed, {key: round(value, 1) for key, value in seconds.items()}, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", nargs="+", default=list(DATA))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    chosen = parser.parse_args()
    for many_calls in (False, True):  # methods of many calls last, once
        for seed in chosen.seeds[:1] if many_calls else chosen.seeds:
            for name in chosen.data:
                for method in STEADY if prepared(name).steady else IN_TIME:
                    path = chosen.results / name / f"{method.replace(' ', '_').replace(',', '')}-{seed}.json"
                    if method in chosen.methods and (method in MANY_CALLS) == many_calls and not path.is_file():
                        study(name, method, seed, path)


if __name__ == "__main__":
    main()
