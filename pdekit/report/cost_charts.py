"""Charts of cost beside accuracy, under every measure of accuracy that the reader may choose."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pdekit.report.cost import Front, Verdict, judge
from pdekit.report.curves import Line, Panel
from pdekit.report.formats import milliseconds, number
from pdekit.report.parts import Cell, Choice, Part, Table, choice
from pdekit.report.parts import Line as TableLine
from pdekit.report.summary import THRESHOLD, Row, Summary
from pdekit.report.variables import Variable, quartiles, values_of

SWEEP = Line(6)


@dataclass(frozen=True)
class Accuracy:
    """An axis of the chart.

    Args:
        title: what it is, and when.
        values: (median, whether it is a bound only) of each model.
        rising: whether more is better.
        floor: of an error.
    """

    title: str
    values: dict[str, tuple[float, bool]]
    rising: bool = False
    floor: float = 0.0

    def error(self, name: str) -> float:
        """Less is better: the value, or what it is the inverse of."""
        value = self.values.get(name, (math.nan, False))[0]
        if not self.rising:
            return value
        return 1 / value if value > 0 else math.inf


def accuracies(scores: xr.Dataset, summary: Summary, found: list[Variable]) -> list[Accuracy]:
    """nRMSE at the compared time first, then what else there is: other times, correlation time, relative measures."""
    every = [row.name for row in (*summary.rows, *summary.solvers) if row.errors and row.kind != "seeds"]
    n, compared = scores.sizes["time"], summary.frames[summary.compared]
    steady = n == 1
    named = {compared: "", 0: "after one step", n - 1: "at the end"}
    axes = []
    for frame in dict.fromkeys((compared, 0, n - 1)):
        t = f"t = {number(float(scores.time.values[frame]))}"
        title = "nRMSE" if steady else f"nRMSE {named[frame]}, {t}" if named[frame] else f"nRMSE at {t}"
        floor = float(scores.nrmse_floor[frame]) if "nrmse_floor" in scores else 0.0
        axes.append(Accuracy(title, _medians(scores.nrmse.isel(time=frame), every), floor=floor))
    if not steady and any(row.correlation_time is not None for row in summary.rows):
        rows = {row.name: row for row in (*summary.solvers, *summary.rows) if row.correlation_time is not None}
        values = {name: (rows[name].correlation_time.median, rows[name].censored >= 0.5) for name in every}
        axes.insert(1, Accuracy(f"correlation time (above {THRESHOLD})", values, rising=True))
    at = "" if steady else f" at t = {number(float(scores.time.values[compared]))}"
    for v in found:
        if v.name == "nrmse" or v.extra or not v.by_field or v.unit != "1" or v.best != 0.0:
            continue
        data = scores[v.name].isel(time=compared) if v.in_time else scores[v.name]
        axes.append(Accuracy(v.title + (at if v.in_time else ""), _medians(data, every)))
    return axes


def _medians(data: xr.DataArray, names: list[str]) -> dict[str, tuple[float, bool]]:
    data = data.sel(model=list(dict.fromkeys(names))).load()
    return {name: (float(quartiles(values_of(data, name))[0]), False) for name in names}


def cost_parts(scores: xr.Dataset, summary: Summary, shown: dict[str, Line], found: list[Variable]) -> Choice:
    """A chart and a table of verdicts for every measure of accuracy."""
    parts = []
    for accuracy in accuracies(scores, summary, found):
        front, bounds = fronts(summary, accuracy)
        verdicts = [_verdict(scores, row, accuracy, front, bounds) for row in summary.rows if row.kind == "surrogate"]
        chart = cost_chart(summary, accuracy, front, shown)
        table = _table(summary, accuracy, verdicts) if summary.solvers else None
        parts.append(Part((accuracy.title,), (chart,), table))
    return choice(("accuracy",), parts)


def fronts(summary: Summary, accuracy: Accuracy) -> tuple[Front, Front]:
    """The front of the solvers whose accuracy is known, and that of all, of which some are better than it says."""
    known = [(s.seconds, accuracy.error(s.name)) for s in summary.solvers if not accuracy.values[s.name][1]]
    every = [(s.seconds, accuracy.error(s.name)) for s in summary.solvers]
    return Front.of(known, accuracy.floor), Front.of(every, accuracy.floor)


def _verdict(scores: xr.Dataset, row: Row, accuracy: Accuracy, front: Front, bounds: Front) -> Verdict:
    training = float(scores.training_seconds.sel(model=row.name)) if "training_seconds" in scores else math.nan
    data = float(scores.attrs.get("data_seconds", math.nan))
    error, bounded = accuracy.error(row.name), accuracy.values[row.name][1]
    if bounded:
        return Verdict(row.name, row.seconds, None, False, False, False, training, data, unknown=True)
    beyond = bounds if bounds != front else None
    return judge(row.name, row.seconds, error, front, accuracy.floor, training, data, beyond)


def cost_chart(summary: Summary, accuracy: Accuracy, front: Front, shown: dict[str, Line]) -> str:
    """Time per forecast against one measure of accuracy."""
    panel = Panel(
        f"{accuracy.title} against the time of one forecast", "time per forecast (ms)", accuracy.title,
        "x" if accuracy.rising else "xy", (520, 320),
    )  # fmt: skip
    levels = np.array([1 / e if accuracy.rising else e for e in front.errors])
    panel.curve(1000 * np.array(front.seconds), levels, Line(6), 1.2, "front of the solvers")
    for row in summary.solvers:
        value, bounded = accuracy.values[row.name]
        name = f"{row.name}: {'≥ ' if bounded else ''}{number(value)} in {milliseconds(row.seconds)}"
        panel.points(np.array([1000 * row.seconds]), np.array([value]), SWEEP, [name])
    for row in summary.rows:
        value = accuracy.values.get(row.name, (math.nan, False))[0]
        if row.kind == "surrogate":
            panel.points(
                np.array([1000 * row.seconds]), np.array([value]), shown[row.name], [row.name], diamond=True,
                written=True, size=6,
            )  # fmt: skip
        elif row.kind == "baseline":
            panel.level(value, shown[row.name], 1.2, f"{row.name}: {number(value)}")
    return panel.svg()


def _table(summary: Summary, accuracy: Accuracy, verdicts: list[Verdict]) -> Table:
    heads = (("model", ""), (accuracy.title, "median"), ("solver at equal accuracy", "interpolated on the front"),
             ("said", ""), ("pays after", "forecasts, training and data paid"))  # fmt: skip
    lines = []
    for verdict in verdicts:
        value, bounded = accuracy.values[verdict.name]
        least = "≥ " if bounded else ""
        at = "–" if verdict.at_equal_error is None else milliseconds(verdict.at_equal_error)
        cells = (Cell(least + number(value)), Cell(at), Cell(said(verdict)), Cell(pays(verdict)))
        lines.append(TableLine(verdict.name, cells, strong=True))
    for row in summary.rows:
        if row.kind == "baseline":
            value = accuracy.values[row.name][0]
            cells = (Cell(number(value) if value == value else "–"), Cell("–"), Cell("–"), Cell("–"))
            lines.append(TableLine(row.name, cells))
    return Table(f"Verdicts under {accuracy.title}", heads, tuple(lines))


def said(verdict: Verdict) -> str:
    """What may be said of a surrogate beside the solvers."""
    if verdict.dominated:
        return "dominated"
    if verdict.unknown:
        return "outlasts the horizon: not known"
    if verdict.more_accurate:
        return "no solver of the sweep as accurate"
    if verdict.speed_up is None:
        return "every solver more accurate, and dearer"
    ratio = verdict.speed_up
    return f"{number(max(ratio, 1 / ratio), 2)} × {'faster' if ratio > 1 else 'slower'} at equal accuracy"


def pays(verdict: Verdict) -> str:
    """After how many forecasts training and data are paid."""
    if verdict.break_even is None:
        return "–"
    return "never" if math.isinf(verdict.break_even) else number(verdict.break_even)
