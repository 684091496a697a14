"""Inlets are drawn together: numbers, distances, order and ranges; the ambient flow is a flow in a closed box."""

import dataclasses

import numpy as np
import pytest
import torch

import pdekit
from pdekit.calculus.mirrored import Mirrored, resample_mirrored, signs_at_walls
from pdekit.fields import Grid
from pdekit.pdes import Boussinesq
from pdekit.recipes.initial import AmbientFlow
from pdekit.recipes.inlets import ABSENT, Inlets
from pdekit.simulators.base import collected
from pdekit.simulators.check import self_convergence
from pdekit.simulators.stepping import Stepping
from tests.recipes.test_configs import compose


def test_inlets_keep_their_distance_and_stand_from_left_to_right():
    inlets, counts = Inlets(), []
    for seed in range(300):
        values = inlets.draw(np.random.default_rng(seed))
        assert list(values) == list(inlets) and all(inlets[k].low <= v <= inlets[k].high for k, v in values.items())
        count = sum(values[f"rate_{n}"] > 0 for n in (1, 2, 3))
        counts.append(count)
        places = np.array([(values[f"x_{n}"], values[f"y_{n}"]) for n in range(1, count + 1)])
        assert (np.diff(places[:, 0]) >= 0).all()
        assert all(np.linalg.norm(a - b) >= 0.25 for i, a in enumerate(places) for b in places[:i])
        for n in range(count + 1, 4):
            assert {name: values[f"{name}_{n}"] for name in ABSENT} == ABSENT
    assert all(70 < counts.count(n) < 130 for n in (1, 2, 3))  # 100 +- 8.2 each


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"number": (0, 2)}, "expected 1 to 3 inlets"),
        ({"radius": (0.1, 0.05)}, "expected .* as radius of inlets"),
    ],
)
def test_ranges_that_are_none_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Inlets(**wrong)


def test_no_room_is_an_error():
    with pytest.raises(ValueError, match="expected room for 3 inlets"):
        Inlets(number=(3, 3), distance=0.9).draw(np.random.default_rng(0))


def test_the_ambient_flow_is_free_of_divergence_and_as_fast_as_said():
    grid, fields = Grid((24, 16), (1.0, 2.0), layout=("cells", "cells")), Boussinesq.fields
    drawn = [AmbientFlow(speed=0.05)(grid, fields, np.random.default_rng(seed)) for seed in range(200)]
    u, signs = torch.stack(drawn), signs_at_walls(fields, 2)
    assert not u[:, 2].any()
    assert abs(float((u[:, :2] ** 2).sum(1).mean().sqrt()) - 0.05) < 0.003
    d = Mirrored(grid)
    vx, vy, _ = d.field(u, signs).components()
    assert float((d.x(vx) + d.y(vy)).samples.abs().max()) < 1e-13
    fine = AmbientFlow(speed=0.05)(grid.resized((48, 40)), fields, np.random.default_rng(3))
    torch.testing.assert_close(resample_mirrored(fine[None], (24, 16), signs)[0], drawn[3], rtol=0, atol=1e-14)
    with pytest.raises(ValueError, match="expected a velocity as the first two fields"):
        AmbientFlow()(Grid((8, 8), (1.0, 1.0)), fields, np.random.default_rng(0))


def small() -> Stepping:
    return dataclasses.replace(compose("smoke").simulator, shape=(24, 24), substeps=4, dtype="float64")


def test_frames_on_fewer_cells_keep_the_smoke_and_start_the_solver_again():
    """A coarser frame is the part of the field that it can hold: so short a flow goes on from it almost the same."""
    recipe, simulator = compose("smoke"), small()
    draws = [recipe.draw("train", n) for n in range(2)]
    own, _ = collected(simulator.march(draws, recipe.grid.resized((24, 24))), 3)
    coarse, _ = collected(simulator.march(draws, recipe.grid.resized((16, 16))), 3)
    torch.testing.assert_close(coarse[:, :, 2].mean((2, 3)), own[:, :, 2].mean((2, 3)), rtol=1e-12, atol=0)
    again, _ = collected(simulator.march(draws, recipe.grid.resized((16, 16)), start=coarse[:, 1]), 2)
    torch.testing.assert_close(again[:, 0], coarse[:, 1], rtol=0, atol=1e-12)
    assert float((again[:, 1] - coarse[:, 2]).norm() / coarse[:, 2].norm()) < 2e-3


def test_refinements_of_a_check_begin_at_the_state_after_the_warm_up():
    recipe = dataclasses.replace(compose("smoke"), solver_shape=(16, 16), substeps=3, dtype="float64")
    grid = recipe.grid.resized((12, 12))
    found = self_convergence(recipe.simulator, [recipe.draw("test", 0)], grid, 3)
    assert found["error_space"][0][0] < 1e-12 and 1e-6 < found["error_space"][0][2] < 0.2


def test_solve_changes_some_of_the_parameters_that_are_drawn_together():
    closed = {f"rate_{n}": 0.0 for n in (1, 2, 3)}
    found = pdekit.solve("smoke", n_frames=1, shape=(16, 16), params={**closed, "viscosity": 0.01})
    assert not found.smoke.any() and found.velocity_y.any()
    with pytest.raises(ValueError, match="radius_1"):
        pdekit.solve("smoke", n_frames=2, shape=(16, 16), params={"radius_1": -1.0})
