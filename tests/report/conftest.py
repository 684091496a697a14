"""Runs to report on: a two-dimensional one with everything, scored once for all tests of this folder."""

import json
import math

import numpy as np
import pytest
import torch
import xarray as xr

from pdekit.data.arrays import Arrays
from pdekit.evaluation.baselines import baselines, solvers
from pdekit.fields import Grid, Problem, Trajectory
from pdekit.models.base import Stepper
from pdekit.models.baselines.solver import Solver
from pdekit.pdes import Advection, Diffusion, NavierStokes2D
from pdekit.solvers import etdrk
from tests.evaluation.scoring import evaluate


class Blurred(Stepper):
    """A solver that loses a share of its amplitude in each step."""

    calls_per_step = 1

    def __init__(self, problem, loss=0.05, noise=0.0):
        super().__init__(problem, 1, 1)
        self.solver, self.share, self.noise = etdrk(problem.pde, problem.grid, problem.dt), loss, noise
        self.stochastic = noise > 0

    def loss(self, batch):
        raise NotImplementedError

    def step(self, frames, given, noise):
        frame = (1 - self.share) * self.solver(frames[:, -1].double()).float()
        return frame + self.noise * noise(frame, 0) if self.stochastic else frame


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
    """Evaluate next to all baselines and two solvers."""
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
    record = {"commit": "abc123", "versions": {"torch": "2.6"}, "findings": ["viscosity 0.1 found, 0.1 true"]}
    (folder / "provenance.json").write_text(json.dumps(record))
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


def steady_scores(folder, fields, units, kept, models=("fno", "mean")):
    """Scores of a steady problem, and kept forecasts with all that belongs to its geometry, written as files."""
    rng = np.random.default_rng(0)
    frame = ("model", "member", "sample", "time", "field")
    some = frame, rng.uniform(0.1, 0.2, (len(models), 1, 4, 1, len(fields)))
    data = {name: some for name in ("nrmse", "vrmse", "correlation")} | {"rmse": (*some, {"units": " ".join(units)})}
    data |= {
        "lead_time": (("sample", "time"), np.zeros((4, 1))),
        "kind": ("model", ["surrogate", *["baseline"] * (len(models) - 1)]),
        "unit": ("field", list(units)),
        "parameters": ("model", [1000] + [0] * (len(models) - 1)),
        "network_calls": ("model", [1] + [0] * (len(models) - 1)),
        "seconds_per_forecast": ("model", [0.01] * len(models)),
    }
    attrs = {"absent": json.dumps({"persistence": "a steady problem has no last frame", "solver": "no solver here"})}
    attrs |= {"batch_size": 4, "threads": 1, "device": "cpu"}
    coords = {"model": list(models), "time": [0.0], "field": list(fields)}
    xr.Dataset(data, coords, attrs).to_netcdf(folder / "scores.nc", engine="h5netcdf")
    kept.to_netcdf(folder / "forecasts.nc", engine="h5netcdf")
    return folder


@pytest.fixture(scope="session")
def plate(tmp_path_factory):
    """A steady problem of two fields with different units, given conductivity and a hole; one forecast has diverged."""
    rng = np.random.default_rng(1)
    mask = np.ones((2, 2, 20, 12))
    mask[:, 0, 8:12, 4:8] = 0
    where = ("model", "sample", "time", "x", "y")
    temperature, stress = 300 + rng.normal(size=(3, 2, 1, 20, 12)), rng.normal(size=(3, 2, 1, 20, 12))
    temperature[1, 0, 0, 0, 0] = np.nan
    kept = xr.Dataset(
        {
            "temperature": (where, temperature, {"units": "K"}),
            "stress": (where, stress, {"units": "Pa"}),
            "conductivity": (("sample", "x", "y"), rng.uniform(1, 2, (2, 20, 12)), {"units": "W/m/K"}),
            "mask": (("sample", "field", "x", "y"), mask),
        },
        {"model": ["reference", "fno", "mean"], "time": [0.0], "field": ["temperature", "stress"],
         "x": np.linspace(0, 2, 20), "y": np.linspace(0, 1, 12)},
        {"grid": json.dumps({"layout": ["nodes", "nodes"], "extent": [2.0, 1.0]})},
    )  # fmt: skip
    return steady_scores(tmp_path_factory.mktemp("plate"), ["temperature", "stress"], ["K", "Pa"], kept)


@pytest.fixture(scope="session")
def disc(tmp_path_factory):
    """A steady problem on a mesh of a quarter of a disc."""
    radius, angle = (a.ravel() for a in np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, np.pi / 2, 13), indexing="ij"))
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    corner = np.arange(8)[:, None] * 13 + np.arange(12)
    cells = np.stack([corner, corner + 13, corner + 14, corner + 1], -1).reshape(-1, 4)
    u = np.stack([radius**2, radius**2 + 0.1 * points[:, 0], 0 * radius])
    kept = xr.Dataset(
        {
            "u": (("model", "sample", "time", "point"), u[:, None, None], {"units": "m"}),
            "points": (("sample", "point", "dim"), points[None]),
            "cells": (("sample", "cell", "corner"), cells[None]),
        },
        {"model": ["reference", "fno", "mean"], "time": [0.0], "point": np.arange(len(points))},
    )
    return steady_scores(tmp_path_factory.mktemp("disc"), ["u"], ["m"], kept)
