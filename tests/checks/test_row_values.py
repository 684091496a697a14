"""Numbers of rows that have a closed form: distances, ranges, what grows, what has arrived."""

import dataclasses

import pytest
import torch

from pdekit.checks.catalogue import chosen_rows
from pdekit.checks.domain import nearest_distance, rising
from pdekit.checks.ground import TrainingRange
from pdekit.checks.locality import ARRIVED
from pdekit.checks.run import ask
from pdekit.checks.symmetry import operations
from pdekit.checks.verdict import CANNOT_SAY, FAIL, PASS
from tests.checks.grounds import finer_solver, ground, ground_from, small
from tests.checks.traps import trapped


def test_a_state_is_as_far_as_the_root_mean_square_from_its_neighbour():
    """A state that is half a deviation off in one field of two lies 0.5 / sqrt(2) away."""
    known = torch.tensor([-1.0, 1.0], dtype=torch.float64)[:, None, None].expand(2, 2, 8)
    unit = known.std((0, 2), keepdim=True)
    state = known[:1] + torch.tensor([0.5, 0.0], dtype=torch.float64)[:, None] * unit
    assert nearest_distance(state, known).item() == pytest.approx(0.5 / 2**0.5)
    assert nearest_distance(known, known, apart=True).tolist() == pytest.approx([2 / float(unit[0, 0, 0])] * 2)


def test_parameters_beyond_either_end_are_outside():
    states = ground("ks_varying")
    (row,) = chosen_rows(states.problem, ["domain.params"])
    known = states.training.params
    low, high = known.amin(0), known.amax(0)
    for beyond in (low - 0.5 * (high - low), high + 0.5 * (high - low)):
        given = dataclasses.replace(states.given, params=beyond.expand(len(states.given), -1))
        away = dataclasses.replace(states, given=given, training=TrainingRange(states.training.states, known))
        assert row.value(away.solver, away).tolist() == pytest.approx([0.5] * len(given))


def test_what_grows_and_falls_again_has_grown():
    """Frames with 1, 3 and 1 times the start: the energy grows by eight times that of the start in between."""
    states = ground("burgers")
    name = next(iter(states.problem.pde.dissipated(states.given.u[:, -1], states.problem.box)))
    (row,) = chosen_rows(states.problem, [f"dissipation.{name.replace(' ', '_')}"])
    factors = iter([1.0, 3.0, 1.0] * 10)
    start = states.given.u[:, -1]
    rising = trapped(states, lambda u, after: next(factors) * start.to(after))
    energy = states.problem.pde.dissipated(start, states.problem.box)[name]
    torch.testing.assert_close(row.value(rising, states), 8 * energy.double(), rtol=1e-5, atol=0.0)


def test_the_solvers_own_kick_has_not_arrived_where_nothing_may():
    """The sum over points with less than 1e-3 of the largest response is below 1e-3 of the whole, by its definition."""
    states = ground("burgers")
    (row,) = chosen_rows(states.problem, ["locality.kick"])
    assert float(row.value(states.solver, states).max()) < ARRIVED * states.problem.grid.shape[0] ** 0.5


def test_two_steps_are_one_of_twice_the_length_where_the_step_is_an_input():
    """The solver obeys its step; a forecaster that takes the nominal one whatever is asked does not."""
    states = ground("ks_jitter")
    number, known = states.problem.params.index("dt"), states.training.params.clone()
    (row,) = chosen_rows(states.problem, ["time.two_steps"])
    assert "twice another" in row.excluded(states.solver, states), "the published jitter is 10 %"
    known[0, number], known[1:, number] = states.problem.dt, 2 * states.problem.dt
    states = dataclasses.replace(states, training=TrainingRange(states.training.states, known))
    assert row.excluded(states.solver, states) == ""
    assert ask(row, finer_solver(states), states).verdict.verdict == PASS
    damped = trapped(states, lambda u, after: 0.5 * u)  # halves the state in each forecast, however long it is
    assert ask(row, damped, states).verdict.verdict == FAIL


def test_an_error_that_rises_with_the_distance_is_found():
    """17 states of growing distance: noise does not rise, the distance itself does, and half of each is in between."""
    distance, noise = torch.arange(17.0), torch.rand(17, generator=torch.Generator().manual_seed(1))
    assert rising(distance, noise).verdict == PASS
    found = rising(distance, distance**2)
    assert found.verdict == FAIL and found.reason == "rank correlation 1.00 over 17 states, 0.25 by chance"
    assert rising(distance, torch.where(distance > 12, torch.inf, 1.0)).verdict == FAIL, "far states diverge"
    assert rising(distance, torch.ones(17)).verdict == CANNOT_SAY


def test_a_forecast_that_is_worse_far_from_training_fails():
    """Known are copies of the first states; the trap adds what the others are away from them."""
    few, many = ground("ks"), ground_from(small("ks"), n_states=20, horizon=1)
    (row,) = chosen_rows(many.problem, ["domain.error"])
    assert row.excluded(few.solver, few).startswith("3 states are too few for a rank correlation; ask for n_states=17")
    training = TrainingRange(many.given.u[:3, 0])
    states = dataclasses.replace(many, training=training)
    away = nearest_distance(states.given.u[:, -1], training.states)
    worse = trapped(states, lambda u, after: after + 0.1 * away.reshape(-1, 1, 1))
    assert ask(row, worse, states).verdict.verdict == FAIL
    equal = states.missed(1).reshape(-1, 1, 1) * torch.rand(len(away), 1, 1, generator=torch.Generator().manual_seed(2))
    assert ask(row, trapped(states, lambda u, after: after + equal), states).verdict.verdict == PASS


def test_the_moving_frame_has_half_a_deviation_of_speed():
    """u(x, t) -> u(x - c t, t) + c of the equation of Kuramoto and Sivashinsky, with c half a deviation of u."""
    states = ground("ks")
    boost = next(one for one in operations(1) if one.name == "boost_x")
    start = states.given.u
    added = boost.apply(start, torch.zeros(start.shape[:2], dtype=torch.float64), states) - start
    torch.testing.assert_close(added, torch.full_like(added, 0.5 * float(states.unit[0])))
