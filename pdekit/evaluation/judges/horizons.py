"""Correlation and valid times of each forecast, computed from its stored scores and written to the same file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.judges.base import Batch, Judge, Setup
from pdekit.metrics.horizons import (
    BLOW_UP,
    CorrelationTime,
    blow_up_time,
    correlation_time_first_crossing,
    in_largest,
    mean_where_defined,
    over_undefined,
    stable_steps,
    valid_time_first_crossing,
)

DIMS = ("model", "member", "sample")
TIMES: dict[str, tuple[str, float, Callable[[np.ndarray, np.ndarray], CorrelationTime], str]] = {
    "correlation_time": ("correlation", 1.0, correlation_time_first_crossing, "correlation time (above 0.8)"),
    "valid_time": ("nrmse", 0.0, valid_time_first_crossing, "valid time (nRMSE below 0.4)"),
    "blow_up_time": (
        "nrmse",
        0.0,
        lambda error, t: blow_up_time(error, t, BLOW_UP),
        "time to blow-up (RMSE above 10 times the largest RMS of the reference)",
    ),
}
"""Name, the measure that it is taken of (a mean over the fields where it is defined) and its perfect value, the
function, and what it says."""


class Horizons(Judge):
    """Writes the first crossings of each forecast, once all scores are there (`write_horizons`)."""

    def __init__(self, setup: Setup):
        self.last = False

    def declare(self, archive: Archive) -> None:
        self.archive = archive

    def begin(self, batch: Batch) -> None:
        self.last = batch.last

    def finish(self) -> None:
        if self.last:
            write_horizons(self.archive)


def write_horizons(archive: Archive) -> None:
    """First crossings of each forecast, in units of time, each with an integer flag ``NAME_censored``.

    1 where the horizon ends first (the time is then that of the horizon), 0 where it does not, -1 for members that a
    model does not have. ``stable_steps`` is the number of frames before the nRMSE first exceeds 0.1. Nothing is written
    of what was not scored, nor of a single frame. A blow-up is counted in the largest RMS of the reference over the
    horizon (``rms_reference``), so that a reference that decays makes no forecast blow up. Frames without a
    value in any field are passed over.
    """
    t = archive.read("lead_time")
    if t.shape[-1] < 2:
        return
    for name, (measure, perfect, find, words) in TIMES.items():
        if measure not in archive:
            continue
        scores = archive.read(measure).astype(np.float64)
        if name == "blow_up_time" and "rms_reference" in archive:
            rms = archive.read("rms_reference").astype(np.float64)
            scores = np.swapaxes(in_largest(np.swapaxes(scores, -1, -2), np.swapaxes(rms, -1, -2)), -1, -2)
        scores = mean_where_defined(scores)
        there = ~np.isnan(scores).all(-1)
        scores = over_undefined(scores, t, perfect)
        found = find(scores, t)
        archive.put(
            name, DIMS, np.where(there, found.time, np.nan).astype(np.float32), {"long_name": words, "units": "time"}
        )
        archive.put(f"{name}_censored", DIMS, np.where(there, found.censored, -1).astype(np.int8))
        if name == "valid_time":
            steps = np.where(there, stable_steps(scores), np.nan).astype(np.float32)
            archive.put("stable_steps", DIMS, steps, {"long_name": "stable steps (nRMSE below 0.1)"})
