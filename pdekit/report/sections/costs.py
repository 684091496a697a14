"""Charts of cost next to accuracy, under every measure of accuracy that the reader may choose."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from pdekit.metrics.costs import Front, Verdict, judge
from pdekit.metrics.horizons import quantile
from pdekit.report.charts.curves import Line, Panel
from pdekit.report.charts.formats import milliseconds, number
from pdekit.report.compared import still_forecasts, useful_frame
from pdekit.report.parts import Cell, Choice, Part, Table, TableLine, choice
from pdekit.report.sections.base import Page
from pdekit.report.summary import THRESHOLD, Row, Summary, floor_at, training_seconds
from pdekit.report.variables import Variable, quartiles, values_of

SWEEP = Line(6)


@dataclass(frozen=True)
class Accuracy:
    """An axis of the chart.

    Args:
        title: name of the measure, and the lead time.
        label: the same on the axis of a chart.
        measure: its name in the scores.
        values: (median, whether it is a bound only) of each model.
        rising: whether more is better.
        floor: error of the reference; 0 for other measures.
        failed: models that no longer forecast at that time: nothing is interpolated between solvers among them.
    """

    title: str
    label: str
    measure: str
    values: dict[str, tuple[float, bool]]
    rising: bool = False
    floor: float = 0.0
    failed: frozenset[str] = frozenset()

    def error(self, name: str) -> float:
        """Less is better: the value, or what it is the inverse of."""
        value = self.values.get(name, (math.nan, False))[0]
        if not self.rising:
            return value
        return 1 / value if value > 0 else math.inf


def accuracies(scores: xr.Dataset, summary: Summary, found: list[Variable]) -> list[Accuracy]:
    """The asked axis first (correlation time of chaotic problems, else nRMSE at the compared time), then all others:

    nRMSE at other times and relative measures.
    """
    every = [row.name for row in (*summary.rows, *summary.solvers) if row.errors and row.kind != "seeds"]
    n, compared = scores.sizes["time"], summary.frames[summary.compared]
    axes = [_nrmse(scores, every, frame, words) for frame, words in _frames(scores, summary).items()]
    rows = {row.name: row for row in (*summary.solvers, *summary.rows) if row.correlation_time is not None}
    if rows:
        values = {name: (rows[name].correlation_time.median, rows[name].censored >= 0.5) for name in every}
        title = f"correlation time (above {THRESHOLD})"
        axes.insert(1, Accuracy(title, title, "correlation_time", values, rising=True))
    at = "" if n == 1 else f", t = {number(float(scores.time.values[compared]))}"
    for v in found:
        relative = v.unit == "1" and not v.unit_power
        if v.name == "nrmse" or v.extra or not v.by_field or not relative or v.best != 0.0:
            continue
        data = scores[v.name].isel(time=compared) if v.in_time else scores[v.name]
        title = v.title + (at if v.in_time else "")
        failed = axes[0].failed if v.in_time else frozenset()
        axes.append(Accuracy(title, title, v.name, _medians(data, every), failed=failed))
    chaotic = float(scores.attrs.get("lyapunov_exponent", 0.0)) > 0
    asked = str(scores.attrs.get("error", "correlation_time" if chaotic else "nrmse"))
    first = next((axis for axis in axes if axis.measure == asked), axes[0])
    axes = [first, *(axis for axis in axes if axis is not first)]
    return [_with_seeds(axis, summary) for axis in axes]


def _frames(scores: xr.Dataset, summary: Summary) -> dict[int, str]:
    """Frames at which nRMSEs may be compared, and what they are; the compared one first."""
    n, compared = scores.sizes["time"], summary.frames[summary.compared]
    if n == 1:
        return {0: "nRMSE"}
    named = {0: "nRMSE after one step", n - 1: "nRMSE at the end"}
    if "nrmse_floor" in scores:
        floor = scores.nrmse_floor.values
        end = predictable(floor)
        known = end + 1 == n or floor[end + 1] == floor[end + 1]
        named[end] = f"nRMSE at the end of the reference's {'predictability' if known else 'check'}"
    judged = next((row for row in summary.rows if row.kind == "surrogate"), None)
    if judged is not None:
        named.setdefault(useful_frame(scores, judged.name), f"nRMSE at the last correlation above {THRESHOLD}")
    named[compared] = "nRMSE where surrogate and solver are compared"
    return {frame: named[frame] for frame in (compared, *(f for f in sorted(named) if f != compared))}


def _nrmse(scores: xr.Dataset, every: list[str], frame: int, words: str) -> Accuracy:
    at = "" if scores.sizes["time"] == 1 else f", t = {number(float(scores.time.values[frame]))}"
    failed = frozenset(name for name in every if not still_forecasts(scores, name)[frame])
    values = _medians(scores.nrmse.isel(time=frame), every)
    return Accuracy(words + at, "nRMSE" + at, "nrmse", values, floor=floor_at(scores, frame), failed=failed)


def predictable(floor: np.ndarray) -> int:
    """The last frame at which the reference's own error is that of a correlation above the threshold, and is known.

    Two fields of equal size with correlation rho differ by sqrt(2 (1 - rho)) of it.
    """
    beyond = ~(floor <= math.sqrt(2 * (1 - THRESHOLD)))
    return max(0, int(beyond.argmax()) - 1) if beyond.any() else len(floor) - 1


def _over_seeds(accuracy: Accuracy, summary: Summary) -> dict[str, tuple[float, bool]]:
    """Medians over the seeds of a method, bounds only if half of them are."""
    found = {}
    for row in summary.rows:
        if row.seeds:
            values, bounded = zip(*(accuracy.values[name] for name in row.seeds), strict=True)
            found[row.name] = (float(quantile(np.array(values), 0.5)), 2 * sum(bounded) >= len(bounded))
    return found


def _with_seeds(axis: Accuracy, summary: Summary) -> Accuracy:
    """An axis with the medians over seeds; a method has failed where half of its seeds have."""
    failed = {row.name for row in summary.rows if row.seeds and 2 * len(axis.failed & {*row.seeds}) >= len(row.seeds)}
    return replace(axis, values=axis.values | _over_seeds(axis, summary), failed=axis.failed | failed)


def _medians(data: xr.DataArray, names: list[str]) -> dict[str, tuple[float, bool]]:
    data = data.sel(model=list(dict.fromkeys(names))).load()
    return {name: (float(quartiles(values_of(data, name))[0]), False) for name in names}


def cost_parts(scores: xr.Dataset, summary: Summary, shown: dict[str, Line], found: list[Variable]) -> Choice:
    """A chart and a table of verdicts for every measure of accuracy."""
    parts = []
    for accuracy in accuracies(scores, summary, found):
        front, bounds = fronts(summary, accuracy)
        judged = [row for row in summary.rows if row.kind in ("seeds", "surrogate")]
        verdicts = [_verdict(scores, row, accuracy, front, bounds) for row in judged]
        chart = cost_chart(summary, accuracy, front, shown)
        table = _table(summary, accuracy, verdicts) if summary.solvers else None
        parts.append(Part((accuracy.title,), (chart,), table))
    return choice(("accuracy",), parts)


def fronts(summary: Summary, accuracy: Accuracy) -> tuple[Front, Front]:
    """The front of the solvers whose accuracy is known, and that of all, of which some are better than it says.

    Solvers that no longer forecast are on neither.
    """
    solvers = [s for s in summary.solvers if s.name not in accuracy.failed]
    known = [(s.seconds, accuracy.error(s.name)) for s in solvers if not accuracy.values[s.name][1]]
    every = [(s.seconds, accuracy.error(s.name)) for s in solvers]
    return Front.of(known, accuracy.floor), Front.of(every, accuracy.floor)


def _verdict(scores: xr.Dataset, row: Row, accuracy: Accuracy, front: Front, bounds: Front) -> Verdict:
    training = training_seconds(scores, row)
    data = float(scores.attrs.get("data_seconds", math.nan))
    error, bounded = accuracy.error(row.name), accuracy.values[row.name][1]
    if not row.priced:
        equal = None if bounded else front.seconds_at(max(error, accuracy.floor))
        return Verdict(row.name, row.seconds, equal, False, False, False, training, data, unknown=True)
    if bounded:
        return Verdict(row.name, row.seconds, None, False, False, False, training, data, unknown=True)
    beyond = bounds if bounds != front else None
    verdict = judge(row.name, row.seconds, error, front, accuracy.floor, training, data, beyond)
    return replace(verdict, failed=row.name in accuracy.failed)


def cost_chart(summary: Summary, accuracy: Accuracy, front: Front, shown: dict[str, Line]) -> str:
    """Time per forecast against one measure of accuracy."""
    panel = Panel(
        f"{accuracy.title} against the time of one forecast", "time per forecast (ms)", accuracy.label,
        "x" if accuracy.rising else "xy", (520, 320),
    )  # fmt: skip
    levels = np.array([1 / e if accuracy.rising else e for e in front.errors])
    panel.curve(1000 * np.array(front.seconds), levels, Line(6), 1.2, "front of the solvers")
    for row in summary.solvers:
        value, bounded = accuracy.values[row.name]
        name = f"{row.name}: {'≥ ' if bounded else ''}{number(value)} in {milliseconds(row.seconds)}"
        panel.points(np.array([1000 * row.seconds]), np.array([value]), SWEEP, [name])
    written = sum(row.kind == "surrogate" for row in summary.rows) <= 2
    for row in summary.rows:
        value = accuracy.values.get(row.name, (math.nan, False))[0]
        if row.kind == "surrogate" and row.priced:
            panel.points(
                np.array([1000 * row.seconds]), np.array([value]), shown[row.name], [row.name], diamond=True,
                written=written, size=6,
            )  # fmt: skip
        elif row.kind in ("surrogate", "baseline"):
            panel.level(value, shown[row.name], 1.2, f"{row.name}: {number(value)}")
    return panel.svg()


def _table(summary: Summary, accuracy: Accuracy, verdicts: list[Verdict]) -> Table:
    heads = (("model", ""), (accuracy.label, "median"), ("solver at equal accuracy", "interpolated on the front"),
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
    """Words for the result of a surrogate compared with the solvers."""
    if verdict.seconds != verdict.seconds:
        return "its cost is not known"
    if verdict.dominated:
        return "dominated"
    if verdict.failed and verdict.more_accurate:
        return "neither it nor a solver forecasts"
    if verdict.unknown:
        return "outlasts the horizon: not known"
    if verdict.more_accurate:
        return "no solver of the sweep as accurate"
    if verdict.speed_up is None:
        return "every solver that forecasts is more accurate, and takes longer"
    ratio = verdict.speed_up
    return f"{number(max(ratio, 1 / ratio), 2)} × {'faster' if ratio > 1 else 'slower'} at equal accuracy"


def pays(verdict: Verdict) -> str:
    """After how many forecasts training and data are paid."""
    if verdict.break_even is None:
        return "–"
    return "never" if math.isinf(verdict.break_even) else number(verdict.break_even)


def costs_section(page: Page) -> str:
    """Fill charts and tables of costs."""
    parts = cost_parts(page.scores, page.table, page.shown, page.variables)
    words = energy_words(page.scores)
    return page.fill("costs", costs=parts, energy_words=words, training_seconds=training_seconds)


def energy_words(scores: xr.Dataset) -> str:
    """Reason why the energy of the training is not known; empty if it is."""
    if "training_joules" in scores:
        return ""
    return f"The energy of the training is not known: {scores.attrs.get('energy_absent', 'it was not measured')}."
