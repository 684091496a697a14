"""Correlation and valid times of forecasts under the definitions of the literature, and divergence.

Summaries of stored scores, NumPy in and out. A *correlation time* ends when a correlation falls below a threshold, a
*valid time* when an error rises above one. Three definitions of each are in use. They differ by 16 % on one and the
same set of forecasts of the Kuramoto-Sivashinsky equation, so the definition is part of the name:

- ``mean_then_count``: mean correlation over trajectories, then the number of frames above the threshold
  (pdearena, jax-cfd: later returns above the threshold count);
- ``mean_then_first``: mean over trajectories, then the first fall below the threshold (temporal_pdes);
- ``first_crossing``: the first fall of each trajectory; its median and quartiles are what pdekit reports (valid times
  of one forecast are defined so: Pathak et al. 2018, with the nRMSE and 0.4; Vlachas et al. 2020, with 0.5).

A first crossing is interpolated linearly between frames, from correlation 1 at lead time 0. A diverged frame (NaN
or infinite) lies below every threshold, and the crossing is then at the last finite frame. A forecast that never
falls is *censored*: all that is known is that its time is at least the horizon. In stored scores NaN is not a
divergence but a frame in which the reference vanishes: `over_undefined` fills it before times are taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOW_UP = 10.0
"""RMSE, in units of the largest RMS of the reference over the horizon, beyond which a finite forecast has blown up."""


@dataclass(frozen=True)
class CorrelationTime:
    """Times, in the unit of the lead times, and whether each is censored by the horizon."""

    time: np.ndarray
    censored: np.ndarray

    def in_units_of(self, unit: float | np.ndarray) -> CorrelationTime:
        """Return the times in another unit: the Lyapunov time 1/lambda, or the time between frames for steps."""
        return CorrelationTime(np.asarray(self.time / unit), self.censored)


def correlation_time_first_crossing(correlation: np.ndarray, t: np.ndarray, threshold: float = 0.8) -> CorrelationTime:
    """Lead time at which each trajectory first falls below the threshold.

    Args:
        correlation: "... time", at lead times t[1:]... all after the given frames.
        t: "... time", lead times counted from the last given frame, broadcast against the correlation: the step
            may differ between trajectories.

    >>> result = correlation_time_first_crossing(np.array([[0.9, 0.7, 0.95], [0.9, 0.9, 0.9]]), np.array([1.0, 2, 3]))
    >>> result.time.round(6).tolist(), result.censored.tolist()
    ([1.5, 3.0], [False, True])
    """
    correlation = np.asarray(correlation, dtype=np.float64)
    t = np.broadcast_to(np.asarray(t, dtype=np.float64), correlation.shape)
    below = ~(np.where(np.isfinite(correlation), correlation, -np.inf) >= threshold)
    censored = ~below.any(-1)
    first = np.where(censored, 0, below.argmax(-1))[..., None]
    start = np.ones((*correlation.shape[:-1], 1))
    rho, lead = np.concatenate([start, correlation], -1), np.concatenate([0 * start, t], -1)
    rho_0, rho_1 = np.take_along_axis(rho, first, -1), np.take_along_axis(rho, first + 1, -1)
    t_0, t_1 = np.take_along_axis(lead, first, -1), np.take_along_axis(lead, first + 1, -1)
    fall = np.where(np.isfinite(rho_1), rho_0 - np.where(np.isfinite(rho_1), rho_1, 0), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = t_0 + (t_1 - t_0) * np.where(np.isfinite(fall), (rho_0 - threshold) / fall, 0.0)
    return CorrelationTime(np.where(censored, t[..., -1], crossing[..., 0]), np.asarray(censored))


def correlation_time_mean_then_first(correlation: np.ndarray, t: np.ndarray, threshold: float = 0.8) -> CorrelationTime:
    """First fall of the mean correlation over "trajectory time" below the threshold, at the mean lead times.

    One diverged trajectory ends the mean, and so the time: that is what a mean says.
    """
    mean, t = _mean(correlation, t)
    return correlation_time_first_crossing(mean, t, threshold)


def correlation_time_mean_then_count(correlation: np.ndarray, t: np.ndarray, threshold: float = 0.8) -> CorrelationTime:
    """Number of frames at which the mean correlation over "trajectory time" exceeds the threshold, times their mean
    spacing. Not a first crossing: frames above the threshold after a fall count. Censored if every frame is above.

    >>> correlation_time_mean_then_count(np.array([[0.9, 0.7, 0.95, 0.1]]), np.array([2.0, 4.0, 6.0, 8.0])).time.item()
    4.0
    """
    mean, t = _mean(correlation, t)
    above = mean > threshold
    return CorrelationTime(np.asarray(above.sum(-1) * t[-1] / t.shape[-1]), np.asarray(above.all(-1)))


def valid_time_first_crossing(error: np.ndarray, t: np.ndarray, threshold: float = 0.4) -> CorrelationTime:
    """Lead time at which the error of each trajectory, "... time", first exceeds the threshold; from 0 at lead time 0.

    Interpolated linearly; a diverged frame exceeds every threshold, and the crossing is then at the last finite one.
    `stable_steps` is the number of frames before it (SGNO's "stable step", with the nRMSE and 0.1).

    >>> result = valid_time_first_crossing(np.array([[0.2, 0.6, 0.1], [0.1, 0.1, 0.1]]), np.array([1.0, 2, 3]))
    >>> result.time.round(6).tolist(), result.censored.tolist()
    ([1.5, 3.0], [False, True])
    """
    return correlation_time_first_crossing(_likeness(error), t, 1 - threshold)


def valid_time_mean_then_first(error: np.ndarray, t: np.ndarray, threshold: float = 0.4) -> CorrelationTime:
    """First time at which the mean error over "trajectory time" exceeds the threshold; one divergence ends it."""
    return correlation_time_mean_then_first(_likeness(error), t, 1 - threshold)


def valid_time_mean_then_count(error: np.ndarray, t: np.ndarray, threshold: float = 0.4) -> CorrelationTime:
    """Number of frames at which the mean error over "trajectory time" is below the threshold, times their spacing."""
    return correlation_time_mean_then_count(_likeness(error), t, 1 - threshold)


def stable_steps(error: np.ndarray, threshold: float = 0.1) -> np.ndarray:
    """Number of frames of "... time" before the first that exceeds the threshold or is not finite.

    >>> stable_steps(np.array([[0.05, 0.08, 0.2, 0.01], [0.0, np.inf, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])).tolist()
    [2, 1, 4]
    """
    error = np.asarray(error, dtype=np.float64)
    over = ~(error <= threshold)
    return np.where(over.any(-1), over.argmax(-1), error.shape[-1])


def blow_up_time(error: np.ndarray, t: np.ndarray, bound: float = np.inf) -> CorrelationTime:
    """Lead time of the first frame of "... time" that is not finite, or whose error exceeds a bound; censored if none.

    Not interpolated. With the nRMSE, a bound of 10 also catches what grows without end but is cut off by its model.

    >>> result = blow_up_time(np.array([[0.1, np.inf, np.inf], [0.1, 0.9, 30.0]]), np.array([1.0, 2, 3]))
    >>> result.time.tolist(), result.censored.tolist()
    ([2.0, 3.0], [False, True])
    """
    error = np.asarray(error, dtype=np.float64)
    t = np.broadcast_to(np.asarray(t, dtype=np.float64), error.shape)
    broken = ~(np.abs(error) <= bound) | ~np.isfinite(error)
    censored = ~broken.any(-1)
    first = np.where(censored, error.shape[-1] - 1, broken.argmax(-1))[..., None]
    return CorrelationTime(np.take_along_axis(t, first, -1)[..., 0], np.asarray(censored))


def stable_share(error: np.ndarray, bound: float = np.inf) -> float:
    """Share of the forecasts "... time" that never blow up.

    >>> stable_share(np.array([[0.1, np.inf], [0.1, 0.9]]))
    0.5
    """
    return float(blow_up_time(error, np.arange(np.shape(error)[-1]), bound).censored.mean())


def diverged(error: np.ndarray, bound: float = np.inf) -> np.ndarray:
    """True where any frame of "... time" is not finite, or has an error above a bound; "..."."""
    error = np.asarray(error, dtype=np.float64)
    return ~(np.isfinite(error) & (error <= bound)).all(-1)


def in_largest(error: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Relative errors "... time" in units of the largest scale over time instead of the scale of each time.

    A reference that decays makes the relative error of a forecast that only lags behind as large as one likes; that is
    no blow-up. An infinity stays one, and a scale that is zero at all times changes nothing.

    >>> in_largest(np.array([0.5, 40.0, np.inf]), np.array([2.0, 0.01, 0.0])).tolist()
    [0.5, 0.2, inf]
    """
    error, scale = np.asarray(error, dtype=np.float64), np.asarray(scale, dtype=np.float64)
    largest = scale.max(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isinf(error) | (largest == 0), error, error * (scale / largest))


def over_undefined(values: np.ndarray, t: np.ndarray, perfect: float) -> np.ndarray:
    """Values "... time" with those that are not defined (NaN) replaced by the straight line between their neighbours.

    The line begins with the perfect value at lead time 0. After the last value that is defined it is constant. Next to
    an infinity (a divergence) the earlier value is repeated. A row without any value stays NaN.

    >>> over_undefined(np.array([[np.nan, 0.8, np.nan, np.inf]]), np.array([1.0, 2.0, 3.0, 4.0]), 1.0).tolist()
    [[0.9, 0.8, 0.8, inf]]
    """
    values = np.array(values, dtype=np.float64)
    t = np.broadcast_to(np.asarray(t, dtype=np.float64), values.shape)
    known = ~np.isnan(values)
    for row in zip(*(known.any(-1) & ~known.all(-1)).nonzero(), strict=True):
        there = known[row]
        lead, given = np.append(0.0, t[row][there]), np.append(perfect, values[row][there])
        with np.errstate(invalid="ignore"):
            line = np.interp(t[row][~there], lead, given)
        earlier = given[np.searchsorted(lead, t[row][~there], "right") - 1]
        values[row][~there] = np.where(np.isfinite(line), line, earlier)
    return values


def mean_where_defined(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean over an axis (the last one: fields) where a value is defined; NaN if it is nowhere.

    >>> mean_where_defined(np.array([[1.0, 3.0], [1.0, np.nan], [np.nan, np.nan]])).tolist()
    [2.0, 1.0, nan]
    """
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, values, 0.0).sum(axis) / there.sum(axis))


def quantile(values: np.ndarray, q: float, axis: int = 0) -> np.ndarray:
    """Linear quantile of the values that are defined (not NaN); NaN where none is.

    An infinity counts as larger than everything and never turns into NaN.

    >>> float(quantile(np.array([1.0, 2.0, np.inf, np.inf]), 0.5)), float(quantile(np.array([np.nan, 2.0, 1.0]), 0.5))
    (inf, 1.5)
    """
    ordered = np.sort(np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0), axis=0)  # NaN comes last
    if not len(ordered):
        return np.full(ordered.shape[1:], np.nan)
    position = q * (np.maximum((~np.isnan(ordered)).sum(0), 1) - 1)
    share = position - np.floor(position)
    low, high = (
        np.take_along_axis(ordered, np.asarray(edge(position), dtype=int)[None], 0)[0] for edge in (np.floor, np.ceil)
    )
    between = np.isfinite(low) & np.isfinite(high)
    step = np.where(between, high, 0.0) - np.where(between, low, 0.0)
    blended = np.where(between, np.where(between, low, 0.0) + share * step, np.where(np.isfinite(low), high, low))
    return np.where(low == high, low, blended)


def _likeness(error: np.ndarray) -> np.ndarray:
    """1 - error: 1 at lead time 0, as a correlation, and -inf where the error is not finite."""
    error = np.asarray(error, dtype=np.float64)
    return np.where(np.isfinite(error), 1 - error, -np.inf)


def _mean(correlation: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    correlation = np.asarray(correlation, dtype=np.float64)
    t = np.broadcast_to(np.asarray(t, dtype=np.float64), correlation.shape)
    n_frames = correlation.shape[-1]
    finite = np.where(np.isfinite(correlation), correlation, -np.inf)
    return finite.reshape(-1, n_frames).mean(0), t.reshape(-1, n_frames).mean(0)
