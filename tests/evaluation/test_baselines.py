"""What a surrogate has to beat."""

import json
import math

import pytest
import torch
import xarray as xr

from pdekit.data.module import DataModule
from pdekit.evaluation.baselines import baselines, solvers
from pdekit.evaluation.run import Origin, evaluate_models
from pdekit.evaluation.settings import Evaluation
from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.pdes import Advection
from pdekit.simulate import recipe_named
from tests.evaluation.waves import PROBLEM, Waves


def test_solvers_of_both_precisions(tmp_path):
    problem = Problem(Grid((16,), (2 * math.pi,)), Advection().fields, dt=0.1, n_frames=3, pde=Advection())
    found, _ = solvers(problem, (1.0,), (1, 2), ("float32", "float64"))
    assert list(found) == [
        "solver 16, dt 0.1, float32", "solver 16, dt 0.1", "solver 16, dt 0.05, float32", "solver 16, dt 0.05",
    ]  # fmt: skip
    assert [model.precision for model in found.values()] == 2 * ["float32", "float64"]


def test_what_a_solver_is_called_is_true_where_the_step_varies():
    pde, grid = Advection(), Grid((16,), (2 * math.pi,))
    problem = Problem(grid, pde.fields, dt=0.1, n_frames=3, params=("dt",), pde=pde)
    (name,), (solver,) = zip(*solvers(problem, (1.0,), (4,))[0].items(), strict=True)
    assert name == "solver 16, dt ≤ 0.025"
    far = torch.tensor([[0.2]], dtype=torch.float64)  # frames twice as far apart as the nominal ones
    assert solver.prepare(far, torch.zeros(1, 1, 16)).substeps == 8


@pytest.mark.parametrize("name", ["cavity", "shallow_water"])
def test_a_solver_that_divides_its_step_states_a_bound(name):
    """The projection takes steps of a Courant number, a finite volume solver those that are stable, within each dt."""
    recipe = recipe_named(name)
    found, absent = solvers(recipe.problem("test"), (1.0,), (1, 2), simulator=recipe.simulator)
    assert not absent and len(found) == 2 and all(", dt ≤ " in row for row in found)


def test_the_recipes_solver_steps_by_the_frames_of_the_data():
    recipe = recipe_named("advection")  # frames 0.02 apart
    grid = Grid((32,), (1.0,))
    problem = Problem(grid, recipe.pde.fields, dt=0.05, n_frames=3, pde=recipe.pde)
    (solver,) = solvers(problem, (1.0,), (1,), simulator=recipe.simulator)[0].values()
    x, t = grid.coordinates(0), torch.tensor([[0.0, 0.05, 0.1]], dtype=torch.float64)
    u = torch.sin(2 * math.pi * (x - t[0, :, None]))[None, :, None]
    found = solver.forecast(Trajectory(u=u[:, :1], t=t[:, :1]), t[:, 1:])[0]
    torch.testing.assert_close(found, u[:, 1:], rtol=0, atol=1e-10)


def steady(n: int, seed: int) -> Trajectory:
    """Fields that depend on two inputs smoothly, and not linearly."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.linspace(0, 1, 12, dtype=torch.float64)
    a = torch.randn(n, 2, 1, dtype=torch.float64, generator=draw)
    q = torch.rand(n, 1, dtype=torch.float64, generator=draw)
    k = a[:, 0] * torch.sin(math.pi * x) + a[:, 1] * torch.sin(2 * math.pi * x)
    u = torch.exp(0.5 * k) * (1 + q)
    known = {"coeffs": k[:, None].float(), "params": q.float(), "index": torch.arange(n)}
    return Trajectory(u[:, None, None].float(), torch.zeros(n, 1, dtype=torch.float64), **known)


class Samples:
    """A source of steady samples."""

    def __init__(self, batch: Trajectory):
        self.problem = Problem(
            Grid((12,), (1.0,), layout=("nodes",)), (Field("T", "K"),), coeffs=(Field("k"),), params=("q",)
        )
        self.batch, self.n_trajectories = batch, len(batch)

    def read(self, trajectory, frames=slice(None)):
        return self.batch.samples(slice(trajectory, trajectory + 1)).frames(frames)


@pytest.mark.slow
def test_steady_problems_have_baselines_of_their_own(tmp_path):
    """In the order that they should have: every one better than the one before; those not defined with a reason."""
    data = DataModule(Samples(steady(200, 0)), Samples(steady(10, 1)), Samples(steady(60, 2)))
    closing = evaluate_models({}, data, tmp_path, Evaluation(progress=False, resolutions=(0.5,)), Origin("bar"))
    with xr.open_dataset(tmp_path / "scores.nc", engine="h5netcdf") as scores:
        assert scores.model.values.tolist() == ["mean", "nearest neighbour", "POD regression"]
        error = scores.nrmse.median(("sample", "field", "member", "time")).values
        assert error[0] > 2 * error[1] > 6 * error[2] and error[2] < 0.02
        absent = json.loads(scores.absent)
        assert set(absent) == {"persistence", "solver"} and "got a steady one" in absent["persistence"]
        assert "compare_at" not in scores.attrs and "predictable_until" not in scores.attrs
    assert "POD regression" in closing and "persistence" in closing


def test_problems_in_time_have_not():
    found, absent = baselines(PROBLEM, lambda: [Waves().read(0, slice(0, 5))])
    assert list(found) == ["persistence", "mean"] and absent == {}
