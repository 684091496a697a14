"""The simulator as a baseline: exact at its own resolution, worse and finite below it, NaN where it fails."""

import dataclasses
import math
from functools import partial

import numpy as np
import pytest
import torch

from pdekit.cases.electro_osmosis import ElectroOsmosisCase
from pdekit.evaluation.baselines import solved_wholes, solver_rows, solvers
from pdekit.evaluation.settings import Evaluation, SolverSweep
from pdekit.fields import Grid, Points
from pdekit.models.baselines.simulator import SimulatorBaseline
from pdekit.recipes.base import SPLITS
from pdekit.recipes.cases import SolvedRecipe
from pdekit.simulators.base import Refinement
from pdekit.solvers import imex
from tests.recipes.slab import Slab, slab
from tests.recipes.test_trajectories import basin
from tests.recipes.test_trajectories import recipe as marched


def solver(recipe, refinement):
    draw = partial(recipe.draw, "test")
    return SimulatorBaseline(recipe.problem("test"), recipe.simulator, Refinement(refinement), draw)


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
    problem = dataclasses.replace(marched().problem("test"), grid=Points(1, 10), boundary=())
    with pytest.raises(ValueError, match="expected a problem on a uniform grid"):
        SimulatorBaseline(problem, marched().simulator)


def test_solvers_of_an_evaluation():
    recipe = slab()
    found, absent = solved_wholes(recipe.problem("test"), recipe, (0.25, 0.5, 0.5), orders=(2,))
    assert not absent
    assert list(found) == ["solver, 0.25 of the resolution", "solver, 0.5 of the resolution"]
    assert np.allclose(found["solver, 0.5 of the resolution"].draw(3).noise, recipe.draw("test", 3).noise)
    none, why = solver_rows(recipe.problem("test"), recipe, Evaluation(sweep=SolverSweep(refinements=())))
    assert not none and "sweep.refinements" in why["solver"]


def test_elements_of_lower_order():
    case = ElectroOsmosisCase(order=4, size=0.2)
    assert case.at_order(2) == ElectroOsmosisCase(order=2, size=0.2)
    assert case.at_order(4) is None and Slab().at_order(2) is None
    grid = Grid((8, 8), (1e-3, 1e-3), layout=("cells", "cells"))
    recipe = SolvedRecipe(name="e", case=case, grid=grid, n_trajectories=dict.fromkeys(SPLITS, 1))
    found, _ = solved_wholes(recipe.problem("test"), recipe, (0.5, 1.0), orders=(2, 5))
    assert {name: solver.simulator.order for name, solver in found.items()} == {
        "solver, 0.5 of the resolution": 4,
        "solver, 1 of the resolution": 4,
        "solver, order 2, 0.5 of the resolution": 2,
        "solver, order 2, 1 of the resolution": 2,
    }


# Simulators in time


def started(recipe):
    return recipe.simulate("test", [0, 1])


def test_the_sweep_uses_the_solver_that_made_the_data():
    """At the recipe's own grid and step it makes the stored frames from the first of them, to float32 rounding."""
    recipe = marched(solver=partial(imex, scheme="ark4"), substeps=4, params={})
    batch = started(recipe)
    problem, settings = recipe.problem("test"), Evaluation(sweep=SolverSweep(sizes=(1.0,), steps=(1, 4)))
    found, _ = solver_rows(problem, recipe, settings)
    assert list(found) == [f"solver 32, dt {dt}{p}" for dt in ("0.1", "0.025") for p in (", float32", "")]
    forecast = found["solver 32, dt 0.025"].forecast(batch.frames(slice(0, 1)), batch.t[:, 1:])[0]
    torch.testing.assert_close(forecast, batch.u[:, 1:], rtol=0, atol=1e-5)
    other, _ = solvers(problem, (1.0,), (1,))
    coarse = found["solver 32, dt 0.1"].forecast(batch.frames(slice(0, 1)), batch.t[:, 1:])[0]
    chosen = other["solver 32, dt 0.1"].forecast(batch.frames(slice(0, 1)), batch.t[:, 1:])[0]
    assert float((coarse - chosen).abs().max()) > 1e-6, "without the recipe the solver is chosen from the equation"
    assert found["solver 32, dt 0.1"].precision == "float64"


def test_blocks_do_not_change_a_forecast_of_either_kind():
    for recipe in (marched(), slab(Slab(dt=0.5, n_frames=6))):
        batch = started(recipe)
        model = SimulatorBaseline(recipe.problem("test"), recipe.simulator, draw=partial(recipe.draw, "test"))
        given = batch.frames(slice(0, 1))
        blocks = torch.cat(list(model.march(given, batch.t[:, 1:], 2)), 1)
        assert torch.equal(blocks, model.forecast(given, batch.t[:, 1:])[0])
        assert float(model.loss(batch)[0]) < 1e-10


def test_a_closed_basin_has_a_solver_baseline():
    recipe = basin()
    batch = started(recipe)
    found, absent = solver_rows(
        recipe.problem("test"), recipe, Evaluation(sweep=SolverSweep(sizes=(0.5, 1.0), steps=(8,)))
    )
    assert not absent
    errors = {}
    for name in ("solver 8, dt ≤ 0.0125", "solver 16, dt ≤ 0.0125"):
        u = found[name].forecast(batch.frames(slice(0, 1)), batch.t[:, 1:])[0]
        mass = u[:, :, 0].double().mean(-1)
        torch.testing.assert_close(mass, batch.u[:, :1, 0].double().mean(-1).expand_as(mass), rtol=1e-6, atol=0)
        errors[name] = float((u - batch.u[:, 1:]).norm())
    assert errors["solver 16, dt ≤ 0.0125"] < 0.5 * errors["solver 8, dt ≤ 0.0125"]
