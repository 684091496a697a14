"""Inlets and buoyancy of true simulations are found again, and prompts are told from others."""

import dataclasses
from math import isnan

import pytest
import torch

from pdekit.captions import caption
from pdekit.captions.reading import read_smoke
from pdekit.fields import Grid
from pdekit.metrics.plumes import Plumes, Tolerance, follows_prompt, inlets, plumes_of, simpson
from pdekit.simulators.base import collected
from tests.recipes.test_configs import compose

BOX = Grid((32, 32), (1.0, 1.0), layout=("cells", "cells"))


@pytest.fixture(scope="module")
def flows():
    """Six simulations of 3 time units on 24 cells."""
    recipe = compose("smoke")
    draws = [recipe.draw("valid", number) for number in range(6)]
    simulator = dataclasses.replace(recipe.simulator, shape=(28, 28), substeps=6)
    u, _ = collected(simulator.march(draws, recipe.grid.resized((28, 28))), 13)
    return recipe, [draw.params for draw in draws], u


def found_in(u, recipe):
    grid = BOX.resized(u.shape[3:])
    return plumes_of(u, grid, recipe.dt, recipe.pde.viscosity, recipe.pde.diffusivity), grid


def test_inlets_and_buoyancy_of_simulations_are_found(flows):
    recipe, params, u = flows
    found, _ = found_in(u, recipe)
    for values, one in zip(params, found, strict=True):
        places = [(values[f"x_{n}"], values[f"y_{n}"]) for n in (1, 2, 3) if values[f"rate_{n}"] > 0]
        rates = sorted((values[f"rate_{n}"] for n in (1, 2, 3) if values[f"rate_{n}"] > 0), reverse=True)
        assert len(one.centres) == len(places)
        for x, y in places:
            assert min(abs(a - x) + abs(b - y) for a, b in one.centres) < 0.03
        assert one.rates == pytest.approx(rates, rel=0.3)
        assert abs(one.buoyancy - values["buoyancy"]) < 0.03 and one.misfit < 0.3


def test_captions_agree_with_their_own_flows_and_not_with_others(flows):
    recipe, params, u = flows
    found, grid = found_in(u, recipe)
    problem = recipe.problem("valid")
    read = [read_smoke(caption(problem, values, "short", (n,))) for n, values in enumerate(params)]
    agrees = [[follows_prompt(one, grid, r.count, r.cells, r.buoyancy).all for one in found] for r in read]
    assert all(agrees[n][n] for n in range(6))
    assert sum(map(sum, agrees)) <= 8, "of 30 foreign pairs hardly any agrees by chance"


def test_noise_of_five_percent_leaves_count_and_buoyancy(flows):
    recipe, params, u = flows
    noise = 0.05 * u.std(dim=(0, 1, 3, 4), keepdim=True) * torch.randn_like(u)
    found, _ = found_in(u + noise, recipe)
    for values, one in zip(params, found, strict=True):
        assert len(one.centres) == sum(values[f"rate_{n}"] > 0 for n in (1, 2, 3))
        assert abs(one.buoyancy - values["buoyancy"]) < 0.06


def test_maxima_next_to_each_other_are_one_inlet():
    x, y = BOX.mesh()

    def bump(a, b, rate=1.0):
        return rate * torch.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * 0.05**2))

    centres, rates = inlets(bump(0.31, 0.42) + bump(0.7, 0.3, 0.6) + bump(0.5, 0.9, 0.2), BOX)
    assert [pytest.approx((0.31, 0.42), abs=0.01), pytest.approx((0.7, 0.3), abs=0.01)] == list(centres)
    assert rates == pytest.approx((1.0, 0.6), rel=0.05)
    assert len(inlets(bump(0.5, 0.5) + bump(0.6, 0.5), BOX)[0]) == 1
    assert inlets(torch.zeros(32, 32, dtype=torch.float64), BOX) == ((), ())


def test_a_flow_that_is_not_finite_has_no_plumes():
    u = torch.full((1, 5, 3, 32, 32), torch.nan)
    (found,) = plumes_of(u, BOX, 0.25, 1e-3, 1e-3)
    assert found.centres == () and isnan(found.buoyancy)
    assert follows_prompt(found, BOX, buoyancy=0.4).all is False
    with pytest.raises(ValueError, match="expected at least 5 frames"):
        plumes_of(u[:, :3], BOX, 0.25, 1e-3, 1e-3)


@pytest.mark.parametrize("n", [5, 8, 13, 24])
def test_the_integral_of_a_cubic_is_exact(n):
    t = torch.linspace(0, 2, n, dtype=torch.float64)
    assert abs(float((simpson(n, 2 / (n - 1)) * (t**3 - t)).sum()) - 2.0) < 1e-12


def test_each_place_needs_an_inlet_of_its_own():
    two = Plumes(((0.2, 0.2), (0.37, 0.2)), (1.0, 0.8), 0.43, 0.1)
    assert follows_prompt(two, BOX, cells=[(1, 0), (0, 0)]).places is True
    assert follows_prompt(two, BOX, cells=[(0, 0), (0, 0)]).places is True  # 0.37 is within 0.05 of the left third
    assert follows_prompt(two, BOX, cells=[(0, 0), (0, 0)], tolerance=Tolerance(place=0.01)).places is False
    assert follows_prompt(two, BOX, count=3).all is False and follows_prompt(two, BOX).all is True
