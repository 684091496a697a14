"""Physics in scores.nc: what the metrics say of single forecasts, next to the reference, whatever the stretches."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from pdekit.evaluation import forecasting
from pdekit.evaluation.judges.physics import FLOW_FRAMES, Physics
from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.metrics.budgets import budgets, imbalance
from pdekit.metrics.catalogue import MEASURES
from pdekit.metrics.flows import cascade
from pdekit.models.base import Surrogate
from pdekit.pdes import Diffusion, NavierStokes2D, NavierStokes3D, RayleighBenard
from pdekit.solvers import etdrk
from tests.evaluation.scoring import evaluate

BOX = 2 * math.pi
N_FRAMES = 25
MEASURES_HERE = [MEASURES[name] for name in ("nrmse", "energy_spectrum")]


class Solved:
    """A source: an equation, solved from random smooth starts."""

    n_trajectories = 2

    def __init__(self, pde, grid, dt):
        self.problem = Problem(grid, pde.fields, dt=dt, n_frames=N_FRAMES, pde=pde)
        x = grid.mesh()
        u = torch.stack([torch.cos(x[0] + 2 * x[1] + n) + torch.sin(2 * x[0] - x[1]) + torch.cos(3 * x[1] + n)
                         for n in range(2)])[:, None]  # fmt: skip
        step, frames = etdrk(pde, grid, dt), [u]
        for _ in range(N_FRAMES - 1):
            frames.append(step(frames[-1]))
        self.u = torch.stack(frames, 1)

    def read(self, trajectory, frames):
        t = self.problem.dt * torch.arange(N_FRAMES)[frames].double()
        return Trajectory(u=self.u[trajectory : trajectory + 1, frames].float(), t=t[None],
                          index=torch.tensor([trajectory]))  # fmt: skip


class Solver(Surrogate):
    """The solver of an equation, the right one or not, as a surrogate."""

    def __init__(self, problem, pde):
        super().__init__(problem, (1, 6))
        self.advance = etdrk(pde, problem.grid, problem.dt)

    def calibrate(self, batches):
        pass

    def loss(self, batch):
        raise NotImplementedError

    def forecast(self, given, t, members=1, generator=None):
        frames = [given.u[:, -1].double()]
        for _ in range(t.shape[1]):
            frames.append(self.advance(frames[-1]))
        return torch.stack(frames[1:], 1).float()[None]


PDE = NavierStokes2D(viscosity=0.02, drag=0.1, forcing=1.0, wavenumber=2)


def run(folder, pde=PDE, wrong=None, grid=None, **options):
    source = Solved(pde, grid or Grid((16, 16), (BOX, BOX)), 0.05)
    wrong = wrong or NavierStokes2D(viscosity=0.2, drag=0.1, forcing=1.0, wavenumber=2)
    models = {"right": Solver(source.problem, pde), "wrong": Solver(source.problem, wrong)}
    return source, evaluate(models, source, folder, measures=MEASURES_HERE, timing_batches=(2,), progress=False,
                            **options)  # fmt: skip


def test_budgets_and_fluxes_are_those_of_the_metrics(tmp_path):
    source, scores = run(tmp_path)
    with scores:
        assert scores.quantity.values.tolist() == ["energy", "enstrophy"]
        assert scores.term.values.tolist()[:3] == ["energy dissipation", "energy drag", "energy input"]
        u = torch.cat([source.read(n, slice(1, N_FRAMES)).u for n in range(2)])
        stored, rates = budgets(torch.cat([source.read(n, slice(0, N_FRAMES)).u for n in range(2)]), source.problem)[
            "energy"
        ]
        wrong, scale = imbalance(stored, rates, 0.05)
        floor = scores.budget_imbalance_floor.sel(quantity="energy")
        np.testing.assert_allclose(floor[:, :-1], wrong.abs(), rtol=1e-3, atol=1e-5)
        assert floor[:, -1].isnull().all() and floor[:, :-1].notnull().all()
        np.testing.assert_allclose(scores.budget_imbalance_scale.sel(quantity="energy")[:, :-1], scale, rtol=1e-5)
        np.testing.assert_allclose(
            scores.budget_rate_reference.sel(term="energy drag"), rates["drag"][:, 1:], rtol=1e-5
        )
        share = scores.budget_imbalance / scores.budget_imbalance_scale
        assert float(share.sel(model="right").max()) < 0.02 < 0.3 < float(share.sel(model="wrong").min())
        np.testing.assert_allclose(scores.residual_norm.sel(model="right"), scores.residual_floor, rtol=0.05)

        chosen = np.unique(np.linspace(12, 23, FLOW_FRAMES).round()).astype(int)
        found = cascade(u[:, chosen], source.problem)
        np.testing.assert_allclose(scores.enstrophy_flux_reference, found.enstrophy_flux.mean(1), rtol=1e-4, atol=1e-6)
        spectrum = scores.kinetic_energy_spectrum
        np.testing.assert_allclose(spectrum.sel(model="right"), found.energy.mean(1), rtol=1e-2, atol=1e-5)
        assert spectrum.sel(model="wrong").notnull().all() and "residual_place" not in scores


@pytest.mark.slow
def test_stretches_do_not_matter(tmp_path, monkeypatch):
    whole = run(tmp_path / "a")[1]
    monkeypatch.setattr(forecasting, "VALUES", 6000)
    parts = run(tmp_path / "b")[1]
    with whole, parts:
        for name, data in whole.data_vars.items():
            if data.dtype.kind == "f" and "seconds" not in name and name != "peak_bytes":
                np.testing.assert_allclose(parts[name], data, rtol=2e-3, atol=2e-4, err_msg=str(name))


def test_what_a_flow_in_three_dimensions_is_asked():
    pde, grid = NavierStokes3D(viscosity=0.05), Grid((8, 8, 8), (BOX,) * 3)
    problem = Problem(grid, pde.fields, dt=0.05, n_frames=N_FRAMES, pde=pde)
    assert Physics.coords(problem)["vector"] == ["velocity"]
    assert Physics.coords(problem)["term"] == ["energy dissipation"]


def test_budgets_of_flow_between_the_walls_of_its_equation_are_scored():
    pde, grid = RayleighBenard(rayleigh=2e4), Grid((8, 8), (2.0, 1.0), layout=("periodic", "cells"))
    plates = (("periodic", "periodic"), ("wall no_slip", "wall no_slip"))
    problem = Problem(grid, pde.fields, dt=0.5, n_frames=N_FRAMES, pde=pde, boundary=plates)
    assert Physics.coords(problem)["quantity"] == ["heat", "kinetic energy"]
    assert "quantity" not in Physics.coords(dataclasses.replace(problem, has_mask=True))


def test_bounded_axes_and_their_ends(tmp_path):
    grid = Grid((9, 8), (2.0, 1.0), layout=("nodes", "periodic"))
    problem = Problem(grid, (Field("u", "K"),), dt=0.01, n_frames=5, pde=Diffusion(diffusivity=0.1),
                      boundary=(("dirichlet 1", "dirichlet table 0:1 9:1"), ("periodic", "periodic")))  # fmt: skip

    class Warm(Solved):
        def __init__(self):
            self.problem = problem
            x = grid.mesh()[0]
            decay = [math.exp(-0.1 * (math.pi / 2) ** 2 * 0.01 * n) for n in range(5)]
            self.u = torch.stack([1 + a * torch.sin(math.pi * x / 2) for a in decay])[None, :, None].expand(
                2, -1, -1, -1, -1
            )

        def read(self, trajectory, frames):
            t = 0.01 * torch.arange(5)[frames].double()
            return Trajectory(u=self.u[trajectory : trajectory + 1, frames].float(), t=t[None])

    class Lifted(Solver):
        def __init__(self):
            Surrogate.__init__(self, problem, (1, 4))

        def forecast(self, given, t, members=1, generator=None):
            return (given.u[:, -1:] + 0.25).expand(-1, t.shape[1], -1, -1, -1)[None]

    with evaluate({"lifted": Lifted()}, Warm(), tmp_path, measures=MEASURES_HERE, progress=False) as scores:
        assert scores.place.values.tolist() == ["interior", "boundary"]
        np.testing.assert_allclose(scores.boundary_violation, 0.25, rtol=1e-5)
        assert scores.boundary_violation.attrs["units"] == "K"
        np.testing.assert_allclose(scores.boundary_violation_floor, 0, atol=1e-6)
        interior, boundary = (scores.residual_place**2).isel(time=0, sample=0).values[0]
        whole = (scores.residual_norm**2).isel(time=0, sample=0).values[0]
        assert whole == pytest.approx(7 / 8 * interior + 1 / 8 * boundary, rel=1e-5), "an end node counts half"


def test_a_quick_evaluation_does_without(tmp_path):
    _, scores = run(tmp_path, judges=["fields", "costs"])
    with scores:
        kinds = {"residual", "budget", "integral", "flux", "enstrophy", "wasserstein", "quantile", "time_mean"}
        assert not [name for name in scores.variables for kind in kinds if kind in str(name)]
        assert {"nrmse", "energy_spectrum", "seconds_per_forecast"} <= set(scores)
