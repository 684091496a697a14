"""Samples of flow past a cylinder: meshes of their own, sides, convergence, captions, and the way through a dataset."""

import dataclasses

import numpy as np
import pytest
import torch

from pdekit.cases.base import Draw
from pdekit.cases.cylinder import CylinderCase
from pdekit.fields import Points
from pdekit.recipes.cases import SolvedRecipe
from pdekit.recipes.generation import make_chunk, read_chunk
from pdekit.simulators.base import silent

pytest.importorskip("ngsolve")

GRID = Points(2, 260)
SMALL = CylinderCase(
    order=2, size=0.16, cylinder_size=0.05, node_size=0.1, node_cylinder_size=0.03, warmup=0.5, dt=0.25, n_frames=3
)
DRAWN = Draw({"center_x": 0.3, "center_y": 0.19, "radius": 0.05, "u_inlet": 0.1})
COUNTS = {"train": 2, "valid": 1, "test": 1}


@pytest.fixture(scope="module")
def solved():
    return SMALL.solve(DRAWN, GRID)


def recipe(case=SMALL, **changes):
    return SolvedRecipe(name="cylinder", case=case, grid=GRID, n_trajectories=COUNTS, text=True, **changes)


def test_nodes_are_sorted_cover_the_channel_and_lie_on_the_cylinder(solved):
    nodes = solved.nodes
    places = nodes.points[nodes.there]
    assert 100 < len(places) < GRID.max_points and (nodes.points[~nodes.there] == 0).all()
    assert (np.diff(places[:, 0]) >= 0).all()
    distance = np.linalg.norm(places - (0.3, 0.19), axis=1)
    assert distance.min() > 0.05 - 1e-9 and (distance < 0.05 + 1e-9).sum() >= 8
    corners = places[nodes.cells[nodes.cells[:, 0] >= 0]]
    (x0, y0), (x1, y1), (x2, y2) = corners.transpose(1, 2, 0)
    areas = ((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) / 2
    assert (areas > 0).all()
    sides = (distance < 0.05 + 1e-9).sum()
    polygon = sides / 2 * 0.05**2 * np.sin(2 * np.pi / sides)
    assert np.isclose(areas.sum(), 1.6 * 0.41 - polygon, rtol=1e-3)


def test_the_velocity_is_the_inflow_at_the_inlet_and_zero_at_walls_and_cylinder(solved):
    x, y = solved.nodes.points[solved.nodes.there].T
    u = solved.u[:, :, solved.nodes.there]
    inlet = x < 1e-9
    assert np.allclose(u[:, 0, inlet], 0.6 * y[inlet] * (0.41 - y[inlet]) / 0.41**2, atol=1e-9)
    still = (np.hypot(x - 0.3, y - 0.19) < 0.05 + 1e-9) | ((np.minimum(y, 0.41 - y) < 1e-9) & ~inlet)
    assert still.sum() > 20 and np.abs(u[:, :2, still]).max() < 1e-9
    assert (solved.u[:, :, ~solved.nodes.there] == 0).all()


@pytest.mark.slow
def test_the_solver_converges_at_the_same_nodes():
    """Errors of degrees 2 and 3 against degree 4."""
    cases = [dataclasses.replace(SMALL, order=order, warmup=0.3, n_frames=1) for order in (2, 3, 4)]
    *found, reference = [case.solve(DRAWN, GRID) for case in cases]
    assert np.array_equal(reference.nodes.points, found[0].nodes.points)
    size = np.linalg.norm(reference.u[:, :2])
    errors = [np.linalg.norm(one.u[:, :2] - reference.u[:, :2]) / size for one in found]
    assert errors[0] > 2 * errors[1] and errors[1] < 0.03, errors


def test_a_recipe_gives_trajectories_with_points_and_captions():
    made = recipe()
    batch = made.simulate("train", [0, 1])
    problem = made.problem("train")
    assert problem.has_text and problem.params == ("center_x", "center_y", "radius", "u_inlet")
    assert batch.points.shape == (2, 260, 2) and batch.cells.shape == (2, 520, 3)
    assert not torch.equal(batch.points[0], batch.points[1])
    assert not batch.u[~batch.point_mask[:, None, None].expand(batch.u.shape)].any()
    one = made.simulate("train", [1])
    assert torch.equal(one.u[0], batch.u[1]) and one.text[0] == batch.text[1]


def test_a_mesh_with_too_many_nodes_is_refused():
    small = dataclasses.replace(recipe(), grid=Points(2, 50))
    with pytest.raises(ValueError, match=r"at most 50 nodes, got a mesh with \d+; set grid.max_points .*node_size"):
        small.simulate("test", [0])


def test_a_chunk_of_an_unfinished_dataset_keeps_meshes_and_captions(tmp_path):
    made = recipe(chunk=2)
    make_chunk(made, "train", range(2), tmp_path, "cpu", silent)
    (path,) = tmp_path.glob("*.npz")
    found, wanted = read_chunk(path), made.simulate("train", [0, 1])
    for part in ("u", "points", "point_mask", "cells", "params"):
        assert torch.equal(getattr(found, part), getattr(wanted, part)), part
    assert found.text == wanted.text
