"""Correlation times under their three definitions, with divergence and censoring."""

import math

import numpy as np
import pytest

from pdekit.metrics.horizons import (
    blow_up_time,
    correlation_time_first_crossing,
    correlation_time_mean_then_count,
    correlation_time_mean_then_first,
    diverged,
    quantile,
    stable_share,
    stable_steps,
    valid_time_first_crossing,
    valid_time_mean_then_count,
    valid_time_mean_then_first,
)


def test_first_crossing_of_a_linear_decay_is_exact():
    t = np.arange(1, 11) * 0.5
    slopes = np.array([0.05, 0.1, 0.4])
    result = correlation_time_first_crossing(1 - slopes[:, None] * t, t, threshold=0.8)
    assert result.time == pytest.approx([0.2 / 0.05, 0.2 / 0.1, 0.2 / 0.4])
    assert not result.censored.any()


def test_a_fall_before_the_first_frame_is_interpolated_from_one():
    result = correlation_time_first_crossing(np.array([0.2, 0.9]), np.array([1.0, 2.0]))
    assert result.time == pytest.approx(0.25)


def test_the_step_may_differ_between_trajectories():
    rho = np.array([[0.95, 0.75, 0.5]] * 2)
    t = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    assert correlation_time_first_crossing(rho, t).time == pytest.approx([1.75, 17.5])


@pytest.mark.parametrize("bad", [math.nan, -math.inf, math.inf])
def test_divergence_is_a_crossing_at_the_last_good_frame(bad):
    result = correlation_time_first_crossing(np.array([0.99, 0.98, bad, 0.99]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert result.time == 2 and not result.censored
    assert correlation_time_first_crossing(np.array([bad, bad]), np.array([1.0, 2.0])).time == 0


def test_censored_at_the_horizon():
    result = correlation_time_first_crossing(np.array([[0.9, 0.8], [0.9, 0.79]]), np.array([3.0, 6.0]))
    assert result.time[0] == 6 and result.time[1] < 6
    assert result.censored.tolist() == [True, False]


def test_the_definitions_differ_where_the_literature_says():
    # one trajectory falls early and comes back, one holds: a count, a fall of the mean and falls are three numbers
    t = np.arange(1.0, 7.0)
    rho = np.array([[0.9, 0.5, 0.9, 0.9, 0.5, 0.1], [1.0, 1.0, 1.0, 1.0, 0.9, 0.9]])
    # the means are .95, .75, .95, .95, .70, .50
    assert correlation_time_mean_then_count(rho, t).time == 3
    assert correlation_time_mean_then_first(rho, t).time == pytest.approx(1 + 0.15 / 0.2)
    assert correlation_time_first_crossing(rho, t).time == pytest.approx([1 + 0.1 / 0.4, 6])
    assert correlation_time_mean_then_count(rho[1:], t).censored


def test_exponential_divergence_gives_the_same_time_under_all_definitions():
    # rho = 1 - (e0 exp(lambda t))^2 / 2 falls below 0.8 at t = log(sqrt(0.4)/e0)/lambda
    rate, e0, dt = 0.087, 1e-3, 0.1
    t = np.arange(1, 1200) * dt
    rho = np.broadcast_to(1 - (e0 * np.exp(rate * t)) ** 2 / 2, (5, t.size))
    expected = math.log(math.sqrt(0.4) / e0) / rate
    assert correlation_time_first_crossing(rho, t).time == pytest.approx(np.full(5, expected), abs=1e-3)
    assert correlation_time_mean_then_first(rho, t).time == pytest.approx(expected, abs=1e-3)
    assert correlation_time_mean_then_count(rho, t).time == pytest.approx(expected, abs=dt)
    in_lyapunov_times = correlation_time_mean_then_first(rho, t).in_units_of(1 / rate)
    assert in_lyapunov_times.time == pytest.approx(math.log(math.sqrt(0.4) / e0), abs=1e-3)


def test_one_divergence_ends_the_mean():
    rho = np.array([[0.99] * 4, [0.99, -np.inf, -np.inf, -np.inf]])
    assert correlation_time_mean_then_count(rho, np.arange(1.0, 5.0)).time == 1
    assert correlation_time_mean_then_first(rho, np.arange(1.0, 5.0)).time == 1


def test_diverged():
    assert diverged(np.array([[1.0, 2.0], [1.0, np.inf], [np.nan, 1.0]])).tolist() == [False, True, True]


@pytest.mark.parametrize("q", [0.0, 0.25, 0.3, 0.5, 0.75, 1.0])
def test_quantile_is_numpys_and_survives_infinities(q):
    values = np.random.default_rng(0).normal(size=(11, 3))
    np.testing.assert_allclose(quantile(values, q), np.quantile(values, q, axis=0), rtol=1e-12)
    values[3], values[4] = np.inf, np.inf
    result = quantile(values, q)
    assert not np.isnan(result).any()
    assert np.isinf(result).all() == (q > 8 / 10)
    assert quantile(np.array([-np.inf, -np.inf, 1.0]), 0.5) == -np.inf


class TestExponentialDivergence:
    """Errors 1e-4 exp(lambda_i t): the definitions on a series whose crossings are known."""

    t = np.arange(1, 401) * 0.1
    rates = np.array([0.2, 0.25, 0.3])

    @property
    def error(self):
        return 1e-4 * np.exp(self.rates[:, None] * self.t)

    def test_first_crossing_of_each(self):
        result = valid_time_first_crossing(self.error, self.t, 0.1)
        assert result.time[1:] == pytest.approx(np.log(1e3) / self.rates[1:], abs=2e-3)
        assert result.time[0] == pytest.approx(np.log(1e3) / 0.2, abs=2e-3) and not result.censored.any()
        lyapunov = result.in_units_of(1 / self.rates)
        assert lyapunov.time == pytest.approx(np.log(1e3), abs=1e-3)

    def test_mean_then_first_is_that_of_the_mean(self):
        mean = self.error.mean(0)
        found = valid_time_mean_then_first(self.error, self.t, 0.1).time.item()
        assert mean[int(found / 0.1) - 1] < 0.1 < mean[int(found / 0.1)]
        single = np.median(valid_time_first_crossing(self.error, self.t, 0.1).time)
        assert found < single, "the worst forecast leads the mean"

    def test_counting_ignores_the_order(self):
        order = np.random.default_rng(0).permutation(len(self.t))
        counts = [valid_time_mean_then_count(e, self.t, 0.1).time.item() for e in (self.error, self.error[:, order])]
        assert counts[0] == counts[1] == pytest.approx((self.error.mean(0) < 0.1).sum() * 0.1)
        assert valid_time_mean_then_first(self.error[:, order], self.t, 0.1).time < counts[0] / 2

    def test_steps_do_not_depend_on_the_step(self):
        dt = np.array([[0.1], [0.2], [0.4]])
        t = dt * np.arange(1, 401)
        error = np.tile(self.error[1], (3, 1))
        result = valid_time_first_crossing(error, t, 0.1).in_units_of(dt[:, 0])
        assert result.time == pytest.approx(np.full(3, result.time[0]))
        assert (np.ceil(result.time) - 1 == stable_steps(error, 0.1)).all()


def test_valid_times_of_divergence_and_censoring():
    error = np.array([[0.1, math.nan, 0.1], [0.1, math.inf, 0.1], [0.1, 0.2, 0.3]])
    result = valid_time_first_crossing(error, np.array([1.0, 2.0, 3.0]))
    assert result.time.tolist() == [1, 1, 3] and result.censored.tolist() == [False, False, True]
    assert valid_time_mean_then_first(error, np.array([1.0, 2.0, 3.0])).time == 1
    assert valid_time_mean_then_count(error, np.array([1.0, 2.0, 3.0])).time == 2


def test_blow_up():
    error = np.array([[0.1, 0.2, math.nan], [0.1, 20.0, 0.1], [0.1, 0.1, 0.1], [-math.inf, 0.1, 0.1]])
    t = np.array([0.5, 1.0, 1.5])
    assert blow_up_time(error, t).time.tolist() == [1.5, 1.5, 1.5, 0.5]
    assert blow_up_time(error, t).censored.tolist() == [False, True, True, False]
    assert blow_up_time(error, t, bound=10).time.tolist() == [1.5, 1.0, 1.5, 0.5]
    assert stable_share(error) == 0.5 and stable_share(error, bound=10) == 0.25


def test_a_value_at_the_threshold_is_not_below_it_and_not_above_it():
    """A fall is a value below; a count is of values above: pdearena's rule."""
    t, rho = np.array([1.0, 2.0, 3.0]), np.array([[0.875, 0.75, 0.5], [0.875, 0.75, 0.5]])
    assert correlation_time_mean_then_count(rho, t, 0.75).time == 1
    assert correlation_time_mean_then_first(rho, t, 0.75).time == 2
    assert (correlation_time_first_crossing(rho[:, :2], t[:2], 0.75).censored).all()
    assert valid_time_mean_then_count(1 - rho, t, 0.25).time == 1
    assert valid_time_mean_then_first(1 - rho, t, 0.25).time == 2
    assert stable_steps(1 - rho, 0.25).tolist() == [2, 2]


def test_frames_that_are_not_evenly_spaced():
    """A crossing lies between its own two frames; a count takes their mean spacing."""
    t, rho = np.array([1.0, 2.0, 6.0, 12.0]), np.array([[0.9, 0.85, 0.75, 0.95]])
    assert correlation_time_first_crossing(rho, t).time == pytest.approx([2 + 4 * 0.05 / 0.1])
    assert correlation_time_mean_then_first(rho, t).time == pytest.approx(4.0)
    assert correlation_time_mean_then_count(rho, t).time == 3 * 12 / 4
    late = correlation_time_mean_then_first(np.concatenate([rho, rho]), np.stack([t, 3 * t]))
    assert late.time == pytest.approx(8.0), "at the mean lead times"
    assert blow_up_time(np.array([0.1, 0.2, 30.0, 0.1]), t, 10).time == 6
