"""The solver of a case: exact at the reference's resolution, worse and finite below it, NaN where it fails."""

import dataclasses
import math
from functools import partial

import numpy as np
import pytest
import torch

from pdekit.cases.electro_osmosis import ElectroOsmosisCase
from pdekit.evaluation.case_solvers import case_solvers
from pdekit.fields import Grid, Points
from pdekit.models.baselines.case_solver import CaseSolver
from pdekit.recipes.base import SPLITS
from pdekit.recipes.cases import SolvedRecipe
from tests.recipes.slab import Slab, slab
from tests.recipes.test_trajectories import recipe as marched


def solver(recipe, refinement):
    return CaseSolver(recipe.problem("test"), recipe.case, partial(recipe.draw, "test"), refinement)


def test_the_reference_is_found_again_and_coarser_solutions_are_worse():
    recipe = slab(Slab(points=400))
    batch = recipe.simulate("test", [2, 0])
    given = batch.frames(slice(0, 0))
    assert torch.equal(solver(recipe, 1.0).forecast(given, batch.t)[0], batch.u)
    errors = [float((solver(recipe, r).forecast(given, batch.t)[0] - batch.u).norm()) for r in (0.5, 0.05)]
    assert 0 < errors[0] < errors[1] / 3
    assert solver(recipe, 0.5).forecast(given, batch.t, members=3).shape == (3, *batch.u.shape)


def test_frames_are_taken_at_the_times_asked_for():
    recipe = slab(Slab(dt=0.5, n_frames=4))
    batch = recipe.simulate("test", [1])
    model = solver(recipe, 1.0)
    assert model.window == (1, "all")
    found = model.forecast(batch.frames(slice(0, 1)), batch.t[:, 2:])
    assert torch.equal(found[0], batch.u[:, 2:])
    loss, _ = model.loss(batch)
    assert float(loss) == 0.0


class Stiff(Slab):
    def solve(self, drawn, grid, refinement=1.0):
        if refinement < 0.5:
            raise ValueError("Newton's iteration does not converge")
        return super().solve(drawn, grid, refinement)


def test_a_mesh_too_coarse_is_a_divergence_and_no_crash():
    recipe = slab(Stiff())
    batch = recipe.simulate("test", [0])
    found = solver(recipe, 0.25).forecast(batch.frames(slice(0, 0)), batch.t)
    assert found.shape == (1, *batch.u.shape) and math.isnan(float(found.max()))


def test_what_cannot_be_solved_is_refused():
    recipe = slab()
    batch = dataclasses.replace(recipe.simulate("test", [0]), index=None)
    with pytest.raises(ValueError, match=r"expected samples with their number \(index\)"):
        solver(recipe, 1.0).forecast(batch.frames(slice(0, 0)), batch.t)
    with pytest.raises(ValueError, match="expected a refinement > 0"):
        solver(recipe, 0.0)
    problem = dataclasses.replace(recipe.problem("test"), grid=Points(2, 10), boundary=())
    with pytest.raises(ValueError, match="expected a problem on a uniform grid"):
        CaseSolver(problem, recipe.case, partial(recipe.draw, "test"), 1.0)


def test_solvers_of_an_evaluation():
    recipe = slab()
    found, absent = case_solvers(recipe.problem("test"), recipe, (0.25, 0.5, 0.5), orders=(2,))
    assert not absent
    assert list(found) == ["solver, 0.25 of the resolution", "solver, 0.5 of the resolution"]
    assert np.allclose(found["solver, 0.5 of the resolution"].draw(3).noise, recipe.draw("test", 3).noise)
    assert case_solvers(recipe.problem("test"), None, (0.5,)) is None
    assert case_solvers(marched().problem("test"), marched(), (0.5,)) is None
    none, why = case_solvers(recipe.problem("test"), recipe, ())
    assert not none and "sweep_refinements" in why["solver"]


def test_elements_of_lower_order():
    case = ElectroOsmosisCase(order=4, size=0.2)
    assert case.at_order(2) == ElectroOsmosisCase(order=2, size=0.2)
    assert case.at_order(4) is None and Slab().at_order(2) is None
    grid = Grid((8, 8), (1e-3, 1e-3), layout=("cells", "cells"))
    recipe = SolvedRecipe(name="e", case=case, grid=grid, n_trajectories=dict.fromkeys(SPLITS, 1))
    found, _ = case_solvers(recipe.problem("test"), recipe, (0.5, 1.0), orders=(2, 5))
    assert {name: solver.case.order for name, solver in found.items()} == {
        "solver, 0.5 of the resolution": 4,
        "solver, 1 of the resolution": 4,
        "solver, order 2, 0.5 of the resolution": 2,
        "solver, order 2, 1 of the resolution": 2,
    }
