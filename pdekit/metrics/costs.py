"""Cost next to accuracy: the front of the solvers, what a solver of equal error takes, and when a surrogate pays.

"Faster" is only used at equal error: the solver's time at the surrogate's error is interpolated on the front, in the
logarithms of time and error, and never extrapolated (McGreivy and Hakim 2024, rule 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

SMALLEST = 1e-300
"""Value drawn for an error or a time of zero, which has no logarithm."""


@dataclass(frozen=True)
class Front:
    """The solvers that no other one beats in both respects, from fast and inaccurate to slow and accurate.

    Args:
        seconds: times of one forecast, increasing.
        errors: their errors, decreasing.
    """

    seconds: tuple[float, ...]
    errors: tuple[float, ...]

    @classmethod
    def of(cls, points: Iterable[tuple[float, float]], floor: float = 0.0) -> Front:
        """The front of (seconds, error) pairs; errors below the floor are the floor, those of diverged solvers none.

        >>> Front.of([(1.0, 0.5), (2.0, 0.7), (4.0, 0.1), (8.0, 0.1)])
        Front(seconds=(1.0, 4.0), errors=(0.5, 0.1))
        """
        seconds: list[float] = []
        errors: list[float] = []
        for spent, error in sorted((spent, max(error, floor)) for spent, error in points):
            if math.isfinite(error) and (not errors or error < errors[-1]):
                seconds.append(spent)
                errors.append(error)
        return cls(tuple(seconds), tuple(errors))

    def seconds_at(self, error: float) -> float | None:
        """Time of a solver of this error, interpolated; None outside the errors of the front.

        >>> round(Front((1.0, 4.0), (0.4, 0.1)).seconds_at(0.2), 9)
        2.0
        """
        if not self.errors or not self.errors[-1] <= error <= self.errors[0]:
            return None
        log_errors = [math.log(max(e, SMALLEST)) for e in self.errors]
        log_seconds = [math.log(max(s, SMALLEST)) for s in self.seconds]
        return float(np.exp(np.interp(-math.log(max(error, SMALLEST)), np.negative(log_errors), log_seconds)))

    def dominates(self, seconds: float, error: float) -> bool:
        """True if a solver takes no longer than `seconds` and has an error of at most `error`."""
        return any(s <= seconds and e <= error for s, e in zip(self.seconds, self.errors, strict=True))


@dataclass(frozen=True)
class Verdict:
    """A surrogate next to the front.

    Args:
        name: name of the surrogate.
        seconds: time of one of its forecasts.
        at_equal_error: seconds of a solver of its error; None if the front does not reach it.
        dominated: whether some solver of the sweep takes no longer and errs no more.
        less_accurate, more_accurate: than every solver of the front: there is no equal error then.
        unknown: whether the equal error lies beyond what is known of the solvers or of the surrogate, because forecasts
            outlast the horizon.
        training, data: seconds that were spent before the first forecast; NaN if not known.
        failed: whether the surrogate no longer forecasts at the time of comparison, see `compared.still_forecasts`.
    """

    name: str
    seconds: float
    at_equal_error: float | None
    dominated: bool
    less_accurate: bool
    more_accurate: bool
    training: float = math.nan
    data: float = math.nan
    unknown: bool = False
    failed: bool = False

    @property
    def speed_up(self) -> float | None:
        """The solver's time over the surrogate's, at equal error."""
        return None if self.at_equal_error is None else self.at_equal_error / max(self.seconds, SMALLEST)

    @property
    def break_even(self) -> float | None:
        """Forecasts after which training and data have paid; inf if never, None if not known.

        Never where some solver is as accurate and not more expensive.
        """
        if self.dominated or (self.at_equal_error is not None and self.at_equal_error <= self.seconds):
            return math.inf
        if self.at_equal_error is None or not math.isfinite(self.training + self.data):
            return None
        return math.ceil((self.training + self.data) / (self.at_equal_error - self.seconds))


def judge(
    name: str,
    seconds: float,
    error: float,
    front: Front,
    floor: float,
    training: float,
    data: float,
    bounds: Front | None = None,
) -> Verdict:
    """Compare a surrogate with the front of the solvers; errors below `floor` count as `floor`.

    Args:
        name, seconds, error: name, time per forecast and error of the surrogate.
        front: front of the solvers whose errors are known.
        floor: error of the reference.
        training, data: seconds of training and of data generation.
        bounds: front of all solvers, if some errors are known only as an upper bound. It decides which surrogates are
            dominated; no time is interpolated on it.
    """
    error = max(error, floor)
    if bounds is not None and bounds.errors and error < (front.errors[-1] if front.errors else math.inf):
        beaten = bounds.dominates(seconds, error)
        return Verdict(name, seconds, None, beaten, False, False, training, data, unknown=True)
    return Verdict(
        name,
        seconds,
        front.seconds_at(error),
        front.dominates(seconds, error),
        less_accurate=bool(front.errors) and not error <= front.errors[0],
        more_accurate=not front.errors or error < front.errors[-1],
        training=training,
        data=data,
    )
