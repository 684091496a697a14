"""The strong Wolfe conditions hold where the search says it stopped."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pdekit.optimisers.line_search import Trial, cubic_minimum, strong_wolfe

DIRECTION = torch.ones(1, dtype=torch.float64)
FUNCTIONS = {
    "quadratic": lambda a: (a - 0.3) ** 2,
    "far minimum": lambda a: (a / 50 - 1) ** 2,
    "wall": lambda a: -torch.log(0.4 - a) - 4 * a if a < 0.4 else a * math.inf,
    "waves": lambda a: -a - 0.45 * torch.sin(6 * a),
    "flat bottom": lambda a: (a - 2) ** 4,
}


def trial(function, step):
    a = torch.tensor(float(step), dtype=torch.float64, requires_grad=True)
    value = function(a)
    (slope,) = torch.autograd.grad(value, a)
    return Trial(float(step), value.item(), slope.item(), slope.reshape(1))


@pytest.mark.parametrize("c2", [0.1, 0.9])
@pytest.mark.parametrize("first", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_conditions_hold(name, first, c2):
    function, c1 = FUNCTIONS[name], 1e-4
    start, calls = trial(function, 0.0), []

    def evaluate(step):
        calls.append(step)
        here = trial(function, step)
        return here.value, here.gradient

    found = strong_wolfe(evaluate, DIRECTION, start, first, c1, c2)
    assert found.value <= start.value + c1 * found.step * start.slope
    assert abs(found.slope) <= c2 * abs(start.slope)
    assert found.step > 0 and found.step in calls and len(calls) <= 25


def test_a_good_first_step_costs_one_evaluation():
    calls = []

    def evaluate(step):
        calls.append(step)
        here = trial(FUNCTIONS["quadratic"], step)
        return here.value, here.gradient

    strong_wolfe(evaluate, DIRECTION, trial(FUNCTIONS["quadratic"], 0.0), 0.3)
    assert calls == [0.3]


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.05, 0.95))
def test_interpolation_finds_the_minimum_of_a_cubic(a, b, minimum):
    def cubic(z):
        return a * (z - minimum) ** 3 + (1 + abs(b)) * (z - minimum) ** 2

    low, high = trial(cubic, 0.0), trial(cubic, 1.0)
    found = cubic_minimum(low, high)
    assert 0.1 <= found <= 0.9
    if 0.11 < minimum < 0.89 and abs(a) < 0.3:
        assert found == pytest.approx(minimum, abs=1e-6)


def test_no_descent_returns_the_start():
    start = trial(lambda a: a * 1.0 + 1, 0.0)
    rising = Trial(0.0, 1.0, -1.0, start.gradient)  # a slope that is a lie
    found = strong_wolfe(lambda step: (1.0 + step, DIRECTION), DIRECTION, rising)
    assert found.step == 0


def test_wrong_constants_are_refused():
    start = trial(FUNCTIONS["quadratic"], 0.0)
    with pytest.raises(ValueError, match="0 < c1 < c2 < 1"):
        strong_wolfe(lambda step: (0.0, DIRECTION), DIRECTION, start, c1=0.9, c2=0.1)
