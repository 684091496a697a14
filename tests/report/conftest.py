"""Runs to report on: a two-dimensional one with everything, scored once for all tests of this folder."""

import math

import pytest
import torch

from pdekit.data.arrays import Arrays
from pdekit.evaluation.opponents import baselines, solvers
from pdekit.evaluation.scores import evaluate
from pdekit.fields import Grid, Problem, Trajectory
from pdekit.models.base import Stepper
from pdekit.models.solver import Solver
from pdekit.pdes import Advection, Diffusion, NavierStokes2D
from pdekit.solvers import etdrk


class Blurred(Stepper):
    """A solver that loses a share of its amplitude in each step."""

    calls_per_step = 1

    def __init__(self, problem, loss=0.05, noise=0.0):
        super().__init__(problem, 1, 1)
        self.solver, self.share, self.noise = etdrk(problem.pde, problem.grid, problem.dt), loss, noise

    def loss(self, batch):
        raise NotImplementedError

    def step(self, frames, given, noise):
        frame = (1 - self.share) * self.solver(frames[:, -1].double()).float()
        return frame + self.noise * noise(frame, 0)


def data_of(pde, grid, dt, n_frames=9, n_trajectories=3):
    """Trajectories of an equation from a few random waves."""
    problem = Problem(grid, pde.fields, dt=dt, n_frames=n_frames, pde=pde)
    generator = torch.Generator().manual_seed(1)
    u = torch.zeros(n_trajectories, len(pde.fields), *grid.shape, dtype=torch.float64)
    mesh = [2 * math.pi * x / length for x, length in zip(grid.mesh(), grid.extent, strict=True)]
    for _ in range(6):
        k = torch.randint(-3, 4, (n_trajectories, len(mesh)), generator=generator)
        phase = sum(k[:, i].reshape(-1, *[1] * len(mesh)) * x for i, x in enumerate(mesh))
        u += torch.cos(phase + 6 * torch.rand(n_trajectories, *[1] * len(mesh), generator=generator)).unsqueeze(1)
    t = (dt * torch.arange(n_frames, dtype=torch.float64)).expand(n_trajectories, -1)
    rest = Solver(problem, dt=dt / 4).forecast(Trajectory(u=u[:, None], t=t[:, :1]), t[:, 1:])[0]
    batch = Trajectory(u=torch.cat([u[:, None], rest], 1).float(), t=t.clone(), index=torch.arange(n_trajectories))
    return Arrays(problem, batch)


def score(folder, source, models, **options):
    """Evaluate beside all baselines and two solvers."""
    problem = source.problem
    others, absent = baselines(problem, lambda: [source.read(0)])
    sweep, _ = solvers(problem, (0.5, 1.0), (1,))
    evaluate(models, source, folder, baselines=others, solvers=sweep, absent=absent, progress=False, **options).close()
    return folder


@pytest.fixture(scope="session")
def flow(tmp_path_factory):
    """Two-dimensional flow, two surrogates, members, provenance and a configuration."""
    folder = tmp_path_factory.mktemp("flow")
    source = data_of(NavierStokes2D(viscosity=0.01, forcing=1.0), Grid((16, 16), (2 * math.pi,) * 2), 0.2)
    models = {"pde_refiner": Blurred(source.problem, noise=0.02), "fno <b>": Blurred(source.problem, 0.3)}
    attrs = {"data": "kolmogorov", "description": "Forced & two-dimensional flow.", "lyapunov_exponent": 0.5}
    score(folder, source, models, members=2, attrs=attrs, floor=([0.0, 1.6], [0.001, 0.002]))
    (folder / "config.yaml").write_text("model: pde_refiner  # <script>alert(1)</script>\n")
    (folder / "provenance.json").write_text('{"commit": "abc123", "versions": {"torch": "2.6"}}')
    return folder


@pytest.fixture(scope="session")
def line(tmp_path_factory):
    """One-dimensional advection."""
    folder = tmp_path_factory.mktemp("line")
    source = data_of(Advection(), Grid((24,), (1.0,)), 0.05)
    return score(folder, source, {"fno": Blurred(source.problem)})


@pytest.fixture(scope="session")
def block(tmp_path_factory):
    """Three-dimensional diffusion, positive fields, no surrogate."""
    folder = tmp_path_factory.mktemp("block")
    source = data_of(Diffusion(), Grid((8, 6, 10), (1.0, 1.0, 2.0)), 0.01, n_frames=4)
    return score(folder, source, {})
