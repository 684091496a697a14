"""Persistence, the training mean, and a numerical solver as surrogates."""

import math

import pytest
import torch

from pdekit.fields import Field, Grid, Points, Problem, Trajectory
from pdekit.models.baselines.mean import Mean
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.baselines.simulator import substeps
from pdekit.models.baselines.solver import Solver
from pdekit.pdes.korteweg_de_vries import KortewegDeVries
from pdekit.pdes.kuramoto_sivashinsky import KuramotoSivashinsky
from pdekit.pdes.shallow_water import ShallowWater
from pdekit.settings import Training
from pdekit.solvers import etdrk, integrate
from tests.models.small import make_batch, make_problem


def test_persistence_repeats_the_last_frame(problem, batch):
    model = Persistence(problem)
    forecast = model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:], members=2)
    assert torch.equal(forecast, batch.u[None, :, :1].expand(2, -1, 5, -1, -1))
    assert model.stages(Training()) == ()
    with pytest.raises(ValueError, match="no frame to repeat"):
        Persistence(make_problem(n_frames=1, dt=None))


def test_the_mean_is_over_samples_and_time(problem, batch):
    model = Mean(problem).double()
    model.calibrate([batch.samples(slice(0, 1)), batch.samples(slice(1, 3))])
    forecast = model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:3])
    torch.testing.assert_close(forecast[0, 2, 1], batch.u.mean((0, 1)))


def test_the_mean_of_a_steady_problem_under_masks():
    problem = make_problem(n_frames=1, dt=None, coeffs=(Field("k"),), has_mask=True)
    batch = make_batch(problem, n=40)
    model = Mean(problem).double()
    model.calibrate([batch])
    assert model.window == (0, 1)
    expected = (batch.u[:, 0] * batch.mask).sum(0) / batch.mask.sum(0)
    forecast = model.forecast(batch.frames(slice(0, 0)), batch.t)
    torch.testing.assert_close(forecast[0, 0, 0], expected)


def kdv_soliton(n: int) -> tuple[Problem, Trajectory]:
    pde = KortewegDeVries()
    solution = pde.exact()[0]
    grid = solution.grid(n)
    problem = Problem(grid, pde.fields, dt=solution.t_end / 10, n_frames=11, pde=pde)
    t = torch.arange(11, dtype=torch.float64) * problem.dt
    u = torch.cat([solution.on(grid, float(time)) for time in t])
    return problem, Trajectory(u[None], t[None])


def test_the_solver_follows_a_soliton():
    problem, truth = kdv_soliton(256)
    model = Solver(problem, dt=problem.dt / 100)
    forecast = model.forecast(truth.frames(slice(0, 1)), truth.t[:, 1:])[0]
    error = (forecast - truth.u[:, 1:]).norm() / truth.u[:, 1:].norm()
    assert error < 1e-8  # ETDRK4 at 256 points; on 128 the soliton is not resolved (1e-4)


def ks(n_samples: int = 2, **changes) -> tuple[Problem, Trajectory]:
    pde = KuramotoSivashinsky()
    problem = Problem(Grid((64,), (22.0,)), pde.fields, dt=0.5, n_frames=4, pde=pde, **changes)
    x = torch.arange(64, dtype=torch.float64) * 2 * math.pi / 64
    phase = torch.arange(n_samples, dtype=torch.float64)[:, None]
    u = (torch.cos(x + phase) + 0.3 * torch.sin(2 * x)).reshape(n_samples, 1, 1, 64)
    return problem, Trajectory(u, torch.zeros(n_samples, 1, dtype=torch.float64))


def test_a_coarse_solver_is_restricted_and_scored_on_the_data_grid():
    """On half the grid it is the solution on that grid, interpolated; its error falls with its resolution."""
    problem, given = ks()
    t = torch.tensor([[0.5, 1.5]], dtype=torch.float64).expand(2, -1)
    fine = Solver(problem, 128, 0.01).forecast(given, t)[0]
    errors = [(Solver(problem, n, 0.01).forecast(given, t)[0] - fine).abs().max().item() for n in (12, 24, 48)]
    assert errors[0] > 10 * errors[1] and errors[2] < 1e-6
    coarse = Solver(problem, 32, 0.05).forecast(given, t)[0]
    step = etdrk(problem.pde, problem.grid.resized((32,)), 0.05)
    direct = integrate(step, given.u[:, 0, :, ::2], 4, substeps=10)
    torch.testing.assert_close(coarse[..., ::2], direct[:, [1, 3]], rtol=1e-11, atol=1e-11)


def test_parameters_that_vary_are_those_of_the_sample():
    problem, given = ks(params=("viscosity", "length_x", "dt"))
    values = torch.tensor([[0.8, 20.0, 0.4], [1.2, 24.0, 0.6]], dtype=torch.float64)
    given = Trajectory(given.u, given.t, params=values)
    together = Solver(problem, dt=0.1).forecast(given, values[:, 2:] * 3)[0]
    for i, (viscosity, length, dt) in enumerate(values.tolist()):
        step = etdrk(KuramotoSivashinsky(viscosity), Grid((64,), (length,)), dt / 6)
        alone = integrate(step, given.u[i : i + 1, 0], 2, substeps=18)
        torch.testing.assert_close(together[i], alone[0, 1:], rtol=1e-10, atol=1e-10)


def shallow_water(n: int) -> tuple[Problem, Trajectory]:
    pde = ShallowWater()
    grid = Grid((n, n), (5.0, 5.0))
    x, y = grid.mesh()
    depth = 1 + 0.2 * torch.exp(-4 * ((x - 2.5) ** 2 + (y - 2.5) ** 2))
    u = torch.stack((depth, torch.zeros_like(depth), torch.zeros_like(depth)))[None, None]
    return Problem(grid, pde.fields, dt=0.2, n_frames=4, pde=pde), Trajectory(u, torch.zeros(1, 1, dtype=u.dtype))


def test_a_conservation_law_is_integrated_on_cell_averages():
    """Stable with any frame step, converging with its resolution, and keeping mass on the way there and back."""
    problem, given = shallow_water(32)
    t = torch.tensor([[0.2, 0.6]], dtype=torch.float64)
    fine = Solver(problem, 96).forecast(given, t)[0]
    errors = [(Solver(problem, n).forecast(given, t)[0] - fine).abs().mean().item() for n in (12, 24, 48)]
    assert errors[0] > 1.5 * errors[1] > 2.25 * errors[2]
    coarse = Solver(problem, 20).forecast(given, t)[0]
    torch.testing.assert_close(coarse[0, :, 0].mean((1, 2)), given.u[0, :, 0].mean((1, 2)).expand(2))


def test_single_precision_is_single_precision():
    problem, given = ks()
    t = torch.tensor([[0.5]], dtype=torch.float64).expand(2, -1)
    single, double = (Solver(problem, dt=0.05, precision=p).forecast(given, t) for p in ("float32", "float64"))
    assert 1e-9 < (single - double).abs().max() < 1e-4


def test_problems_that_no_solver_is_defined_for_are_refused():
    with pytest.raises(ValueError, match="a problem with an equation, found none"):
        Solver(make_problem())
    pde = KuramotoSivashinsky()
    bounded = Grid((8,), (1.0,), layout=("nodes",))
    for grid in (bounded, Points(2, 5)):
        with pytest.raises(ValueError, match="the solver baseline is not defined"):
            Solver(Problem(grid, pde.fields, dt=0.1, n_frames=2, pde=pde))
    with pytest.raises(ValueError, match="precision among"):
        Solver(ks()[0], precision="bfloat16")
    with pytest.raises(ValueError, match="expected the fields \\['u'\\] of the equation, found \\['h'\\]"):
        Solver(Problem(Grid((8,), (1.0,)), (Field("h"),), dt=0.1, n_frames=2, pde=pde))


def test_a_step_is_never_longer_than_the_largest():
    """0.7 in steps of at most 0.5 takes two, not the nearest number."""
    assert [substeps(0.7, largest) for largest in (0.7, 0.5, 0.35, 0.3)] == [1, 2, 2, 3]
