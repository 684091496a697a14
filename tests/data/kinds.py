"""Trajectories of several kinds, and their comparison with what was written."""

import dataclasses

import numpy as np
import torch

from pdekit.boundaries import Dirichlet
from pdekit.fields import Field, Grid, Points, Problem, Trajectory

PARTS = ("u", "t", "coeffs", "forcing", "mask", "points", "point_mask", "cells", "params")


def mesh_problem_and_batch(n=3, points=7):
    problem = Problem(
        Points(2, points),
        (Field("velocity_x", vector="velocity"), Field("velocity_y", vector="velocity"), Field("p", "Pa")),
        dt=0.1,
        n_frames=4,
        coeffs=(Field("type"),),
        params=("radius",),
        has_text=True,
    )
    draw = np.random.default_rng(0)
    kept = torch.ones(n, points, dtype=torch.bool)
    kept[1, -2:] = False
    cells = torch.tensor([[0, 1, 2], [2, 3, 4]]).expand(n, 2, 3).clone()
    cells[1, 1] = -1
    return problem, Trajectory(
        u=torch.from_numpy(draw.normal(size=(n, 4, 3, points)).astype("f4")),
        t=0.1 * torch.arange(4, dtype=torch.float64).expand(n, -1),
        coeffs=torch.from_numpy(draw.normal(size=(n, 1, points)).astype("f4")),
        points=torch.from_numpy(np.sort(draw.uniform(size=(n, points, 2)), 1).astype("f4")),
        point_mask=kept,
        cells=cells,
        params=torch.arange(n, dtype=torch.float64)[:, None],
        text=("a wake", "eine Straße", "three"),
        index=torch.arange(n),
    )


def counted(problem, n):
    shape = (n, problem.n_frames, problem.n_channels, *problem.grid.shape)
    t = (problem.dt or 0.0) * torch.arange(problem.n_frames, dtype=torch.float64)
    values = torch.arange(int(np.prod(shape)), dtype=torch.float32).reshape(shape)
    return Trajectory(u=values / 8, t=t.expand(n, -1), index=torch.arange(n))


def darcy_pairs():
    ends = (Dirichlet(), Dirichlet())
    grid = Grid((8, 6), (1.0, 1.5), layout=("cells", "cells"))
    problem = Problem(grid, (Field("pressure"),), coeffs=(Field("permeability"),), boundary=(ends, ends))
    batch = counted(problem, 4)
    return problem, dataclasses.replace(batch, coeffs=1000 + batch.u[:, 0])


def assert_same(found, source, masked=True):
    """Everything that a source holds, value by value; if ``masked``, values outside a mask are 0."""
    assert found.problem == source.problem and found.n_trajectories == source.n_trajectories
    for i in range(source.n_trajectories):
        one, other = found.read(i), source.read(i)
        if masked and other.mask is not None:
            other = dataclasses.replace(other, u=torch.where(other.mask[:, None] > 0, other.u, 0.0))
        for part in PARTS:
            ours, theirs = getattr(one, part), getattr(other, part)
            assert (ours is None) == (theirs is None), part
            if ours is not None:
                equal = torch.equal(ours.to(theirs.dtype), theirs)
                assert equal and (part == "point_mask" or ours.dtype == theirs.dtype), part
        assert one.text == other.text
    frames = slice(1, 3)
    assert torch.equal(found.read(1, frames).u, found.read(1).u[:, frames])
    assert torch.equal(found.read(1, frames).t, found.read(1).t[:, frames])
