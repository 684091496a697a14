"""The table of a report: what each model achieves, from the scores.

Every (member, sample) is one forecast. An error is first averaged over the fields of a forecast, then the median and
the quartiles over forecasts are taken; a diverged forecast counts as +inf.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from pdekit.metrics.costs import Front, Verdict, judge
from pdekit.metrics.horizons import BLOW_UP, correlation_time_first_crossing, diverged, over_undefined, quantile
from pdekit.report.charts.formats import milliseconds, number, time_text
from pdekit.report.compared import CORRELATION as THRESHOLD
from pdekit.report.compared import blown_up, compared_frame, still_forecasts, why_compared
from pdekit.report.variables import values_of


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
        name: name of the model.
        kind: "surrogate", "baseline" or "solver".
        note: why a solver stands in the table; the reason of a row without numbers.
        errors: nRMSE at the chosen times.
        floored: whether each of them is below the reference's own error.
        forecasting: whether the model still forecasts at each of these times, see `compared.still_forecasts`.
        blown_up: share of its forecasts that have blown up by each of these times, see `compared.blown_up`.
        correlation_time: first crossing of `THRESHOLD`, None where correlation is not defined.
        censored: share of forecasts that never crossed.
        diverged: share of forecasts that have blown up: not finite, or an RMSE above `BLOW_UP`.
        seconds, calls, parameters: cost of one forecast, network evaluations in it, size.
        seconds_alone: cost of one forecast that is made alone, NaN if not measured.
        fastest: cost of one forecast in the batch that suits the model best, and the size of that batch.
        peak_bytes: memory that one frame of one sample takes, 0 if not measured.
        verdict: comparison of a surrogate with the front of the solvers.
        seeds: names of the surrogates that a row sums up.
    """

    name: str
    kind: str
    note: str = ""
    errors: tuple[Spread, ...] = ()
    floored: tuple[bool, ...] = ()
    forecasting: tuple[bool, ...] = ()
    blown_up: tuple[float, ...] = ()
    correlation_time: Spread | None = None
    censored: float = 0.0
    diverged: float = 0.0
    seconds: float = 0.0
    calls: int = 0
    parameters: int = 0
    seconds_alone: float = np.nan
    fastest: tuple[float, int] = (np.nan, 0)
    peak_bytes: int = 0
    verdict: Verdict | None = None
    seeds: tuple[str, ...] = ()

    @property
    def priced(self) -> bool:
        """False of forecasts that were made elsewhere, whose cost is not known."""
        return self.seconds == self.seconds


@dataclass(frozen=True)
class Summary:
    """The rows, and what they were chosen by.

    Args:
        rows: surrogates, baselines, the solvers that matter; then baselines that are not defined.
        solvers: all of the sweep.
        frames: indices of the times of ``errors``; the first is one step.
        times: lead times of these frames.
        compared: index among ``frames`` at which surrogate and solvers are compared, see `compared.compared_frame`.
        front: front of the solvers that still forecast at that time.
        steady: whether there is no time.
    """

    rows: tuple[Row, ...]
    solvers: tuple[Row, ...]
    frames: tuple[int, ...]
    times: tuple[float, ...]
    compared: int
    front: Front
    steady: bool = False

    def at(self, n: int, before: str = " at ") -> str:
        """Words for one of the times; none if there is none."""
        return "" if self.steady else f"{before}t = {number(self.times[n])}"

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(row.verdict for row in self.rows if row.verdict is not None)


def summarise(scores: xr.Dataset) -> Summary:
    """Rows of all models, with the two solvers that matter chosen."""
    for name in {"nrmse", "correlation"} & set(scores.data_vars):
        scores[name].load()  # once, and not a piece for each model
    kinds = dict(zip(scores.model.values.tolist(), scores.kind.values.tolist(), strict=True))
    surrogates = [name for name, kind in kinds.items() if kind == "surrogate"]
    judged = surrogates[0] if surrogates else next(iter(kinds))
    compared = compared_frame(scores, judged)
    n = scores.sizes["time"]
    frames = tuple(sorted({0, compared, (n - 1) // 4, (n - 1) // 2, n - 1}))
    frames = _thinned(frames, {0, compared, n - 1})
    at = frames.index(compared)
    rows = {name: _row(scores, name, kind, frames) for name, kind in kinds.items()}
    solvers = tuple(row for row in rows.values() if row.kind == "solver")
    floor = floor_at(scores, compared)
    front = Front.of(((s.seconds, s.errors[at].median) for s in solvers if s.forecasting[at]), floor)
    for name in [name for name in surrogates if solvers and rows[name].priced]:
        rows[name] = _judged(scores, rows[name], at, front, floor)
    chosen: tuple[Row, ...] = ()
    if solvers:
        best = min(solvers, key=lambda s: (not s.forecasting[at], s.errors[at].median, s.seconds))
        chosen = _chosen_solvers(rows[judged], solvers, at) if surrogates else (_noted(best, "most accurate"),)
    missing = tuple(Row(name, "absent", reason) for name, reason in json.loads(scores.attrs["absent"]).items())
    ordinary = tuple(row for row in rows.values() if row.kind != "solver")
    times = tuple(float(t) for t in scores.time.values[list(frames)])
    seeds = tuple(
        _judged(scores, row, at, front, floor) if solvers and row.priced else row for row in _seeds(scores, ordinary)
    )
    steady = n == 1 and not scores.attrs.get("history")
    return Summary(seeds + ordinary + chosen + missing, solvers, frames, times, at, front, steady)


def floor_at(scores: xr.Dataset, frame: int) -> float:
    """The reference's own nRMSE; 0 where it is not known, as beyond the end of its check."""
    found = float(scores.nrmse_floor[frame]) if "nrmse_floor" in scores else 0.0
    return found if found == found else 0.0


def training_seconds(scores: xr.Dataset, row: Row) -> float:
    """Of a surrogate, or the median over seeds; NaN if not known."""
    if "training_seconds" not in scores:
        return np.nan
    return float(np.median(scores.training_seconds.sel(model=list(row.seeds) or [row.name])))


def _judged(scores: xr.Dataset, row: Row, at: int, front: Front, floor: float) -> Row:
    if np.isnan(row.errors[at].median):
        return row  # the reference vanishes: there is nothing to compare
    training = training_seconds(scores, row)
    data = float(scores.attrs.get("data_seconds", np.nan))
    verdict = judge(row.name, row.seconds, row.errors[at].median, front, floor, training, data)
    return replace(row, verdict=replace(verdict, failed=not row.forecasting[at]))


def _seeds(scores: xr.Dataset, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """One row for each method that was trained with several seeds: medians over seeds of medians over forecasts.

    The spread is from the best to the worst seed; a diverged seed counts as +inf.
    """
    if "method" not in scores:
        return ()
    methods = dict(zip(scores.model.values.tolist(), scores.method.values.tolist(), strict=True))
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.kind == "surrogate" and methods[row.name]:
            groups.setdefault(methods[row.name], []).append(row)
    return tuple(_over_seeds(method, seeds) for method, seeds in groups.items() if len(seeds) > 1)


def _over_seeds(method: str, seeds: list[Row]) -> Row:
    def over(values: list[float]) -> Spread:
        return Spread(float(quantile(np.array(values), 0.5)), min(values), max(values))

    errors = tuple(over([row.errors[n].median for row in seeds]) for n in range(len(seeds[0].errors)))
    times = [row.correlation_time.median for row in seeds if row.correlation_time is not None]
    return replace(
        seeds[0], name=f"{method}, {len(seeds)} seeds", kind="seeds", note="median, best and worst seed", errors=errors,
        floored=tuple(all(row.floored[n] for row in seeds) for n in range(len(errors))),
        forecasting=tuple(2 * sum(row.forecasting[n] for row in seeds) > len(seeds) for n in range(len(errors))),
        blown_up=tuple(float(np.mean([row.blown_up[n] for row in seeds])) for n in range(len(errors))),
        correlation_time=over(times) if times else None, censored=float(np.mean([row.censored for row in seeds])),
        diverged=float(np.mean([row.diverged for row in seeds])),
        seconds=float(np.median([row.seconds for row in seeds])), verdict=None, seeds=tuple(row.name for row in seeds),
    )  # fmt: skip


def _row(scores: xr.Dataset, name: str, kind: str, frames: tuple[int, ...]) -> Row:
    error = values_of(scores.nrmse, name)
    errors = tuple(Spread.of(error[:, frame]) for frame in frames)
    floors = [floor_at(scores, frame) for frame in frames]
    holds, lost = still_forecasts(scores, name), blown_up(scores, name)
    time, censored = None, 0.0
    if "correlation" in scores and scores.sizes["time"] > 1:
        rho = values_of(scores.correlation, name)
        lead = _lead(scores, rho)
        crossing = correlation_time_first_crossing(over_undefined(rho, lead, 1.0), lead)
        time, censored = Spread.of(crossing.time), float(crossing.censored.mean()) if len(rho) else 0.0
    known = scores.sel(model=name)
    alone, fastest = np.nan, (float(known.seconds_per_forecast), int(scores.attrs.get("batch_size", 0)))
    if "seconds_by_batch" in scores:
        by_batch = {int(n): float(s) for n, s in zip(known.batch, known.seconds_by_batch, strict=True) if s == s}
        alone = by_batch.get(1, np.nan)
        fastest = min(((s, n) for n, s in by_batch.items()), default=fastest)
    return Row(
        name, kind, "", errors, tuple(e.median < f for e, f in zip(errors, floors, strict=True)),
        tuple(bool(holds[frame]) for frame in frames), tuple(float(lost[frame]) for frame in frames), time, censored,
        _blown_up(scores, name, error), float(known.seconds_per_forecast), int(known.network_calls),
        int(known.parameters), alone, fastest, int(known.peak_bytes) if "peak_bytes" in scores else 0,
    )  # fmt: skip


def _blown_up(scores: xr.Dataset, name: str, error: np.ndarray) -> float:
    """Share of the forecasts that have blown up, as the horizons count it; by the nRMSE where there is no time."""
    if "blow_up_time_censored" not in scores:
        return float(diverged(error, BLOW_UP).mean()) if len(error) else 0.0
    flags = scores.blow_up_time_censored.sel(model=name).values
    known = flags[flags >= 0]
    return float((known == 0).mean()) if known.size else 0.0


def _lead(scores: xr.Dataset, error: np.ndarray) -> np.ndarray:
    """Lead times of each forecast: those of the samples, for each member."""
    lead = scores.lead_time.values
    return np.tile(lead, (len(error) // len(lead), 1))


def _thinned(frames: tuple[int, ...], needed: set[int]) -> tuple[int, ...]:
    """At most four frames, the needed ones among them, none next to another that is needed."""
    optional = [f for f in frames if f not in needed]
    while len(needed) + len(optional) > 4:
        optional.remove(min(optional, key=lambda f: min(abs(f - g) for g in needed)))
    return tuple(sorted([*needed, *optional]))


def _chosen_solvers(surrogate: Row, solvers: tuple[Row, ...], at: int) -> tuple[Row, ...]:
    """The most accurate solver that is not more expensive, and the cheapest that is not worse; a row says if none is.

    Solvers that have failed by then are left out, unless all have: their errors are alike and say nothing. Next to
    forecasts of unknown cost, the most accurate of all is shown.
    """
    error = surrogate.errors[at].median
    left = [s for s in solvers if s.forecasting[at]] or solvers
    not_dearer = [s for s in left if not s.seconds > surrogate.seconds]
    most = "most accurate not more expensive" if surrogate.priced else "most accurate"
    not_worse = [s for s in left if s.errors[at].median <= error]
    accurate = min(not_dearer, key=lambda s: (s.errors[at].median, s.seconds), default=None)
    cheapest = min(not_worse, key=lambda s: s.seconds, default=None)
    if accurate is not None and accurate is cheapest:
        return (_noted(accurate, f"{most}, cheapest not worse"),)
    first = _noted(accurate, most) if accurate else None
    second = _noted(cheapest, "cheapest not worse") if cheapest else None
    return (
        first or Row("solver, not more expensive", "absent", "every solver of the sweep takes longer"),
        second or Row("solver, not worse", "absent", "every solver of the sweep has a larger error"),
    )


def _noted(row: Row, note: str) -> Row:
    return replace(row, note=note)


def sentence(summary: Summary, scores: xr.Dataset) -> str:
    """Summary of the table as text."""
    row = next((row for row in summary.rows if row.kind in ("seeds", "surrogate")), None)
    n, horizon = scores.sizes["sample"], float(scores.time.values[-1])
    if row is None:
        text = f"Baselines and solvers on {n} trajectories of {horizon:.4g} time units; no surrogate took part."
        return text + _undefined(scores) + _warning(scores)
    baselines = [r for r in summary.rows if r.kind == "baseline"]
    best = min(baselines, key=lambda r: r.errors[0].median, default=None)
    longest = max(
        (r for r in baselines if r.correlation_time is not None), key=lambda r: r.correlation_time.median, default=None
    )
    called = ("sample", "samples") if summary.steady else ("trajectory", "trajectories")
    name = row.name + ("," if row.seeds else "")
    text = f"Over {n} {called[n > 1]}, {name} has an nRMSE of {number(row.errors[0].median)}"
    text += "" if summary.steady else " after one step"
    text += f" ({best.name}: {number(best.errors[0].median)})" if best else ""
    if row.correlation_time is not None:
        text += f" and stays above correlation {THRESHOLD} for {time_text(row.correlation_time.median, row.censored)}"
        text += " time units in the median"
        if longest is not None:
            text += f" ({longest.name}: {time_text(longest.correlation_time.median, longest.censored)})"
    text += "."
    if row.diverged:
        text += f" {row.diverged:.0%} of its forecasts diverge."
    text += "" if row.priced else " What it costs is not known."
    return text + verdict_words(summary, row) + _compared(summary, row, scores) + _undefined(scores) + _warning(scores)


def _undefined(scores: xr.Dataset) -> str:
    """The fields whose reference vanishes or is constant in space in some frames, and what is not defined there."""
    found = json.loads(scores.attrs.get("undefined", "{}"))
    reasons = (("zero", "errors", "the reference vanishes"),
               ("constant", "VRMSE and correlation", "the reference is constant in space"))  # fmt: skip
    text = ""
    for kind, measures, reason in reasons:
        counts = {name: n for name, n in found.get(kind, {}).items() if n}
        if counts:
            named = ", ".join(f"{name} in {n} of {found['frames']} frames" for name, n in counts.items())
            text += f" {reason[0].upper()}{reason[1:]} for {named}: relative {measures} are not defined there."
    return text


def _warning(scores: xr.Dataset) -> str:
    """A warning if the reference is not resolved."""
    found = scores.attrs.get("reference_warning", "")
    return f" Warning: {found}." if found else ""


def _compared(summary: Summary, row: Row, scores: xr.Dataset) -> str:
    """The baselines that are more accurate than a surrogate at the time of comparison, and the choice of that time."""
    at = summary.compared
    better = [r for r in summary.rows if r.kind == "baseline" and r.errors[at].median < row.errors[at].median]
    text = ""
    if better:
        named = [f"{r.name} ({number(r.errors[at].median)})" for r in sorted(better, key=lambda r: r.errors[at].median)]
        said = ", ".join(named[:-1]) + " and " + named[-1] if len(named) > 1 else named[0]
        text = f" More accurate than it ({number(row.errors[at].median)}){summary.at(at)}: {said}."
    if (row.verdict is not None or better) and not summary.steady:
        text += f" Compared{summary.at(at)}, {why_compared(scores)}."
    return text


def verdict_words(summary: Summary, row: Row) -> str:
    """Return how a surrogate compares with the solvers, as text; "" where it was not compared."""
    verdict = row.verdict
    if verdict is None:
        return ""
    at, when = summary.compared, summary.at(summary.compared)
    ours = milliseconds(row.seconds)
    if verdict.failed and not summary.front.errors:
        return f" Neither it nor a solver of the sweep forecasts{when}."
    if verdict.dominated:
        error = max(row.errors[at].median, summary.front.errors[-1])
        left = (s for s in summary.solvers if s.forecasting[at] and s.errors[at].median <= error)
        better = min(left, key=lambda s: s.seconds)
        return (
            f" It is dominated: at no larger error{when}, {better.name} takes {milliseconds(better.seconds)} a "
            f"forecast where it takes {ours}."
        )
    if verdict.more_accurate:
        return f" No solver of the sweep is as accurate{when}."
    ratio = verdict.speed_up
    if verdict.at_equal_error is None or ratio is None:
        every = all(solver.forecasting[at] for solver in summary.solvers)
        which = "Every solver of the sweep" if every else "Every solver that still forecasts"
        return f" {which} is more accurate{when} and takes longer: there is no equal error."
    return (
        f" At equal error{when} a solver takes {milliseconds(verdict.at_equal_error)} a forecast where it takes "
        f"{ours}: it is {number(max(ratio, 1 / ratio), 2)} times {'faster' if ratio > 1 else 'slower'}"
        f"{_payment(verdict)}."
    )


def _payment(verdict: Verdict) -> str:
    if verdict.break_even is None:
        return ""
    if np.isinf(verdict.break_even):
        return ", and never pays"
    return f", and pays after {verdict.break_even:.3g} forecasts"


def closing_lines(summary: Summary, scores: xr.Dataset) -> str:
    """The table in a few lines of text, for a terminal."""
    wide = max(len(row.name) for row in summary.rows)
    timed = any(row.correlation_time is not None for row in summary.rows)
    times = ["nRMSE" if summary.steady else "one step", *(summary.at(n, "") for n in range(1, len(summary.times)))]
    head = [("" if summary.steady else "nRMSE").ljust(wide), *times, *["correlation time"] * timed, "time"]
    lines = [sentence(summary, scores), "", "  ".join(f"{cell:>10}" for cell in head)]
    for row in summary.rows:
        cells = [number(error.median) for error in row.errors]
        if row.kind != "absent":
            held = "" if row.correlation_time is None else time_text(row.correlation_time.median, row.censored)
            cells += [*[held.rjust(16)] * timed, milliseconds(row.seconds)]
        line = "  ".join([f"{row.name:<{max(wide, 10)}}", *(f"{cell:>10}" for cell in cells)])
        lines.append(line + (f"  {row.note}" if row.note else ""))
    return "\n".join(lines)
