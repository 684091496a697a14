"""Datasets between walls: the start of a layer, and the solver that made the data as a baseline."""

import dataclasses

import numpy as np
import pytest
import torch

from pdekit.checks.conservation import integral_rows
from pdekit.fields import Grid
from pdekit.metrics.budgets import budgets
from pdekit.models.baselines.simulator import SimulatorBaseline
from pdekit.pdes import RayleighBenard
from pdekit.recipes.initial import PerturbedLayer
from pdekit.simulators.base import Refinement, parameters
from tests.recipes.test_configs import compose


def test_a_layer_begins_at_rest_with_waves_that_vanish_at_the_plates():
    grid = Grid((32, 400), (2.0, 1.0), layout=("periodic", "cells"))
    fields = RayleighBenard.fields
    drawn = torch.stack([PerturbedLayer(0.1)(grid, fields, np.random.default_rng(seed)) for seed in range(2)])
    assert not drawn[:, :2].any()
    waves = drawn[:, 2] - (1 - grid.mesh()[1])
    torch.testing.assert_close(waves.square().mean((1, 2)).sqrt(), torch.full((2,), 0.1).double(), rtol=1e-3, atol=0)
    assert float(waves[:, :, [0, -1]].abs().max()) < 0.02 and (waves[0] - waves[1]).abs().max() > 0.05
    coarse = PerturbedLayer(0.1)(grid.resized((16, 400)), fields, np.random.default_rng(1))
    torch.testing.assert_close(coarse, drawn[1][:, ::2], rtol=0, atol=1e-14)
    with pytest.raises(ValueError, match="a temperature as the last field on an axis x that is periodic"):
        PerturbedLayer()(Grid((8, 8), (1.0, 1.0)), fields, np.random.default_rng(0))


def test_a_check_of_a_layer_asks_whether_its_budgets_close():
    recipe = compose("rayleigh_benard")
    problem = recipe.problem("test")
    assert [row.name for row in integral_rows(problem)] == ["budget.heat", "budget.kinetic_energy"]
    draws = [recipe.draw("test", n) for n in range(2)]
    u = torch.stack([one.start(recipe.grid) for one in draws])[:, None]
    stored, rates = budgets(u, problem, parameters(recipe.simulator, draws))["heat"]
    torch.testing.assert_close(stored, torch.ones_like(stored), rtol=0.02, atol=0)
    assert rates["hot plate"].shape == (2, 1) and (rates["hot plate"] > 0).all() and (rates["cold plate"] < 0).all()


@pytest.mark.parametrize("name", ["cavity", "rayleigh_benard"])
def test_the_solver_forecasts_its_own_data(name):
    """From a stored frame, on the grid of the data: the mean of cells is what is stored, to float32."""
    recipe = compose(name)
    shape = tuple(n // 2 for n in recipe.grid.shape)
    counts = dict.fromkeys(("train", "valid", "test"), 2)
    recipe = dataclasses.replace(
        recipe, grid=recipe.grid.resized(shape), solver_shape=shape, n_frames=counts, n_trajectories=counts, substeps=2
    )
    data = recipe.simulate("test", [0, 1])
    problem = recipe.problem("test")
    found = SimulatorBaseline(problem, recipe.simulator).forecast(data.known(1), data.t[:, 1:])[0]
    moved = float((data.u[:, 1] - data.u[:, 0]).norm())
    assert float((found[:, 0] - data.u[:, 1]).norm()) < 0.12 * moved
    coarse = SimulatorBaseline(problem, recipe.simulator, Refinement(space=0.5)).forecast(data.known(1), data.t[:, 1:])
    assert torch.isfinite(coarse).all() and float((coarse[0][:, 0] - data.u[:, 1]).norm()) < moved
