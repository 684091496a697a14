"""Small trajectories of every kind that the store must hold."""

import numpy as np
import pytest
import torch

from pdekit.fields import Field, Grid, Points, Problem, Trajectory
from pdekit.pdes import KuramotoSivashinsky


def flow_problem(n_frames: int = 6) -> Problem:
    """Two dimensions, a vector, a scalar, a complex pair, coeffs, forcing, params, text: everything at once."""
    return Problem(
        Grid((8, 6), (2.0, 3.0), origin=(-1.0, 0.0), layout=("periodic", "cells")),
        (
            Field("density", "kg/m^3"),
            Field("velocity_x", "m/s", vector="velocity"),
            Field("velocity_y", "m/s", vector="velocity"),
            Field("psi_real", complex="psi"),
            Field("psi_imag", complex="psi"),
        ),
        dt=0.25,
        n_frames=n_frames,
        boundary=(("periodic", "periodic"), ("wall", "outflow")),
        coeffs=(Field("permeability"),),
        params=("viscosity", "length_x", "dt"),
        has_text=True,
        forcing=(Field("pump"),),
        pde=KuramotoSivashinsky(viscosity=0.7),
    )


def flow_batch(problem: Problem, n: int = 5, seed: int = 0) -> Trajectory:
    draw = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, generator=draw)

    space, frames = problem.grid.shape, problem.n_frames
    params = torch.stack([torch.rand(n), 2.0 + torch.rand(n), 0.2 + 0.1 * torch.rand(n)], 1)
    return Trajectory(
        u=random(n, frames, problem.n_channels, *space),
        t=params[:, 2:].double() * torch.arange(frames),
        coeffs=random(n, 1, *space),
        forcing=random(n, frames, 1, *space),
        mask=(random(n, problem.n_channels, *space) > 0).float(),
        params=params,
        text=tuple(f"trajectory {i}" for i in range(n)),
        index=torch.arange(n),
    )


def line_problem(n_frames: int = 6, shape: tuple[int, ...] = (16,)) -> Problem:
    """One field on a periodic box."""
    grid = Grid(shape, (1.0,) * len(shape))
    return Problem(grid, (Field("u"),), dt=0.5, n_frames=n_frames)


def counted_batch(problem: Problem, n: int) -> Trajectory:
    """u = 100 trajectory + frame everywhere, so that a value says where it came from."""
    frames = problem.n_frames
    value = 100.0 * torch.arange(n)[:, None] + torch.arange(frames)
    shape = (n, frames, problem.n_channels, *problem.grid.shape)
    u = value.reshape(n, frames, *[1] * (len(shape) - 2)).expand(shape).clone()
    t = (problem.dt or 0.0) * torch.arange(frames, dtype=torch.float64)
    return Trajectory(u=u, t=t.expand(n, frames).clone(), index=torch.arange(n))


def mesh_problem() -> Problem:
    return Problem(Points(2, 10), (Field("temperature", "K"),))


def mesh_batch(n: int = 3) -> Trajectory:
    draw = np.random.default_rng(0)
    return Trajectory(
        u=torch.from_numpy(draw.normal(size=(n, 1, 1, 10))).float(),
        t=torch.zeros(n, 1, dtype=torch.float64),
        points=torch.from_numpy(draw.normal(size=(n, 10, 2))).float(),
        point_mask=torch.arange(10).lt(7).expand(n, 10).clone(),
        cells=torch.from_numpy(draw.integers(0, 7, size=(n, 4, 3))),
    )


@pytest.fixture
def flow():
    problem = flow_problem()
    return problem, flow_batch(problem)
