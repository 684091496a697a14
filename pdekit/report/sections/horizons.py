"""Correlation and valid times of forecasts, under each definition of the literature by its own name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pdekit.metrics.horizons import (
    BLOW_UP,
    CorrelationTime,
    blow_up_time,
    correlation_time_first_crossing,
    correlation_time_mean_then_count,
    correlation_time_mean_then_first,
    over_undefined,
    quantile,
    valid_time_first_crossing,
    valid_time_mean_then_count,
    valid_time_mean_then_first,
)
from pdekit.report.charts.curves import Line
from pdekit.report.charts.formats import number
from pdekit.report.parts import Cell, Choice, Part, Table, TableLine, choice
from pdekit.report.sections.base import Page
from pdekit.report.variables import values_of

DEFINITIONS = {
    "first crossing": "of each forecast: median, quartiles",
    "mean then first": "first crossing of the mean",
    "mean then count": "frames of the mean on this side, in time",
}
"""Names and what they say. See docs/metrics.md for who uses which."""


@dataclass(frozen=True)
class Kind:
    """A time until a measure passes a threshold.

    Args:
        title, condition: title and condition as text; the condition has a placeholder for the threshold.
        perfect: value of the measure for the reference itself.
        thresholds: thresholds to choose from.
        functions: functions of scores, lead times and threshold, in the order of `DEFINITIONS`.
    """

    title: str
    condition: str
    perfect: float
    thresholds: tuple[float, ...]
    functions: tuple[Callable[..., CorrelationTime], ...]


KINDS = {
    "correlation": Kind(
        "correlation time", "correlation above {}", 1.0, (0.8, 0.9, 0.95),
        (correlation_time_first_crossing, correlation_time_mean_then_first, correlation_time_mean_then_count),
    ),
    "nrmse": Kind(
        "valid time", "nRMSE below {}", 0.0, (0.1, 0.4, 0.5),
        (valid_time_first_crossing, valid_time_mean_then_first, valid_time_mean_then_count),
    ),
}  # fmt: skip


def horizon_tables(scores: xr.Dataset, shown: dict[str, Line]) -> Choice:
    """Correlation time and valid time of each model: in units of time, in steps, and in Lyapunov times if known."""
    if scores.sizes["time"] < 2:
        return choice((), ())
    lead = scores.lead_time.values
    exponent = float(scores.attrs.get("lyapunov_exponent", 0.0))
    parts = []
    for measure, kind in KINDS.items():
        for threshold in kind.thresholds if measure in scores else ():
            condition = kind.condition.format(threshold)
            heads = (("model", condition), *DEFINITIONS.items(), ("stable", "finite to the end"), ("first blow-up", ""))
            lines = [_line(scores, name, measure, kind, threshold, lead, exponent) for name in shown]
            table = Table(f"{kind.title}, {condition}", heads, tuple(lines))
            parts.append(Part((f"{kind.title}: {condition}",), (), table))
    return choice(("how long",), parts)


def _line(
    scores: xr.Dataset, name: str, measure: str, kind: Kind, threshold: float, lead: np.ndarray, exponent: float
) -> TableLine:
    values = values_of(scores[measure], name)
    t = np.tile(lead, (len(values) // len(lead), 1))
    values = over_undefined(values, t, kind.perfect)
    step = float(np.median(lead[:, -1] - lead[:, 0])) / max(1, lead.shape[1] - 1)
    cells = []
    for function in kind.functions if len(values) else ():
        found = function(values, t, threshold)
        middle, share = float(quantile(found.time.reshape(-1), 0.5)), float(np.mean(found.censored))
        spread = [float(quantile(found.time, q)) for q in (0.25, 0.75)] if found.time.ndim else None
        cells.append(time_cell(middle, share, step, exponent, spread))
    cells += [Cell("–")] * (len(kind.functions) - len(cells))
    broken = _blow_up(scores, name, lead)
    if not broken.censored.size:
        return TableLine(name, (*cells, Cell("–"), Cell("–")))
    cells.append(Cell(f"{100 * float(np.mean(broken.censored)):.0f} %"))
    first = float(broken.time.min()) if not broken.censored.all() else None
    cells.append(Cell("–" if first is None else f"t = {number(first)}"))
    return TableLine(name, tuple(cells))


def _blow_up(scores: xr.Dataset, name: str, lead: np.ndarray) -> CorrelationTime:
    """Of each forecast, as the scores have it; from the nRMSE where they have none."""
    if "blow_up_time" not in scores:
        error = values_of(scores["nrmse"], name)
        return blow_up_time(error, np.tile(lead, (len(error) // len(lead), 1)), BLOW_UP)
    time, flags = (scores[key].sel(model=name).values for key in ("blow_up_time", "blow_up_time_censored"))
    return CorrelationTime(time[flags >= 0], flags[flags >= 0] == 1)


def time_cell(middle: float, censored: float, step: float, exponent: float, spread=None) -> Cell:
    """A time with its quartiles; below it steps and Lyapunov times. "≥" where half of the forecasts outlast it.

    >>> time_cell(40.0, 0.6, 0.5, 0.1).text, time_cell(40.0, 0.6, 0.5, 0.1).small
    ('≥ 40', ('≥ 80 steps, ≥ 4 Lyapunov', '60 % censored'))
    """
    least = "≥ " if censored >= 0.5 else ""
    small = [f"{least}{number(middle / step)} steps"]
    if exponent > 0:
        small[0] += f", {least}{number(middle * exponent)} Lyapunov"
    if spread is not None and censored < 0.5:
        high = "horizon" if censored > 0.25 else number(float(spread[1]))
        small.insert(0, f"{number(float(spread[0]))} – {high}")
    if 0 < censored < 1:
        small.append(f"{100 * censored:.0f} % censored")
    elif censored:
        small.append("all censored")
    return Cell(least + number(middle), tuple(small))


def horizons_section(page: Page) -> str:
    """Fill the tables of horizons."""
    return page.fill("horizons", horizons=horizon_tables(page.loaded, page.shown))
