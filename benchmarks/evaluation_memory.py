"""Memory of an evaluation over a long horizon, with the reference computed along with the forecasts.

    python benchmarks/evaluation_memory.py [--quick] [--trajectories 64] [--frames 1000] [--points 64]

Forced turbulence, a small FNO, persistence, the mean and a solver on half the grid; every measure of the catalogue.
It prints the most memory that the process has held before and after (with all libraries), and its
processor time.
"""

from __future__ import annotations

import argparse
import math
import resource
import tempfile
import time
from pathlib import Path

from pdekit import machine

machine.prepare()

import torch  # noqa: E402

from pdekit.evaluation.loop import judge_models  # noqa: E402
from pdekit.evaluation.references.choose import reference_for  # noqa: E402
from pdekit.evaluation.setup import Context, Models, Sampling, Scoring  # noqa: E402
from pdekit.fields import Grid, Trajectory  # noqa: E402
from pdekit.models.baselines.mean import Mean  # noqa: E402
from pdekit.models.baselines.persistence import Persistence  # noqa: E402
from pdekit.models.baselines.solver import Solver  # noqa: E402
from pdekit.models.one_step import OneStep  # noqa: E402
from pdekit.nets.fno import FNO  # noqa: E402
from pdekit.pdes import NavierStokes2D  # noqa: E402
from pdekit.recipes.base import SPLITS  # noqa: E402
from pdekit.recipes.initial import FilteredVelocity  # noqa: E402
from pdekit.recipes.trajectories import Recipe  # noqa: E402
from pdekit.solvers import etdrk  # noqa: E402


class Starts:
    """The first frames of a recipe's test split, in memory."""

    def __init__(self, recipe: Recipe):
        self.problem, self.n_trajectories = recipe.problem("test"), recipe.n_trajectories["test"]
        self.batch = recipe.simulate("test", range(self.n_trajectories))

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        return self.batch.samples(slice(trajectory, trajectory + 1)).frames(frames)


def peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(trajectories: int, frames: int, points: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    recipe = Recipe(
        name="turbulence",
        pde=NavierStokes2D(viscosity=0.01, forcing=1.0, wavenumber=4, drag=0.1),
        grid=Grid((points, points), (2 * math.pi, 2 * math.pi)),
        initial=FilteredVelocity(peak=4.0, max_velocity=3.0, max_mode=16),
        solver=etdrk,
        dt=0.06,
        substeps=2,
        n_trajectories=dict.fromkeys(SPLITS, trajectories),
        n_frames=dict.fromkeys(SPLITS, 3),
        dtype="float32",
    )
    source = Starts(recipe)
    fno = OneStep(source.problem, lambda **known: FNO(**known, width=4, modes=4, n_layers=1))
    mean = Mean(source.problem)
    for model in (fno, mean):
        model.calibrate([source.batch])
    before, began = peak_mebibytes(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        solver = {"solver": Solver(source.problem, points // 2, 0.06)}
        rows = Models({"fno": fno}, {"persistence": Persistence(source.problem), "mean": mean}, solver)
        reference, sampling = reference_for(source, recipe, frames + 1), Sampling(horizon=frames)
        judge_models(rows, reference, folder, sampling, Scoring(), Context(), progress=False).close()
        written = (Path(folder) / "scores.nc").stat().st_size / 2**20
    print(
        f"{trajectories} trajectories, {frames} frames, {points} x {points}: {before:.0f} MiB before, "
        f"{peak_mebibytes():.0f} MiB at most, {written:.0f} MiB of scores, {time.process_time() - began:.0f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 trajectories, 10 frames, 48 points: seconds")
    parser.add_argument("--trajectories", type=int, default=64)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--points", type=int, default=64, help="along an axis, at least 36")
    options = parser.parse_args()
    measure(*((2, 10, 48) if options.quick else (options.trajectories, options.frames, options.points)))


if __name__ == "__main__":
    main()
