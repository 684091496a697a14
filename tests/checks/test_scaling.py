"""Scaling: a right solver has that of its equation; a forecaster that ignores viscosity or size has not."""

import dataclasses

import pytest

from pdekit.checks.catalogue import chosen_rows
from pdekit.checks.run import ask
from pdekit.checks.verdict import CANNOT_SAY, FAIL, PASS
from pdekit.recipes.trajectories import Uniform
from tests.checks.grounds import finer_solver, ground, ground_from, small
from tests.checks.traps import trapped


def asked(states, forecaster):
    (row,) = chosen_rows(states.problem, ["symmetry.scale"])
    return ask(row, forecaster, states).verdict


def of_one_size(u, after):
    """The right frame, brought to the size 1."""
    return after / after.square().flatten(1).mean(1).sqrt().reshape(-1, *[1] * (u.ndim - 1))


@pytest.fixture(scope="module")
def burgers():
    """Burgers' equation whose viscosity and step are inputs; what the training split has had is not known."""
    params = {"viscosity": Uniform(0.02, 0.06), "dt": Uniform(0.04, 0.06)}
    return dataclasses.replace(ground_from(small("burgers", params=params)), training=None)


def test_twice_as_fast_with_twice_the_viscosity(burgers):
    assert asked(burgers, finer_solver(burgers)).verdict == PASS
    assert asked(burgers, trapped(burgers, of_one_size)).verdict == FAIL


def test_gas_of_another_density_moves_alike():
    states = ground_from(small("euler_1d", shape=(24,)), n_states=2, horizon=1)
    assert asked(states, finer_solver(states)).verdict == PASS
    assert asked(states, trapped(states, of_one_size)).verdict == FAIL


def test_what_is_no_input_cannot_be_scaled():
    found = asked(ground("burgers"), finer_solver(ground("burgers")))
    assert found.verdict == CANNOT_SAY
    assert found.reason == "the scaling changes viscosity and dt, which the model is not given"
    assert asked(ground("ks"), finer_solver(ground("ks"))).reason == "the equation declares no scaling"


def test_parameters_that_training_has_not_had_are_not_asked_for(burgers):
    known = ground_from(small("burgers", params={"viscosity": Uniform(0.02, 0.021), "dt": Uniform(0.04, 0.041)}))
    assert asked(known, finer_solver(known)).reason == "the scaled parameters lie outside of the training range"
