"""Charts of cost beside accuracy: the sweep of solvers with its front, surrogates, and the level of baselines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pdekit.report.curves import Line, Panel
from pdekit.report.summary import THRESHOLD, Row, Summary

SWEEP = Line(6)


def cost_charts(summary: Summary, shown: dict[str, Line]) -> list[str]:
    """Time per forecast against the error at the compared time, and against the correlation time if there is one."""
    t, at = summary.times[summary.compared], summary.compared
    label = f"nRMSE at t = {t:.3g}"
    panel = _panel(f"{label} against the time of one forecast", label, "xy")
    if summary.front.seconds:
        front = [(1000 * s, e) for s, e in zip(summary.front.seconds, summary.front.errors, strict=True) if e > 0]
        panel.axes.plot(*np.array(front).reshape(-1, 2).T, color=SWEEP.hex, linewidth=1.2, alpha=0.7)
    _points(panel, summary, shown, lambda row: row.errors[at].median)
    charts = [panel.svg()]
    if len(summary.times) > 1 and summary.rows[0].correlation_time is not None:
        label = f"correlation time (above {THRESHOLD})"
        panel = _panel(f"{label} against the time of one forecast", label, "x")
        _points(panel, summary, shown, lambda row: row.correlation_time.median)
        charts.append(panel.svg())
    return charts


def _panel(title: str, label: str, log: str) -> Panel:
    return Panel(title, "time per forecast (ms)", label, log)


def _points(panel: Panel, summary: Summary, shown: dict[str, Line], value: Callable[[Row], float]) -> None:
    def drawn(row: Row) -> bool:
        return bool(row.errors) and bool(np.isfinite(value(row))) and (value(row) > 0 or "y" not in panel.log)

    sweep = [(1000 * row.seconds, value(row)) for row in summary.solvers if drawn(row)]
    if sweep:
        panel.axes.scatter(*zip(*sweep, strict=True), color=SWEEP.hex, s=16, linewidth=0)
    for row in filter(drawn, summary.rows):
        if row.kind == "surrogate":
            place = 1000 * row.seconds, value(row)
            panel.axes.scatter(*place, color=shown[row.name].hex, marker="D", s=42, linewidth=0, zorder=3)
        elif row.kind == "baseline":
            line = shown[row.name]
            panel.axes.axhline(value(row), color=line.hex, linestyle=line.style, linewidth=1)
