"""How long a forecast holds: correlation times under the three definitions of the literature, and what diverged.

Summaries of stored scores, NumPy in and out. They differ by 16 % on one and the same set of forecasts of the
Kuramoto-Sivashinsky equation, so the definition is part of the name:

- ``mean_then_count``: mean correlation over trajectories, then the number of frames above the threshold
  (pdearena, jax-cfd: later returns above the threshold count);
- ``mean_then_first``: mean over trajectories, then the first fall below the threshold (temporal_pdes);
- ``first_crossing``: the first fall of each trajectory; its median and quartiles are what pdekit reports.

A first crossing is interpolated linearly between frames, from correlation 1 at lead time 0. A diverged frame (NaN
or infinite) lies below every threshold, and the crossing is then at the last finite frame. A forecast that never
falls is *censored*: all that is known is that its time is at least the horizon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CorrelationTime:
    """Times, in the unit of the lead times, and whether each is censored by the horizon."""

    time: np.ndarray
    censored: np.ndarray

    def in_units_of(self, unit: float) -> CorrelationTime:
        """Times divided by a unit, for example by the Lyapunov time 1/lambda."""
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


def diverged(error: np.ndarray) -> np.ndarray:
    """Whether any frame of "... time" is not finite."""
    return ~np.isfinite(error).all(-1)


def quantile(values: np.ndarray, q: float, axis: int = 0) -> np.ndarray:
    """Linear quantile in which an infinity counts as larger than everything and never turns into NaN.

    >>> float(quantile(np.array([1.0, 2.0, np.inf, np.inf]), 0.5))
    inf
    """
    low = np.quantile(values, q, axis=axis, method="lower")
    high = np.quantile(values, q, axis=axis, method="higher")
    position = q * (values.shape[axis] - 1)
    share = position - np.floor(position)
    between = np.isfinite(low) & np.isfinite(high)
    step = np.where(between, high, 0.0) - np.where(between, low, 0.0)
    blended = np.where(between, np.where(between, low, 0.0) + share * step, np.where(np.isfinite(low), high, low))
    return np.where(low == high, low, blended)


def _mean(correlation: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    correlation = np.asarray(correlation, dtype=np.float64)
    t = np.broadcast_to(np.asarray(t, dtype=np.float64), correlation.shape)
    n_frames = correlation.shape[-1]
    finite = np.where(np.isfinite(correlation), correlation, -np.inf)
    return finite.reshape(-1, n_frames).mean(0), t.reshape(-1, n_frames).mean(0)
