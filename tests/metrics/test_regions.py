"""Residuals of steady problems: zero for a solution, known for an error, separate at jumps, and the reference's own."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
import xarray as xr

from pdekit.calculus import FiniteDifference
from pdekit.data.arrays import Arrays
from pdekit.fields import Field, Grid, Points, Problem
from pdekit.metrics.physics import PLACES
from pdekit.metrics.regions import equation_residuals, has_equations, jumps, rmse_by_place, zones_of
from pdekit.models.baselines.mean import Mean
from pdekit.pdes import (
    AcousticStructure,
    Burgers,
    Darcy,
    Elder,
    ElectroOsmosis,
    ElectroThermal,
    Magnetohydrodynamics,
    ThermoFluid,
)
from pdekit.solvers.elliptic import elliptic
from tests.evaluation.scoring import evaluate
from tests.recipes.slab import Slab, slab

NODES = ("nodes", "nodes")


def darcy(n: int, **changes) -> Problem:
    grid = Grid((n, n), (1.0, 1.0), layout=NODES)
    known = {"coeffs": (Field("permeability"),), "pde": Darcy()}
    return Problem(grid, (Field("pressure"),), **{**known, **changes})


def solution(problem: Problem, a):
    """The solver's u for a permeability, as "1 channel *space"."""
    return torch.from_numpy(elliptic(a, 1.0, problem.grid.spacing))[None, None], torch.from_numpy(a)[None, None]


def test_an_error_shows_with_its_size_and_its_unit():
    """u + 0.01 x (1 - x) y (1 - y) leaves a times 0.02 (x (1 - x) + y (1 - y)), whose mean square is known."""
    problem = darcy(33)
    x, y = problem.grid.mesh()
    ones = torch.ones(1, 1, 33, 33, dtype=torch.float64)
    exact = -(x**2) / 4 - y**2 / 4
    wrong = exact + 0.01 * x * (1 - x) * y * (1 - y)
    assert equation_residuals(exact[None, None], problem, coeffs=ones)[0, :2].max() < 1e-9
    found = equation_residuals(wrong[None, None], problem, coeffs=ones)[0, 0, 0]
    inner = slice(1, -1)
    expected = (0.02 * (x * (1 - x) + y * (1 - y)))[inner, inner].square().mean().sqrt()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    doubled = equation_residuals(exact[None, None] + 2 * (wrong - exact), problem, coeffs=ones)[0, 0, 0]
    torch.testing.assert_close(doubled, 2 * expected, rtol=1e-6, atol=0)


def test_the_floor_lies_at_the_interface_where_a_jumps():
    found = []
    for n in (57, 113):
        problem = darcy(n)
        x, _ = problem.grid.mesh()
        u, a = solution(problem, np.where(x.numpy() > 0.3, 12.0, 3.0))
        found.append(equation_residuals(u, problem, coeffs=a)[0, :, 0])
    interior, boundary, interface = found[0]
    assert interior < 0.01 and boundary < 0.2 < 0.5 < interface  # the source is 1; corners spoil the boundary
    assert 1.8 < found[1][2] / interface < 2.2  # like 1 / spacing


def test_places_of_masks_and_jumps():
    problem = dataclasses.replace(darcy(15), has_mask=True)
    mask = torch.ones(2, 1, 15, 15, dtype=torch.float64)
    mask[0, 0, 5:10, 5:10] = 0
    coeffs = torch.ones(2, 1, 15, 15, dtype=torch.float64)
    coeffs[1, 0, :, 8:] = 5.0
    zones = zones_of(problem, coeffs, mask, mask)
    total = sum(zone.int() for zone in zones.values())
    assert torch.equal(total, (mask[:, 0] > 0).int())  # every point with a field in one place
    hole = zones["interface"][0]
    assert hole[4, 7] and hole[3, 7] and not hole[2, 7] and not hole[7, 7]
    assert torch.equal(zones["interface"][1], torch.arange(15).sub(7.5).abs().lt(3).expand(15, 15))
    assert zones["boundary"][0, 0, 3] and not zones["boundary"][0, 1, 3]


def test_smooth_coefficients_have_no_jump_and_periodic_axes_wrap():
    grid = Grid((16,), (1.0,))
    assert not jumps(torch.sin(2 * torch.pi * grid.coordinates(0))[None], grid).any()
    step = torch.where(torch.arange(8) < 4, 1.0, 2.0)[None]
    assert jumps(step, Grid((8,), (1.0,))).sum() == 4
    assert jumps(step, Grid((8,), (1.0,), layout=("nodes",))).sum() == 2
    assert not jumps(torch.ones(1, 8), Grid((8,), (1.0,))).any()


def test_a_divergence_is_inf_and_outside_the_mask_nothing_counts():
    problem = dataclasses.replace(darcy(15), has_mask=True)
    mask = torch.ones(2, 1, 15, 15, dtype=torch.float64)
    mask[..., 5:10, 5:10] = 0
    u, a = (values.expand(2, 1, 15, 15).clone() for values in solution(problem, np.ones((15, 15))))
    expected = equation_residuals(u, problem, coeffs=a, mask=mask)
    u[..., 7, 7] = math.nan
    torch.testing.assert_close(equation_residuals(u, problem, coeffs=a, mask=mask), expected)
    u[1, 0, 2, 2] = math.inf
    found = equation_residuals(u, problem, coeffs=a, mask=mask)
    torch.testing.assert_close(found[0], expected[0])
    assert found[1].isposinf().all()


@pytest.mark.parametrize(
    "pde", [AcousticStructure(), Elder(), ElectroOsmosis(), ElectroThermal(), Magnetohydrodynamics(), ThermoFluid()]
)
def test_every_equation_of_a_coupled_system_has_a_name_with_a_unit(pde):
    grid = Grid((9, 9), (1.0, 1.0), layout=("cells", "cells"))
    coeffs = {one.name: torch.ones(1, 1, 9, 9, dtype=torch.float64) for one in pde.coeffs}
    d = FiniteDifference(grid, frames=3, dt=1.0, coeffs=coeffs)
    u = torch.zeros(3, len(pde.fields), 9, 9, dtype=torch.float64)
    assert pde.residual(d.field(u), d).shape[1] == len(set(pde.equations))
    assert all(name.endswith(")") for name in pde.equations)


def test_errors_by_place_are_those_of_a_sum_over_the_points_one_by_one():
    problem = dataclasses.replace(darcy(11), fields=(Field("pressure"), Field("flow")), pde=None, has_mask=True)
    generator = torch.Generator().manual_seed(0)
    u, reference = torch.randn(2, 2, 2, 11, 11, dtype=torch.float64, generator=generator)
    mask = (torch.rand(2, 2, 11, 11, generator=generator) > 0.05).double()
    coeffs = torch.ones(2, 1, 11, 11, dtype=torch.float64)
    zones = zones_of(problem, coeffs, mask, u)
    u[mask == 0] = math.nan  # where a field does not exist nothing counts
    found = rmse_by_place(u, reference, problem, coeffs, mask)
    for sample, (place, name), channel in itertools.product(range(2), enumerate(PLACES), range(2)):
        errors = [
            float(u[sample, channel, i, j] - reference[sample, channel, i, j])
            for i, j in itertools.product(range(11), repeat=2)
            if zones[name][sample, i, j] and mask[sample, channel, i, j]
        ]
        expected = math.sqrt(sum(e * e for e in errors) / len(errors)) if errors else math.nan
        assert float(found[sample, place, channel]) == pytest.approx(expected, nan_ok=True)
    u[mask == 0] = 0.0
    u[1, 1, 5, 5] = math.inf
    mask[1, 1, 5, 5] = 1
    found = rmse_by_place(u, reference, problem, coeffs, mask)
    assert found[1, :, 1].isnan().logical_or(found[1, :, 1].isposinf()).all() and not found[:, :, 0].isinf().any()


def test_params_enter():
    problem = darcy(9, params=("source",))
    u, ones = torch.zeros(2, 1, 9, 9), torch.ones(2, 1, 9, 9)
    found = equation_residuals(u, problem, torch.tensor([[1.0], [3.0]]), ones)
    assert found[:, 0, 0].tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"pde": None},
        {"n_frames": 3, "dt": 0.1},
        {"coeffs": ()},
        {"grid": Grid((6, 9), (1.0, 1.0), layout=NODES)},
        {"grid": Points(2, 10), "boundary": ()},
        {"pde": Burgers()},
    ],
)
def test_what_does_not_determine_the_equation_has_no_residual(changes):
    assert has_equations(darcy(9))
    assert not has_equations(dataclasses.replace(darcy(9), **changes))


def test_an_evaluation_writes_every_model_beside_the_floor(tmp_path):
    """The reference's own residual is small in the interior, the mean's is large."""
    recipe = slab(Slab(masked=True))
    problem, batch = recipe.problem("test"), recipe.simulate("test", range(4))
    mean = Mean(problem)
    mean.calibrate([recipe.simulate("train", range(5))])
    evaluate({"first": mean}, Arrays(problem, batch), tmp_path, baselines={"mean": mean}, progress=False).close()
    with xr.open_dataset(tmp_path / "scores.nc", engine="h5netcdf") as scores:
        assert scores.equation_residual.dims == ("model", "sample", "place", "equation")
        assert "residual_place" not in scores, "that one is of problems in time"
        assert scores.place.values.tolist() == ["interior", "boundary", "interface"]
        floor, found = scores.equation_residual_floor, scores.equation_residual
        assert scores.rmse_by_place.dims == ("model", "sample", "place", "field")
        assert (scores.rmse_by_place.sel(place="interior") > 0).all()
        assert floor.shape == (4, 3, 1) and np.isfinite(found.sel(place="interface")).all()
        assert (found.sel(model="mean") == found.sel(model="first")).all()
        params, coeffs, mask = batch.params, batch.coeffs, batch.mask
        expected = equation_residuals(batch.u[:, 0], problem, params, coeffs, mask)
        np.testing.assert_allclose(floor.values, expected.float().numpy())
