"""The page of a benchmark: for each problem tables of all models, and ranks over the problems.

A value is the median over forecasts; of a model with several seeds it is the median over seeds of these medians, with
the best and the worst seed. The best value of a column is marked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib import metadata
from pathlib import Path

import numpy as np
import xarray as xr

from pdekit.metrics.horizons import quantile
from pdekit.report.charts.formats import duration, milliseconds, number, time_text, words
from pdekit.report.compared import why_compared
from pdekit.report.parts import Cell, Table, TableLine
from pdekit.report.sections.base import templates, text_of
from pdekit.report.sections.fields import frame_variables, marked, place
from pdekit.report.summary import Row, Summary, summarise, training_seconds, verdict_words
from pdekit.report.tables import cells, heads, markdown_of
from pdekit.report.variables import Variable, fields_of, quartiles, reference_of, values_of, variables, with_one_extra

HERE = Path(__file__).parent
ERRORS = ("nrmse", "vrmse", "log_spectral_distance")
"""Errors that are shown for each field, at the time at which surrogates and solvers are compared."""
OF_SIZE = ("nrmse", "vrmse")
"""Those that are infinite only of a forecast that diverged; a distance of spectra also is where one vanishes."""
RESIDUALS = ("residual_norm", "equation_residual")
MOST_FIELDS = 13
"""Columns of one measure; of problems with more fields the first one, the mean over fields, is shown."""
Column = tuple[tuple[str, str], tuple[Cell, ...]]
"""The head of a column, and its cells in the order of the rows."""


@dataclass(frozen=True)
class BenchmarkProblem:
    """The scores of all models on one problem.

    Args:
        name: name of the problem.
        scores: of baselines, solvers and all runs, with the variable ``method`` (`pdekit.evaluation.merging`); None if
            no job is evaluated.
        failed: the reason of each job without scores, by its name.
    """

    name: str
    scores: xr.Dataset | None
    failed: Mapping[str, str]


@dataclass(frozen=True)
class ProblemPart:
    """The part of the page on one problem: a title, sentences, and tables that may be empty."""

    title: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...]


def benchmark_pages(title: str, problems: Sequence[BenchmarkProblem]) -> dict[str, str]:
    """Return the page as HTML and as Markdown, by the names of their files."""
    summaries = {p.name: summarise(p.scores) for p in problems if p.scores is not None}
    parts = [problem_part(problem, summaries.get(problem.name)) for problem in problems]
    ranked = ranks(summaries)
    written = datetime.now().astimezone().strftime("%-d %B %Y, %H:%M")
    version = metadata.version("pdekit")
    html = (
        templates()
        .get_template("benchmark.html.j2")
        .render(style=text_of(HERE / "page.css"), title=title, ranked=ranked, parts=parts, version=version,
                written=written)
    )  # fmt: skip
    lines = [f"# {title}", f"Written by pdekit {version} on {written}.", "## Ranks", markdown_of(ranked)]
    for part in parts:
        lines += [f"## {part.title}", *(escape(said, quote=False) for said in part.sentences)]  # texts of a file
        lines += [text for table in part.tables for text in (f"### {table.caption}", markdown_of(table))]
    return {"benchmark.html": html, "benchmark.md": "\n\n".join(line.rstrip("\n") for line in lines) + "\n"}


def ranks(summaries: Mapping[str, Summary]) -> Table:
    """Rank every method among the surrogates and baselines of each problem, by its nRMSE where models are compared.

    A method is behind all methods of which fewer forecasts have blown up by then, whatever its median. Equal errors
    share the mean of their ranks. The last column is the mean of a method that all problems have: ranks on
    some of them are no means that can be compared.
    """
    found: dict[str, dict[str, float]] = {}
    for problem, summary in summaries.items():
        rows = [row for row in method_rows(summary) if row.kind in ("seeds", "surrogate", "baseline")]
        at = summary.compared
        errors = {_method(row): (row.blown_up[at], row.errors[at].median) for row in rows}
        errors = {name: error for name, error in errors.items() if not np.isnan(error[1])}
        for name, error in errors.items():
            below = sum(other < error for other in errors.values())
            equal = sum(other == error for other in errors.values())
            found.setdefault(name, {})[problem] = below + (equal + 1) / 2
    complete = {name: list(of.values()) for name, of in found.items() if len(of) == len(summaries)}
    mean = {name: float(np.mean(complete[name])) if name in complete else np.nan for name in found}
    lines = [
        TableLine(
            name, tuple(Cell(number(rank)) for rank in (*(found[name].get(p, np.nan) for p in summaries), mean[name]))
        )
        for name in sorted(found, key=lambda name: (name not in complete, np.mean(list(found[name].values()))))
    ]
    return Table("Ranks", (("rank by nRMSE", ""), *((p, "") for p in summaries), ("mean rank", "")), tuple(lines))


def method_rows(summary: Summary) -> list[Row]:
    """Rows of a summary that have numbers, one for each method: its seeds are not repeated."""
    summed = {name for row in summary.rows for name in row.seeds}
    return [row for row in summary.rows if row.kind != "absent" and row.name not in summed]


def problem_part(problem: BenchmarkProblem, summary: Summary | None) -> ProblemPart:
    """Return the sentences and tables of a problem."""
    lines = [TableLine(name, reason=reason) for name, reason in problem.failed.items()]
    absent = Table("Jobs without scores", (("job", ""), ("reason", "")), tuple(lines))
    if problem.scores is None or summary is None:
        return ProblemPart(problem.name, ("No job is evaluated.",), (absent,))
    scores, rows = with_one_extra(problem.scores.load()), method_rows(summary)
    found, frame = variables(scores), summary.frames[summary.compared]
    at = summary.at(summary.compared)
    overview = Table("Errors and costs", tuple((head, "") for head in heads(summary)), _overview(summary))
    columns = {
        f"Errors by field{at}": _error_columns(scores, rows, found, frame),
        "Over the whole horizon": _whole_columns(scores, rows, found),
        f"Residual in units of its floor{at}": _residual_columns(scores, rows, found, frame),
        "Distance from the coupled solution in units of the effect of the coupling": _coupling_columns(scores, rows),
        "Cost and break-even": _cost_columns(scores, rows, summary),
    }
    tables = [overview, *(_table(caption, rows, of) for caption, of in columns.items()), solver_table(summary), absent]
    return ProblemPart(problem.name, _sentences(scores, summary, rows), tuple(t for t in tables if t.lines))


def _sentences(scores: xr.Dataset, summary: Summary, rows: Sequence[Row]) -> tuple[str, ...]:
    """The equation, the verdict on every surrogate, and the choice of the time."""
    said = [f"{row.name}: {text.strip()}" for row in rows if (text := verdict_words(summary, row))]
    about = [str(scores.attrs[key]) for key in ("description", "reference_warning", "caution") if scores.attrs.get(key)]
    when = [] if summary.steady else [f"Models are compared{summary.at(summary.compared)}, {why_compared(scores)}."]
    return (*about, *said, *when)


def _overview(summary: Summary) -> tuple[TableLine, ...]:
    """The lines of the table of a report, one for each method, and baselines that are not defined."""
    kept = {row.name for row in method_rows(summary)}
    n, lines = len(heads(summary)), []
    for row in summary.rows:
        if row.kind == "absent":
            lines.append(TableLine(row.name, reason=row.note))
        elif row.name in kept:
            label, *texts = cells(row, n)
            lines.append(TableLine(label, tuple(map(Cell, texts)), strong=row.kind in ("seeds", "surrogate")))
    return tuple(lines)


def _table(caption: str, rows: Sequence[Row], columns: Sequence[Column]) -> Table:
    """A table of columns; rows without any value are left out."""
    lines = []
    for n, row in enumerate(rows):
        entries = tuple(column[n] for _, column in columns)
        if any(cell.text != "–" for cell in entries):
            lines.append(TableLine(row.name, entries, strong=row.kind in ("seeds", "surrogate")))
    return Table(caption, (("model", ""), *(head for head, _ in columns)), tuple(lines))


def _over_seeds(row: Row, value: Callable[[str], float]) -> list[float]:
    """Median, best and worst seed of a value of the models of a row."""
    found = np.array([value(name) for name in row.seeds or (row.name,)])
    known = found[~np.isnan(found)]
    return [float(quantile(known, 0.5)), float(known.min()), float(known.max())] if len(known) else [np.nan] * 3


def _median(data: xr.DataArray, model: str | None, field: str | None = None) -> float:
    return float(np.squeeze(quartiles(values_of(data, model, field))[0]))


def _few(fields: list[str | None]) -> list[str | None]:
    """The mean over fields, and each of them unless they are very many."""
    return fields[:1] if len(fields) > MOST_FIELDS else fields


def _error_columns(scores: xr.Dataset, rows: Sequence[Row], found: list[Variable], frame: int) -> list[Column]:
    columns = []
    for variable in (v for name in ERRORS for v in frame_variables(found) if v.name == name):
        data = scores[variable.name].isel(time=frame)
        for field in _few(fields_of(variable, scores)):
            spreads = [_over_seeds(row, lambda name, f=field, d=data: _median(d, name, f)) for row in rows]
            infinite = "diverged" if variable.name in OF_SIZE else "∞"
            head = (variable.title, place(field, scores, variable))
            columns.append((head, marked(spreads, variable.best, infinite)))
    return columns


def _whole_columns(scores: xr.Dataset, rows: Sequence[Row], found: list[Variable]) -> list[Column]:
    """Times up to which forecasts hold, in Lyapunov times where these are known, and distances of statistics."""
    exponent = float(scores.attrs.get("lyapunov_exponent", 0.0))
    columns: list[Column] = []
    for v in found:
        if v.in_time or v.extra is not None:
            continue
        if f"{v.name}_censored" in scores:
            columns.append(((v.title, v.unit), _times(scores, rows, v.name, 1.0)))
            if exponent > 0:
                columns.append(((v.title, "in Lyapunov times"), _times(scores, rows, v.name, exponent)))
        elif v.best is not None:
            for field in _few(fields_of(v, scores)):
                spreads = [
                    _over_seeds(row, lambda name, f=field, d=scores[v.name]: _median(d, name, f)) for row in rows
                ]
                if np.isfinite(spreads).any():
                    columns.append(((v.title, place(field, scores, v)), marked(spreads, v.best, "∞")))
    return columns


def _times(scores: xr.Dataset, rows: Sequence[Row], name: str, scale: float) -> tuple[Cell, ...]:
    found = marked([_over_seeds(row, lambda m: scale * _median(scores[name], m)) for row in rows], np.inf)
    flags = scores[f"{name}_censored"]

    def censored(row: Row) -> float:
        values = flags.sel(model=list(row.seeds) or [row.name]).values
        known = values[values >= 0]
        return float((known == 1).mean()) if known.size else 0.0

    def text(row: Row, cell: Cell) -> str:
        value = _over_seeds(row, lambda m: scale * _median(scores[name], m))[0]
        return cell.text if np.isnan(value) else time_text(value, censored(row))

    return tuple(Cell(text(row, cell), cell.small, cell.best) for row, cell in zip(rows, found, strict=True))


def _residual_columns(scores: xr.Dataset, rows: Sequence[Row], found: list[Variable], frame: int) -> list[Column]:
    """Residuals of the equations over what the reference leaves of them."""
    columns = []
    for v in (v for v in found if v.name in RESIDUALS):
        floors = reference_of(scores, v.name, "floor")
        if floors is None:
            continue
        for part in scores[v.extra].values.tolist() if v.extra else (None,):
            chosen = {"time": _defined(floors, frame)} if v.in_time else {}
            data, floor = (d.isel(chosen).sel({v.extra: part} if part else {}) for d in (scores[v.name], floors))
            unit = _median(floor, None)
            if not unit > 0:
                continue
            spreads = [_over_seeds(row, lambda name, d=data, u=unit: _median(d, name) / u) for row in rows]
            if np.isfinite(spreads).any():
                head = (str(part) if part else v.title, f"floor {number(unit)}")
                columns.append((head, marked(spreads, 0.0)))
    return columns


def _defined(floors: xr.DataArray, frame: int) -> int:
    """The last frame up to one at which a residual is defined: a time derivative needs a frame on either side."""
    known = floors.notnull().any([dim for dim in floors.dims if dim != "time"]).values[: frame + 1]
    return int(known.nonzero()[0][-1]) if known.any() else frame


def _coupling_columns(scores: xr.Dataset, rows: Sequence[Row]) -> list[Column]:
    if "coupling_effect" not in scores or "coupling_relative" not in scores:
        return []
    columns = []
    for group in dict.fromkeys(scores.group.values.tolist()):
        chosen = scores.isel(field=np.flatnonzero(scores.group.values == group))
        effect = _median(chosen.coupling_effect.mean("time"), None)
        if not effect > 0:
            continue
        data = chosen.coupling_relative.mean("time")
        spreads = [_over_seeds(row, lambda name, d=data: _median(d, name)) for row in rows]
        columns.append(((words(str(group)), f"effect {number(effect)}"), marked(spreads, 0.0)))
    return columns


def _cost_columns(scores: xr.Dataset, rows: Sequence[Row], summary: Summary) -> list[Column]:
    """Time of a forecast, of a solver of equal error, of training and data, and the forecasts after which it pays."""
    data = float(scores.attrs.get("data_seconds", np.nan))

    def equal(row: Row) -> str:
        if row.verdict is None or row.kind == "solver":
            return "–"
        if row.verdict.at_equal_error is None:
            return "every solver is better" if row.verdict.less_accurate else "no solver is as good"
        return milliseconds(row.verdict.at_equal_error)

    def pays(row: Row) -> str:
        after = None if row.verdict is None else row.verdict.break_even
        return "–" if after is None else "never" if np.isinf(after) else number(after)

    texts = {
        "time per forecast": [milliseconds(row.seconds) for row in rows],
        "solver of equal error": [equal(row) for row in rows],
        "training": [duration(training_seconds(scores, row)) if row.verdict else "–" for row in rows],
        "data": [duration(data) if row.verdict else "–" for row in rows],
        "pays after forecasts": [pays(row) for row in rows],
    }
    return [((head, ""), tuple(Cell(text) for text in column)) for head, column in texts.items()]


def solver_table(summary: Summary) -> Table:
    """The solvers of the sweep that no other one beats in both time and error, where models are compared."""
    at = summary.compared
    front = {(s, e) for s, e in zip(summary.front.seconds, summary.front.errors, strict=True)}
    best = [s for s in summary.solvers if any(s.seconds == spent for spent, _ in front)]
    lines = [
        TableLine(s.name, (Cell(milliseconds(s.seconds)), Cell(number(s.errors[at].median))))
        for s in sorted(best, key=lambda s: s.seconds)
    ]
    caption = f"Solvers that no other one of {len(summary.solvers)} beats{summary.at(at)}"
    return Table(caption, (("solver", ""), ("time per forecast", ""), ("nRMSE", "")), tuple(lines))


def _method(row: Row) -> str:
    """Name of a method, without the number of its seeds."""
    return row.name.rpartition(", ")[0] if row.kind == "seeds" else row.name
