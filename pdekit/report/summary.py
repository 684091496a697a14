"""The table of a report: what each model achieves, from the scores.

Every (member, sample) is one forecast. An error is first averaged over the fields of a forecast, then the median and
the quartiles over forecasts are taken; a diverged forecast counts as +inf.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pdekit.metrics.horizon import correlation_time_first_crossing, diverged, quantile

THRESHOLD = 0.8


@dataclass(frozen=True)
class Spread:
    """Median and quartiles over forecasts."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: np.ndarray) -> Spread:
        return cls(*(float(quantile(values, q)) for q in (0.5, 0.25, 0.75)))


@dataclass(frozen=True)
class Row:
    """One model in numbers.

    Args:
        name: of the model.
        kind: "surrogate", "baseline" or "solver".
        note: why a solver stands in the table; the reason of a row without numbers.
        errors: nRMSE at the chosen times.
        floored: whether each of them is below the reference's own error.
        correlation_time: first crossing of `THRESHOLD`, None where correlation is not defined.
        censored: share of forecasts that never crossed.
        diverged: share of forecasts with a value that is not finite.
        seconds, calls, parameters: cost of one forecast, network evaluations in it, size.
    """

    name: str
    kind: str
    note: str = ""
    errors: tuple[Spread, ...] = ()
    floored: tuple[bool, ...] = ()
    correlation_time: Spread | None = None
    censored: float = 0.0
    diverged: float = 0.0
    seconds: float = 0.0
    calls: int = 0
    parameters: int = 0


@dataclass(frozen=True)
class Summary:
    """The rows, and what they were chosen by.

    Args:
        rows: surrogates, baselines, the solvers that matter; then baselines that are not defined.
        solvers: all of the sweep.
        frames: indices of the times of ``errors``; the first is one step.
        times: lead times of these frames.
        compared: index among ``frames`` at which surrogate and solvers are compared: the last time at which the first
            surrogate's median correlation exceeds the threshold, or the end where that is not defined.
    """

    rows: tuple[Row, ...]
    solvers: tuple[Row, ...]
    frames: tuple[int, ...]
    times: tuple[float, ...]
    compared: int


def forecasts_of(scores: xr.Dataset, measure: str, model: str) -> np.ndarray:
    """The scores of one model averaged over fields: "forecast time", forecasts being members and samples."""
    values = scores[measure].sel(model=model).transpose("member", "sample", "time", "field", ...).values
    values = values[~np.isnan(values[:, 0, 0, 0])] if values.ndim == 4 else values
    return values.astype(np.float64).mean(3).reshape(-1, values.shape[2])


def summarise(scores: xr.Dataset) -> Summary:
    """Rows of all models, with the two solvers that matter chosen."""
    kinds = dict(zip(scores.model.values.tolist(), scores.kind.values.tolist(), strict=True))
    surrogates = [name for name, kind in kinds.items() if kind == "surrogate"]
    judged = surrogates[0] if surrogates else next(iter(kinds))
    compared = _useful_frame(scores, judged)
    n = scores.sizes["time"]
    frames = tuple(sorted({0, compared, (n - 1) // 4, (n - 1) // 2, n - 1}))
    frames = _thinned(frames, {0, compared, n - 1})
    at = frames.index(compared)
    rows = {name: _row(scores, name, kind, frames) for name, kind in kinds.items()}
    solvers = tuple(row for row in rows.values() if row.kind == "solver")
    chosen: tuple[Row, ...] = ()
    if solvers:
        best = min(solvers, key=lambda s: (s.errors[at].median, s.seconds))
        chosen = _chosen_solvers(rows[judged], solvers, at) if surrogates else (_noted(best, "most accurate"),)
    missing = tuple(Row(name, "absent", reason) for name, reason in json.loads(scores.attrs["absent"]).items())
    ordinary = tuple(row for row in rows.values() if row.kind != "solver")
    times = tuple(float(t) for t in scores.time.values[list(frames)])
    return Summary(ordinary + chosen + missing, solvers, frames, times, at)


def _row(scores: xr.Dataset, name: str, kind: str, frames: tuple[int, ...]) -> Row:
    error = forecasts_of(scores, "nrmse", name)
    errors = tuple(Spread.of(error[:, frame]) for frame in frames)
    floors = [0.0] * len(frames)
    if "nrmse_floor" in scores:
        floors = scores.nrmse_floor.values[list(frames)].tolist()
    time, censored = None, 0.0
    if "correlation" in scores:
        crossing = correlation_time_first_crossing(forecasts_of(scores, "correlation", name), _lead(scores, error))
        time, censored = Spread.of(crossing.time), float(crossing.censored.mean())
    known = scores.sel(model=name)
    return Row(
        name, kind, "", errors, tuple(e.median < f for e, f in zip(errors, floors, strict=True)), time, censored,
        float(diverged(error).mean()), float(known.seconds_per_forecast), int(known.network_calls),
        int(known.parameters),
    )  # fmt: skip


def _lead(scores: xr.Dataset, error: np.ndarray) -> np.ndarray:
    """Lead times of each forecast: those of the samples, for each member."""
    lead = scores.lead_time.values
    return np.tile(lead, (len(error) // len(lead), 1))


def _useful_frame(scores: xr.Dataset, name: str) -> int:
    n = scores.sizes["time"]
    if "correlation" not in scores or n == 1:
        return n - 1
    above = quantile(forecasts_of(scores, "correlation", name), 0.5) >= THRESHOLD
    fall = n if above.all() else int((~above).argmax())
    return max(0, fall - 1)


def _thinned(frames: tuple[int, ...], needed: set[int]) -> tuple[int, ...]:
    """At most four frames, the needed ones among them, none next to another that is needed."""
    optional = [f for f in frames if f not in needed]
    while len(needed) + len(optional) > 4:
        optional.remove(min(optional, key=lambda f: min(abs(f - g) for g in needed)))
    return tuple(sorted([*needed, *optional]))


def _chosen_solvers(surrogate: Row, solvers: tuple[Row, ...], at: int) -> tuple[Row, ...]:
    """The most accurate solver that is not dearer, and the cheapest that is not worse; rows that say so if none is."""
    error = surrogate.errors[at].median
    not_dearer = [s for s in solvers if s.seconds <= surrogate.seconds]
    not_worse = [s for s in solvers if s.errors[at].median <= error]
    accurate = min(not_dearer, key=lambda s: (s.errors[at].median, s.seconds), default=None)
    cheapest = min(not_worse, key=lambda s: s.seconds, default=None)
    if accurate is not None and accurate is cheapest:
        return (_noted(accurate, "most accurate not dearer, cheapest not worse"),)
    first = _noted(accurate, "most accurate not dearer") if accurate else None
    second = _noted(cheapest, "cheapest not worse") if cheapest else None
    return (
        first or Row("solver, not dearer", "absent", "every solver of the sweep takes longer"),
        second or Row("solver, not worse", "absent", "every solver of the sweep has a larger error"),
    )


def _noted(row: Row, note: str) -> Row:
    return Row(**{**vars(row), "note": note})


def sentence(summary: Summary, scores: xr.Dataset) -> str:
    """What the table says, in words."""
    rows = {row.kind: row for row in reversed(summary.rows)}
    row = rows.get("surrogate")
    n, horizon = scores.sizes["sample"], float(scores.time.values[-1])
    if row is None:
        return f"Baselines and solvers on {n} trajectories of {horizon:.4g} time units; no surrogate took part."
    still = next((r for r in summary.rows if r.name == "persistence"), None)
    text = f"Over {n} {'trajectory' if n == 1 else 'trajectories'}, {row.name} "
    text += f"has an nRMSE of {number(row.errors[0].median)} after one step"
    text += f" (persistence: {number(still.errors[0].median)})" if still else ""
    if row.correlation_time is not None and scores.sizes["time"] > 1:
        text += f" and stays above correlation {THRESHOLD} for {time_text(row.correlation_time.median, row.censored)}"
        text += " time units in the median"
        if still is not None and still.correlation_time is not None:
            text += f" (persistence: {time_text(still.correlation_time.median, still.censored)})"
    text += "."
    if row.diverged:
        text += f" {row.diverged:.0%} of its forecasts diverge."
    return text + _verdict(summary, row)


def _verdict(summary: Summary, row: Row) -> str:
    if not summary.solvers:
        return ""
    at, t = summary.compared, f"{summary.times[summary.compared]:.3g}"
    error = row.errors[at].median
    not_worse = min((s for s in summary.solvers if s.errors[at].median <= error), key=lambda s: s.seconds, default=None)
    ours = milliseconds(row.seconds)
    if not_worse is None:
        return f" No solver of the sweep is as accurate at t = {t}."
    theirs = f"{not_worse.name} takes {milliseconds(not_worse.seconds)} a forecast where it takes {ours}"
    if not_worse.seconds <= row.seconds:
        return f" It is dominated: at no larger error at t = {t}, {theirs}."
    return f" At no larger error at t = {t}, {theirs}."


def closing_lines(summary: Summary, scores: xr.Dataset) -> str:
    """The table in a few lines of text, for a terminal."""
    wide = max(len(row.name) for row in summary.rows)
    times = ["one step", *(f"t = {t:.3g}" for t in summary.times[1:])]
    head = ["nRMSE".ljust(wide), *times, "correlation time", "time"]
    lines = [sentence(summary, scores), "", "  ".join(f"{cell:>10}" for cell in head)]
    for row in summary.rows:
        cells = [number(error.median) for error in row.errors]
        if row.kind != "absent":
            held = "" if row.correlation_time is None else time_text(row.correlation_time.median, row.censored)
            cells += [held.rjust(16), milliseconds(row.seconds)]
        line = "  ".join([f"{row.name:<{max(wide, 10)}}", *(f"{cell:>10}" for cell in cells)])
        lines.append(line + (f"  {row.note}" if row.note else ""))
    return "\n".join(lines)


def number(value: float, digits: int = 3) -> str:
    """So many significant digits; small numbers by their power of ten; a diverged value by its name.

    >>> number(0.01234), number(123.4), number(0.0000567, 2), number(float("inf"))
    ('0.0123', '123', '5.7e−5', 'diverged')
    """
    if not np.isfinite(value):
        return "diverged"
    if value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    return f"{value:.{digits}g}"


def time_text(value: float, censored: float) -> str:
    """A time, with "≥" where at least half of the forecasts outlast the horizon."""
    return f"≥ {value:.3g}" if censored >= 0.5 else f"{value:.3g}"


def milliseconds(seconds: float) -> str:
    """A time per forecast.

    >>> milliseconds(0.01234), milliseconds(1e-7)
    ('12.3 ms', '< 0.01 ms')
    """
    return f"{1000 * seconds:.3g} ms" if seconds >= 1e-5 else "< 0.01 ms"
