"""Summaries under which other benchmarks publish their results, so that tables can be set side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pdekit.metrics.horizons import mean_where_defined, quantile
from pdekit.metrics.summaries import conserved_rmse, geometric_mean_of_mean, window_mean
from pdekit.report.charts.curves import Line
from pdekit.report.charts.formats import with_unit
from pdekit.report.parts import Table, TableLine
from pdekit.report.sections.fields import marked
from pdekit.report.variables import values_of

FIRST = 100
WINDOWS = ((6, 12), (13, 30))


@dataclass(frozen=True)
class Published:
    """A number of a model.

    Args:
        title: title of the measure.
        note: reduction over samples and time, and the publication that uses it.
        measure: from which scores.
        function: from "forecast time" to a number, or to one for each forecast.
        best: its value for a perfect forecast.
        frames: the forecast must have so many.
        carries_unit: whether it has the unit of the field.
    """

    title: str
    note: str
    measure: str
    function: Callable[[np.ndarray], np.ndarray]
    best: float = 0.0
    frames: int = 2
    carries_unit: bool = False


SUMMARIES = (
    Published(
        f"nRMSE, geometric mean over the first {FIRST} frames", "of the mean over forecasts (APEBench)", "nrmse",
        lambda error: geometric_mean_of_mean(error, FIRST),
    ),
    *(
        Published(f"VRMSE, frames {a}:{b}", "mean over the window, of each forecast (The Well)", "vrmse",
                lambda error, a=a, b=b: window_mean(error, a, b), frames=b)
        for a, b in WINDOWS
    ),
    Published(
        "cRMSE", "RMS over forecasts of the error of the mean, mean over frames (PDEBench)", "bias",
        lambda bias: conserved_rmse(bias).mean(-1), carries_unit=True,
    ),
    Published("bRMSE", "boundary RMSE, mean over frames (PDEBench)", "boundary_rmse", lambda e: e.mean(-1),
            carries_unit=True),
    *(
        Published(f"fRMSE {band}", f"{shells}, mean over frames (PDEBench)", f"frmse_{band}", lambda e: e.mean(-1),
                carries_unit=True)
        for band, shells in (("low", "shells under 4"), ("mid", "shells 4 to 11"), ("high", "shells from 12"))
    ),
    Published("coherent wavenumber", "larger scales are forecast; mean over frames", "coherent_wavenumber",
            mean_where_defined, best=np.inf),
)  # fmt: skip
"""In the order of the table. Means with a diverged forecast among them are infinite."""


def published_table(scores: xr.Dataset, shown: dict[str, Line]) -> Table | None:
    """One line for each summary that the scores allow; with several fields, of the mean over fields."""
    n = scores.sizes["time"]
    units = dict.fromkeys(scores.unit.values.tolist()) if "unit" in scores else {"1": None}
    lines = []
    for summary in SUMMARIES:
        if summary.measure not in scores or summary.frames > n or (summary.carries_unit and len(units) > 1):
            continue
        spreads = [_spread(np.atleast_1d(summary.function(values_of(scores[summary.measure], name)))) for name in shown]
        title = with_unit(summary.title, next(iter(units)) if summary.carries_unit else "1")
        lines.append(TableLine(title, marked(spreads, summary.best), summary.note))
    return Table("Summaries of other benchmarks", (("summary", ""), *((n, "") for n in shown)), tuple(lines))


def _spread(values: np.ndarray) -> list[float]:
    values = values[~np.isnan(values)]
    return [float(quantile(values, q)) for q in (0.5, 0.25, 0.75)] if values.size else [np.nan] * 3
