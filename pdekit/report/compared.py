"""The time at which surrogates and solvers are compared: where the better of the two still forecasts.

A model *forecasts* up to the last frame before its median nRMSE first reaches `ERROR` while its median correlation is
not above `CORRELATION`. Beyond, errors of all models approach the same value, and their order says nothing.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from pdekit.metrics.horizons import BLOW_UP, quantile
from pdekit.report.variables import values_of

ERROR, CORRELATION = 0.5, 0.8
USEFUL = "useful"
ROUNDED = 1e-3
"""Share by which a time of the reference's check may differ from a lead time: it is stored with four digits."""


def still_forecasts(scores: xr.Dataset, name: str) -> np.ndarray:
    """For each time, whether a model forecasts up to it; of a steady problem, whether its nRMSE is below `ERROR`.

    Times at which the nRMSE is not defined, because the reference vanishes, are passed over. A solver forecasts only
    while none of its forecasts has blown up: a solver that fails on some samples is not an alternative on all.
    """
    error = quantile(values_of(scores.nrmse, name), 0.5)
    holds = (error < ERROR) | np.isnan(error)
    if "correlation" in scores and scores.sizes["time"] > 1:
        holds = holds | (quantile(values_of(scores.correlation, name), 0.5) > CORRELATION)
    if scores.kind.sel(model=name) == "solver":
        holds = holds & (blown_up(scores, name) == 0)
    return np.logical_and.accumulate(holds)


def blown_up(scores: xr.Dataset, name: str) -> np.ndarray:
    """For each time, the share of the forecasts of a model that have blown up by then.

    These have an infinite nRMSE, or one above `BLOW_UP` where the horizons count the forecast as blown up.
    """
    error = scores.nrmse.sel(model=name)
    beyond = np.isinf(error)
    if "blow_up_time_censored" in scores:
        beyond = beyond | ((error > BLOW_UP) & (scores.blow_up_time_censored.sel(model=name) == 0))
    fields = [dim for dim in ("field",) if dim in error.dims]
    there = error.notnull().any([*fields, "time"])
    lost = beyond.any(fields).where(there).transpose("time", ...).values.reshape(scores.sizes["time"], -1)
    lost = lost[:, ~np.isnan(lost).any(0)]
    return np.maximum.accumulate(lost, axis=0).mean(1) if lost.size else np.zeros(len(lost))


def last_frame(holds: np.ndarray) -> int:
    """The last frame for which something holds from the first one on; the first frame if it never does.

    >>> last_frame(np.array([True, True, False])), last_frame(np.array([False, False]))
    (1, 0)
    """
    return max(0, int(np.logical_and.accumulate(holds).sum()) - 1)


def useful_frame(scores: xr.Dataset, name: str) -> int:
    """The last frame at which the median correlation of a model exceeds the threshold; the last one if it is none."""
    n = scores.sizes["time"]
    if "correlation" not in scores or n == 1:
        return n - 1
    rho = quantile(values_of(scores.correlation, name), 0.5)
    return last_frame((rho >= CORRELATION) | np.isnan(rho))


def checked_frame(scores: xr.Dataset) -> int:
    """The last frame at which the reference is known to be predictable: no later than the end of its check."""
    n = scores.sizes["time"]
    ends = [scores.attrs[key] for key in ("predictable_until", "predictability_checked_until") if key in scores.attrs]
    if not ends or n == 1:
        return n - 1
    return last_frame(scores.time.values <= min(ends) * (1 + ROUNDED))


def compared_frame(scores: xr.Dataset, name: str) -> int:
    """The frame at which a surrogate is compared with solvers.

    The attribute ``compare_at`` if it is there: a lead time, or "useful" for the last time at which the surrogate is
    (`useful_frame`). Else the last frame at which the better of two still forecasts: the surrogate, and the solver that
    forecasts longest among those that take no longer (the fastest one, if all take longer). No later than the
    reference is known to be predictable.
    """
    asked = scores.attrs.get("compare_at")
    if asked == USEFUL:
        return useful_frame(scores, name)
    if asked is not None:
        return int(np.abs(scores.time.values - float(asked)).argmin())
    seconds = dict(zip(scores.model.values.tolist(), scores.seconds_per_forecast.values.tolist(), strict=True))
    solvers = scores.model.values[scores.kind.values == "solver"].tolist()
    rivals = [solver for solver in solvers if seconds[solver] <= seconds[name]]
    rivals = rivals or sorted(solvers, key=seconds.__getitem__)[:1]
    longest = max(last_frame(still_forecasts(scores, model)) for model in (name, *rivals))
    return last_defined(scores, name, min(longest, checked_frame(scores)))


def last_defined(scores: xr.Dataset, name: str, frame: int) -> int:
    """The last frame up to one at which the nRMSE of a model is defined; that frame if there is none."""
    known = ~np.isnan(quantile(values_of(scores.nrmse, name), 0.5)[: frame + 1])
    return int(known.nonzero()[0][-1]) if known.any() else frame


def why_compared(scores: xr.Dataset) -> str:
    """Words for the choice of the time."""
    asked = scores.attrs.get("compare_at")
    if asked == USEFUL:
        return f"the last time at which the surrogate's median correlation exceeds {CORRELATION}"
    if asked is not None:
        return "the requested time"
    return (
        f"the last time at which the better of surrogate and solver still forecasts (nRMSE below {ERROR} or "
        f"correlation above {CORRELATION})"
    )
