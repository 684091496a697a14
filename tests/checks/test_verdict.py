"""The decision rule: shares, quartiles, and the reasons for which nothing can be said."""

import math

import pytest
import torch

from pdekit.checks.verdict import CANNOT_SAY, FAIL, PASS, decide, quartiles_of

ONE = torch.ones(8, dtype=torch.float64)
RISING = torch.linspace(0, 0.7, 8, dtype=torch.float64)


@pytest.mark.parametrize(
    ("value", "floor", "scale", "verdict"),
    [
        (0.15 * ONE, 0 * ONE, ONE, PASS),
        (0.3 * ONE, 0 * ONE, ONE, FAIL),
        (0.3 * ONE, 0.15 * ONE, ONE, PASS),  # the solver cannot do without half of it
        (1e-9 * ONE, 0 * ONE, 1e-6 * ONE, PASS),  # no absolute tolerance ...
        (1e-9 * ONE, 0 * ONE, 2e-9 * ONE, FAIL),  # ... in either direction
        (RISING, 0 * ONE, ONE, CANNOT_SAY),  # quartiles on both sides
        (0.1 * ONE, 0.5 * ONE, ONE, CANNOT_SAY),  # no property of the equation
        (0.0 * ONE, 0 * ONE, 0 * ONE, CANNOT_SAY),  # nothing happens
        (0.0 * ONE, math.inf * ONE, ONE, CANNOT_SAY),
        (math.inf * ONE, 0 * ONE, ONE, FAIL),
        (math.nan * ONE, 0 * ONE, ONE, FAIL),
    ],
)
def test_the_rule(value, floor, scale, verdict):
    found = decide(value, floor, scale)
    assert found.verdict == verdict
    assert bool(found.reason) == (verdict == CANNOT_SAY or not math.isfinite(float(value[0])))


def test_the_share_is_the_way_from_the_solver_to_the_baseline():
    found = decide(0.1 + RISING, 0.1 * ONE, 1.1 * ONE, limit=0.9)
    assert found.verdict == PASS and found.share == pytest.approx((0.1, 0.3, 0.6))
    assert quartiles_of(torch.tensor([math.nan, 1.0, 2.0]))[2] == math.inf, "a divergence is the largest value"
