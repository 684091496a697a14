"""Line search for the strong Wolfe conditions.

A step a along a direction p with slope m(a) = g(x + a p) . p is accepted where

    f(a) <= f(0) + c1 a m(0)   and   |m(a)| <= c2 |m(0)|:

the first asks for enough descent, the second for a place flat enough that a quasi-Newton update stays positive.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Evaluate = Callable[[float], tuple[float, Tensor]]  # step -> value and gradient there
EXPANSION = 2.0  # of the step while the function still falls steeply
MARGIN = 0.1  # share of an interval that a new trial keeps from its ends


@dataclass(frozen=True)
class Trial:
    """The function along the line at one step.

    Args:
        step: a.
        value: f(a).
        slope: m(a).
        gradient: at x + a p.
    """

    step: float
    value: float
    slope: float
    gradient: Tensor

    @property
    def finite(self) -> bool:
        return math.isfinite(self.value) and math.isfinite(self.slope)


def strong_wolfe(
    evaluate: Evaluate,
    direction: Tensor,
    start: Trial,
    first_step: float = 1.0,
    c1: float = 1e-4,
    c2: float = 0.9,
    max_evaluations: int = 25,
) -> Trial:
    """A step that satisfies the strong Wolfe conditions.

    Args:
        evaluate: f and its gradient at x + a p.
        direction: p, a descent direction.
        start: the trial of step 0.
        first_step: tried first; 1 for quasi-Newton directions.
        c1: sufficient descent, 0 < c1 < c2.
        c2: flatness, below 1.
        max_evaluations: gives up after so many.

    Returns:
        The accepted trial. If none was found, the lowest that descends enough, else `start` itself: no progress is
        possible in this direction to within rounding.

    Limits: values that are not finite count as too far and are stepped back from.

    Source: Nocedal and Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6, with safeguarded cubic
    interpolation (equation 3.59).
    """
    if not 0 < c1 < c2 < 1:
        raise ValueError(f"expected 0 < c1 < c2 < 1, got c1={c1} and c2={c2}; try 1e-4 and 0.9")
    left = max_evaluations

    def at(step: float) -> Trial:
        nonlocal left
        left -= 1
        value, gradient = evaluate(step)
        return Trial(step, value, float(gradient @ direction), gradient)

    def enough(trial: Trial) -> bool:
        return trial.finite and trial.value <= start.value + c1 * trial.step * start.slope

    def flat(trial: Trial) -> bool:
        return abs(trial.slope) <= -c2 * start.slope

    search = _Search(at, enough, flat, lambda: left > 0)
    low, high, accepted = _bracket(search, start, first_step)
    if accepted is None and high is not None:
        low, accepted = _narrow(search, low, high, 1e-16 * abs(start.value))
    return low if accepted is None else accepted


@dataclass(frozen=True)
class _Search:
    """Parts shared by both phases: the trial at a step, the two Wolfe conditions and the limit on evaluations."""

    at: Callable[[float], Trial]
    enough: Callable[[Trial], bool]
    flat: Callable[[Trial], bool]
    may_go_on: Callable[[], bool]


def _bracket(search: _Search, start: Trial, first_step: float) -> tuple[Trial, Trial | None, Trial | None]:
    """Return (low, high, accepted): an interval that holds an acceptable step, or such a step (algorithm 3.5)."""
    low, trial = start, search.at(first_step)
    while search.may_go_on():
        if not search.enough(trial) or (low.step > 0 and trial.value >= low.value):
            return low, trial, None
        if search.flat(trial):
            return low, None, trial
        if trial.slope >= 0:
            return trial, low, None
        low, trial = trial, search.at(EXPANSION * trial.step)
    return low, None, None


def _narrow(search: _Search, low: Trial, high: Trial, rounding: float) -> tuple[Trial, Trial | None]:
    """Return (low, accepted): the lowest trial, and an acceptable step if one is found (algorithm 3.6)."""
    while search.may_go_on() and not abs(high.step - low.step) * abs(low.slope) <= rounding:
        trial = search.at(cubic_minimum(low, high))
        if not search.enough(trial) or trial.value >= low.value:
            high = trial
            continue
        if search.flat(trial):
            return low, trial
        if trial.slope * (high.step - low.step) >= 0:
            high = low
        low = trial
    return low, None


def cubic_minimum(low: Trial, high: Trial) -> float:
    """The minimum of the cubic through both trials, kept away from the ends; the middle if there is none."""
    middle = 0.5 * (low.step + high.step)
    if not high.finite:
        return low.step + MARGIN * (high.step - low.step)
    width = high.step - low.step
    d1 = low.slope + high.slope - 3 * (high.value - low.value) / width
    inside = d1 * d1 - low.slope * high.slope
    if inside < 0:
        return middle
    d2 = math.copysign(math.sqrt(inside), width)
    bottom = high.slope - low.slope + 2 * d2
    if bottom == 0:
        return middle
    share = 1 - (high.slope + d2 - d1) / bottom
    return low.step + min(max(share, MARGIN), 1 - MARGIN) * width
