"""The front of the solvers: what lies on it, what is interpolated, and what is not said."""

import math

import pytest

from pdekit.metrics.costs import Front, judge

POINTS = [(1.0, 0.8), (2.0, 0.4), (3.0, 0.5), (16.0, 0.05), (20.0, 0.05), (5.0, math.inf), (6.0, math.nan)]
FRONT = Front.of(POINTS)


def test_only_what_no_other_beats_lies_on_the_front():
    assert Front((1.0, 2.0, 16.0), (0.8, 0.4, 0.05)) == FRONT
    assert Front.of(reversed(POINTS)) == FRONT


@pytest.mark.parametrize("power", [1.0, 2.5])
def test_a_power_law_is_interpolated_exactly(power):
    front = Front.of([(s, s**-power) for s in (1.0, 3.0, 10.0)])
    for s in (1.0, 1.7, 3.0, 9.0, 10.0):
        assert front.seconds_at(s**-power * (1 + 1e-12 if s == 10 else 1 - 1e-12)) == pytest.approx(s, rel=1e-9)


def test_the_front_is_never_extrapolated():
    assert FRONT.seconds_at(0.049) is None and FRONT.seconds_at(0.81) is None and FRONT.seconds_at(math.inf) is None
    assert FRONT.seconds_at(0.05) == pytest.approx(16) and FRONT.seconds_at(0.8) == pytest.approx(1)
    assert Front.of([]).seconds_at(0.5) is None and Front.of([(2.0, 0.1)]).seconds_at(0.1) == pytest.approx(2)


def verdict(seconds, error, floor=0.0, training=100.0, data=20.0, points=POINTS):
    return judge("fno", seconds, error, Front.of(points, floor), floor, training, data)


def test_dominated_means_by_a_solver_that_exists():
    assert verdict(2.0, 0.4).dominated and verdict(7.0, 0.45).dominated
    between = verdict(1.5, 0.5)  # below the chord of the front no solver stands, though one may be interpolated
    assert not between.dominated and between.at_equal_error == pytest.approx(2 ** (math.log(8 / 5) / math.log(2)))


def test_a_surrogate_pays_after_its_training_is_earned():
    found = verdict(1.5, 0.2)
    expected = 2 * 8 ** (math.log(2) / math.log(8))  # one third of the way from 0.4 to 0.05, and so from 2 to 16
    assert found.at_equal_error == pytest.approx(expected) == pytest.approx(4)
    assert found.speed_up == pytest.approx(4 / 1.5) and found.break_even == math.ceil(120 / 2.5)
    assert verdict(4.1, 0.2).break_even == math.inf, "the solver of equal error is not more expensive"
    assert verdict(1.5, 0.2, training=math.nan).break_even is None


def test_nothing_is_said_where_there_is_no_equal_error():
    poor, fine, broken = verdict(0.5, 2.0), verdict(0.5, 0.01), verdict(0.5, math.inf)
    for found in (poor, fine, broken):
        assert found.speed_up is None and found.break_even is None and not found.dominated
    assert poor.less_accurate and broken.less_accurate and fine.more_accurate
    assert verdict(1.0, math.inf).dominated and verdict(1.0, math.inf).break_even == math.inf


def test_errors_below_that_of_the_reference_are_alike():
    # the surrogate's 0.01 and the solvers' 0.05 both mean "as good as the reference", which is known to 0.1
    found = verdict(1.5, 0.01, floor=0.1)
    assert found.at_equal_error == pytest.approx(16) and not found.more_accurate
    assert verdict(1.5, 0.01, floor=0.45).at_equal_error == pytest.approx(2)


def test_a_perfect_solver_has_a_place_on_the_front():
    front = Front.of([(1.0, 0.1), (2.0, 0.0)])
    assert front.seconds_at(0.0) == pytest.approx(2) and 1 < front.seconds_at(0.05) < 2
