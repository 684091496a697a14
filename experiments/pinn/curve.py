"""Error of a PINN against CPU time, one thread.

    python experiments/pinn/curve.py PROBLEM SEED [budget=SECONDS] [name=VARIANT] [picture=PATH] [key=value ...]

Trains one of problems.yaml (further key=value as on the command line of pdekit.train) and appends rows to
results/curves.csv: the relative L2 error over all space and time against a float64 reference on the grid of the data,
whose own error (half the step; finer grid) is printed and stored first; of an inverse problem also the largest relative
error of the unknown parameters. The time of the evaluations is not counted.
"""

from __future__ import annotations

import contextlib
import csv
import sys
import tempfile
import time
from pathlib import Path

import torch
import yaml
from hydra import compose, initialize_config_dir
from lightning.pytorch import LightningDataModule
from omegaconf import OmegaConf
from pictures import draw

from pdekit import machine
from pdekit.cli.command_line import CONFIGS
from pdekit.fields import Trajectory
from pdekit.models.pinn import PINN
from pdekit.models.stages import Stage
from pdekit.plain import from_plain
from pdekit.recipes.instance import instance_from
from pdekit.recipes.trajectories import Recipe
from pdekit.settings import Engine, Training
from pdekit.simulators.base import Refinement, collected
from pdekit.train import register_training
from pdekit.training.module import fit

HERE = Path(__file__).parent
ADAM_STEPS = 100  # between rows
EVERY_STEP = 30  # of the second stage, then every fourth has a row: looking takes as long as a fifth of a step
COLUMNS = (
    "problem",
    "variant",
    "seed",
    "stage",
    "step",
    "cpu_seconds",
    "error",
    "min_weight",
    "unknown_error",
    "reference_error",
)
ENDLESS = ("training.steps=100500", "model.second.steps=100000")  # after 500 of Adam; the budget ends it
OWN = ("budget", "name", "picture")


class Spent(Exception):
    """The budget of CPU time is used up."""


class Watch:
    """Writes rows while a model trains."""

    def __init__(self, labels: dict, reference: torch.Tensor, t: torch.Tensor, budget: float):
        self.labels, self.reference, self.t, self.budget = labels, reference, t, budget
        self.began, self.rows = time.process_time(), []

    def look(self, model: PINN, stage: str, step: int) -> None:
        now = time.process_time()
        u = model.solution.frames(self.t).to(self.reference)
        error = float((u - self.reference).norm() / self.reference.norm())
        row = {"stage": stage, "step": step, "cpu_seconds": round(now - self.began, 1), "error": f"{error:.4g}"}
        row["min_weight"] = f"{float(model.cloud.causal.min()):.3g}"
        unknown = {} if model.unknowns is None else model.unknowns.values()
        true = model.problem.pde
        wrong = [abs(float(value) / getattr(true, name) - 1) for name, value in unknown.items()]
        row["unknown_error"] = f"{max(wrong):.3g}" if wrong else ""
        self.rows.append(self.labels | row)
        print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
        self.began += time.process_time() - now
        if now - self.began > self.budget:
            raise Spent


class WatchedPINN(PINN):
    """A PINN that is looked at before some of its steps."""

    def before_step(self, stage: Stage, step: int) -> None:
        due = step % ADAM_STEPS if stage.name.startswith("adam") else step > EVERY_STEP and step % 4
        if not due:
            self.watch.look(self, stage.name, step)
        super().before_step(stage, step)


class OneTrajectory(LightningDataModule):
    def __init__(self, batch: Trajectory):
        super().__init__()
        self.batch = batch

    def val_dataloader(self):
        return torch.utils.data.DataLoader([0], collate_fn=lambda _: self.batch)


def reference_of(recipe: Recipe) -> tuple[torch.Tensor, float]:
    """The reference, "time channel *space" in float64, and its own relative error."""
    draws, n = [recipe.draw("test", 0)], recipe.n_frames["test"]
    u, finer = (
        collected(recipe.simulator.march(draws, recipe.grid, refinement), n)[0]
        for refinement in (Refinement(), Refinement(space=1.5, time=2.0))
    )
    return u[0], float((u - finer).norm() / u.norm())


def finished(path: Path) -> set[tuple[str, str, str]]:
    """(problem, variant, seed) of the runs whose rows are written."""
    with path.open(newline="") as lines:
        return {(row["problem"], row["variant"], row["seed"]) for row in csv.DictReader(lines)}


def configuration(problem: str, overrides: list[str]) -> dict:
    """Return what pdekit.train would run."""
    register_training()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return OmegaConf.to_container(compose("train", ["model=pinn", *overrides]), resolve=True)


def main(arguments: list[str]) -> None:
    problem, seed, *rest = arguments
    path = HERE / "results" / "curves.csv"
    known = yaml.safe_load((HERE / "problems.yaml").read_text())[problem]
    own = {key: next((a.partition("=")[2] for a in rest if a.startswith(f"{key}=")), None) for key in OWN}
    rest = [a for a in rest if a.partition("=")[0] not in OWN]
    if path.exists() and (problem, own["name"] or "default", seed) in finished(path):
        print(f"{' '.join(arguments)}: its rows stand in {path.name} already")
        return
    config = configuration(problem, [*ENDLESS, *known["overrides"], *rest])
    recipe = instance_from(config["data"], config["instance"])
    machine.prepare()
    torch.set_num_threads(1)
    reference, own_error = reference_of(recipe)
    print(f"{problem}: reference {tuple(reference.shape)}, its own error {own_error:.1e}")
    torch.manual_seed(int(seed))
    options = from_plain({**config["model"], "_partial_": True}).keywords
    model = WatchedPINN(recipe.problem("test"), **options)
    t = torch.arange(len(reference), dtype=torch.float64) * recipe.dt
    batch = Trajectory(reference[None].float(), t[None])
    model.calibrate([batch])
    labels = {"problem": problem, "variant": own["name"] or "default", "seed": seed}
    labels["reference_error"] = f"{own_error:.1e}"
    model.watch = Watch(labels, reference, t, float(own["budget"] or known["budget"]))
    settings = Training(**{**config["training"], "validate_every": 10**9, "checkpoint_every": 10**9})
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Spent):
        fit(model, OneTrajectory(batch), settings, Engine(threads=1), Path(folder), int(seed), progress=False)
        last = model.stages(settings)[-1]
        model.watch.look(model.double(), last.name, last.steps)
    path.parent.mkdir(exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerows(model.watch.rows)
    if own["picture"]:
        draw(model, recipe, Path(own["picture"]))


if __name__ == "__main__":
    main(sys.argv[1:])
