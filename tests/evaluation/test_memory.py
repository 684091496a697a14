"""Memory of a forecast, counted by its tensors."""

import math
from types import SimpleNamespace

import pytest
import torch

from pdekit.evaluation import forecasting
from pdekit.evaluation.baselines import solvers
from pdekit.evaluation.judges import fields as scorer
from pdekit.evaluation.memory import peak_bytes
from pdekit.evaluation.references.continued import Continued
from pdekit.evaluation.settings import KeptForecasts
from pdekit.fields import Grid, Problem, Trajectory
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.baselines.solver import Solver
from pdekit.models.one_step import OneStep
from pdekit.nets.fno import FNO
from pdekit.pdes import NavierStokes2D
from pdekit.pdes.burgers import Burgers
from pdekit.recipes.base import SPLITS
from pdekit.recipes.initial import FilteredVelocity
from pdekit.recipes.trajectories import Recipe
from pdekit.solvers import etdrk, traced
from tests.evaluation.scoring import evaluate


def test_the_peak_of_memory_counts_what_lives_at_once():
    def chain():
        u = torch.zeros(1000, dtype=torch.float64)
        for _ in range(5):
            u = u.view(10, 100).reshape(-1) * 2  # views are no memory, and each result replaces the one before
        u += 1  # in place
        return u

    assert peak_bytes(chain, torch.device("cpu")) == 16_000


def test_memory_of_a_solver_that_is_recorded_while_it_is_watched():
    problem = Problem(Grid((16,), (2 * math.pi,)), Burgers().fields, dt=0.1, n_frames=3, pde=Burgers())
    (solver,) = solvers(problem, (1.0,), (150,))[0].values()
    given = Trajectory(u=torch.sin(problem.grid.coordinates(0)).float().reshape(1, 1, 1, 16), t=torch.zeros(1, 1))
    contender = forecasting.Contender("solver", solver, "solver", 0, 1)
    contender.warm_up(given, torch.full((1, 1), 0.1, dtype=torch.float64))
    assert contender.peak_bytes > 16 * 8


def test_a_step_with_one_number_in_two_places_is_watched(monkeypatch):
    """TorchScript's optimiser compares such numbers by a tensor operation, which cannot be followed."""
    monkeypatch.setattr(traced, "PATIENCE", 2)
    step, u = traced.traced(lambda u: u / 0.25 + u.clamp_min(0) / 0.25), torch.randn(8)
    assert 3 * 32 <= peak_bytes(lambda: [step(u) for _ in range(3)], torch.device("cpu")) <= 6 * 32
    assert torch.equal(step(u), u / 0.25 + u.clamp_min(0) / 0.25)


def peak_of_evaluation(folder, horizon: int) -> int:
    """Of the tensors of an evaluation on 64 x 64 points, the reference beyond what is stored."""
    made = Recipe(
        name="decaying",
        pde=NavierStokes2D(viscosity=0.01),
        grid=Grid((64, 64), (2 * math.pi, 2 * math.pi)),
        initial=FilteredVelocity(peak=4.0, max_velocity=1.0, max_mode=8),
        solver=etdrk,
        dt=0.05,
        n_trajectories=dict.fromkeys(SPLITS, 2),
        n_frames=dict.fromkeys(SPLITS, 2),
        dtype="float32",
    )
    problem, batch = made.problem("test"), made.simulate("test", range(2))
    source = SimpleNamespace(
        problem=problem, n_trajectories=2, read=lambda i, f=slice(None): batch.samples(slice(i, i + 1)).frames(f)
    )
    model = OneStep(problem, lambda **known: FNO(**known, width=2, modes=2, n_layers=1))
    others = {"baselines": {"persistence": Persistence(problem)}, "solvers": {"solver": Solver(problem, 32)}}
    reference = Continued(made, source, horizon + 1)

    def run():
        evaluate(
            {"fno": model},
            source,
            folder,
            **others,
            reference=reference,
            keep=KeptForecasts(n_samples=1),
            progress=False,
            timing_batches=(1,),
        ).close()

    return peak_bytes(run, torch.device("cpu"))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_horizon(tmp_path, monkeypatch):
    monkeypatch.setattr(forecasting, "VALUES", 2**15)  # four frames
    monkeypatch.setattr(scorer, "VALUES", 2**12)  # 32 frames
    peak_of_evaluation(tmp_path, 2)  # tables that are made once and kept, by whichever test comes first
    short, long = (peak_of_evaluation(tmp_path, horizon) for horizon in (48, 184))  # both have a window of statistics
    whole = 136 * 2 * 64 * 64 * 4  # what one model or the reference would take if its frames were kept
    assert long - short < 0.1 * whole, "but for the series at a few points, from which statistics are taken"
    assert short < 2 * whole
