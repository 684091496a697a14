"""Curves and tables of all measures against lead time."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pdekit.report.charts.curves import DOTTED, Line, Panel
from pdekit.report.charts.formats import between, number, with_unit
from pdekit.report.parts import Cell, Choice, Part, Table, TableLine, choice
from pdekit.report.sections.base import Page
from pdekit.report.summary import THRESHOLD
from pdekit.report.variables import Variable, fields_of, of_field, quartiles, reference_of, values_of

MEAN = "mean over fields"
FLOOR = Line(0, DOTTED)
MOST_POINTS = 150
"""Largest number of points of a curve; more are not visible at its size."""


def lead_label(scores: xr.Dataset) -> str:
    """The label of the axis of time."""
    return with_unit("lead time", str(scores.time.attrs.get("units", "1")))


def time_words(scores: xr.Dataset, frame: int) -> str:
    """Name of a frame in a menu: its time, or "steady"."""
    return "steady" if scores.sizes["time"] == 1 else f"t = {number(float(scores.time.values[frame]))}"


def frame_variables(found: list[Variable]) -> list[Variable]:
    """Measures of a whole field in time."""
    return [v for v in found if v.in_time and v.extra is None]


def error_charts(scores: xr.Dataset, shown: dict[str, Line], found: list[Variable]) -> list[str]:
    """nRMSE and correlation against lead time: what the first look is for."""
    if scores.sizes["time"] < 2:
        return []
    first = [v for name in ("nrmse", "correlation") for v in found if v.name == name]
    return [frame_chart(scores, shown, v, fields_of(v, scores)[0]) for v in first]


def measure_choice(scores: xr.Dataset, shown: dict[str, Line], found: list[Variable]) -> Choice:
    """A chart for every measure and field, of which one is seen."""
    if scores.sizes["time"] < 2:
        return choice((), ())
    parts = []
    for variable in frame_variables(found):
        for field in fields_of(variable, scores):
            chart = frame_chart(scores, shown, variable, field)
            parts.append(Part((variable.title, place(field, scores, variable)), (chart,)))
    return choice(("measure", "field"), parts)


def place(field: str | None, scores: xr.Dataset, variable: Variable) -> str:
    """Name of a field in a menu; None is the mean over fields, or all fields together."""
    if field is not None:
        return field
    if scores.sizes["field"] == 1:
        return str(scores.field.values[0])
    return MEAN if variable.by_field else "all fields"


def frame_chart(scores: xr.Dataset, shown: dict[str, Line], variable: Variable, field: str | None) -> str:
    """Median and quartiles over forecasts of each model, against lead time; the floor if there is one."""
    variable = of_field(variable, scores, field)
    data, t = scores[variable.name], scores.time.values
    every = slice(None, None, -(-len(t) // MOST_POINTS))
    named = field if scores.sizes["field"] > 1 and variable.by_field else None
    mean = ", mean over fields" if variable.by_field and field is None and scores.sizes["field"] > 1 else ""
    label = with_unit(variable.title + (f" of {named}" if named else mean), variable.unit)
    log = "" if variable.signed or variable.best == 1.0 else "y"
    panel = Panel(f"{label} against lead time: median and quartiles over forecasts", lead_label(scores), label, log)
    for name, line in shown.items():
        middle, lower, upper = quartiles(values_of(data, name, field))
        if np.isfinite(middle).any():
            panel.band(t[every], middle[every], lower[every], upper[every], line, name=name)
    for kind in ("reference", "floor"):
        own = reference_of(scores, variable.name, kind)
        if own is not None and "time" in own.dims:
            values = quartiles(values_of(own, None, field))[0]
            line = FLOOR if kind == "floor" else Line(0)
            panel.curve(t[every], values[every], line, 1.0 if kind == "floor" else 2.4, f"{kind} of the reference")
    if variable.name.startswith("correlation"):
        panel.level(THRESHOLD, FLOOR, 0.8, f"threshold {THRESHOLD}")
        panel.limits("y", max(-0.4, min(0.0, _lowest(scores, shown, variable, field))), 1.02)
    return panel.svg()


def _lowest(scores: xr.Dataset, shown: dict[str, Line], variable: Variable, field: str | None) -> float:
    lows = [quartiles(values_of(scores[variable.name], name, field))[1] for name in shown]
    finite = np.concatenate([low[np.isfinite(low)] for low in lows] + [np.zeros(1)])
    return float(finite.min())


def measure_tables(
    scores: xr.Dataset,
    shown: dict[str, Line],
    found: list[Variable],
    frames: list[int],
    levels: dict[str, str],
    first: int = 0,
) -> Choice:
    """All measures of all models: a table for each time and field.

    Args:
        scores, shown, found: scores, line styles and variables of the report.
        frames: indices of the times; ``first`` is seen at first.
        levels: words on the size of the reference, for each field.
    """
    parts = []
    fields = [str(name) for name in scores.field.values]
    for frame in frames:
        time = time_words(scores, frame)
        for field in ([None] if len(fields) > 1 else []) + fields:
            lines = [
                _line(scores, shown, v, field, frame) for v in frame_variables(found) if field in fields_of(v, scores)
            ]
            called = field or MEAN
            heads = (("measure", called), *((name, "") for name in shown))
            table = Table(f"All measures of {called}, {time}", heads, tuple(lines))
            parts.append(Part((time, called), (), table, levels.get(called, "")))
    return choice(("time", "field"), [part for part in parts if part.table.lines], (time_words(scores, first), None))


def _line(scores: xr.Dataset, shown: dict[str, Line], variable: Variable, field: str | None, frame: int) -> TableLine:
    variable = of_field(variable, scores, field)
    data = scores[variable.name].isel(time=frame)
    spreads = [[float(v) for v in quartiles(values_of(data, name, field))] for name in shown]
    notes = []
    for kind in ("floor", "effect"):
        own = reference_of(scores, variable.name, kind)
        if own is not None and "time" in own.dims:
            notes.append(f"{kind} {number(float(quartiles(values_of(own.isel(time=frame), None, field))[0]))}")
    return TableLine(with_unit(variable.title, variable.unit), marked(spreads, variable.best), ", ".join(notes))


def marked(spreads: list[list[float]], best: float | None, infinite: str = "diverged") -> tuple[Cell, ...]:
    """Medians with quartiles; the one nearest to a perfect forecast's value (+inf: the largest) is marked.

    Args:
        spreads: median and quartiles of each model; NaN where there is none.
        best: the perfect value, None if there is none.
        infinite: name of an infinite median.
    """
    away = [_away(s[0], best) for s in spreads]
    nearest = min(away, default=np.inf)
    several = int(np.isfinite(away).sum()) > 1
    cells = []
    for (middle, lower, upper), distance in zip(spreads, away, strict=True):
        if middle != middle:
            cells.append(Cell("–"))
            continue
        small = () if lower == middle == upper or not np.isfinite(middle) else (between(lower, upper),)
        cells.append(
            Cell(
                number(middle) if np.isfinite(middle) else infinite,
                small,
                bool(several and distance == nearest < np.inf),
            )
        )
    return tuple(cells)


def _away(value: float, best: float | None) -> float:
    if best is None or not np.isfinite(value):
        return np.inf
    return -value if best == np.inf else abs(value - best)


def fields_section(page: Page) -> str:
    """Fill the charts of errors in time."""
    found = page.loaded, page.shown, page.variables
    return page.fill("fields", errors=error_charts(*found), measures=measure_choice(*found))
