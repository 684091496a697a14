"""Measures along one more dimension: wavenumbers, frequencies, shares; at a few times, or over a stretch of time."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pdekit.report.charts.curves import Line, Panel
from pdekit.report.charts.formats import number, with_unit
from pdekit.report.parts import Cell, Choice, Part, Table, TableLine, choice
from pdekit.report.sections.base import Page
from pdekit.report.sections.fields import FLOOR, marked, place, time_words
from pdekit.report.sections.pooled import pooled_table
from pdekit.report.variables import Variable, fields_of, of_field, quartiles, reference_of, values_of

AXES = {"shell": "wavenumber k", "frequency": "frequency", "quantile": "share", "lag": "lag"}
EMPTY = 1e-12
"""Share of the strongest shell below which a spectrum is rounding, and is not drawn."""


def profile_choice(
    scores: xr.Dataset, shown: dict[str, Line], found: list[Variable], frames: list[int], in_time: bool, first: int = 0
) -> Choice:
    """A chart for every measure with one more dimension, for each field, at each of the times if it has them.

    Args:
        scores, shown, found: scores, line styles and variables of the report.
        frames: indices of the times; ``first`` is seen at first.
        in_time: whether to draw what has times, or what has none.
    """
    parts = []
    for variable in found:
        if variable.extra is None or variable.named or variable.in_time != in_time:
            continue
        for field in [f for f in fields_of(variable, scores) if f is not None or not variable.by_field]:
            for frame in frames if in_time else (None,):
                chart = profile_chart(scores, shown, variable, field, frame)
                time = () if frame is None else (time_words(scores, frame),)
                parts.append(Part((variable.title, place(field, scores, variable), *time), (chart,)))
    if not in_time:
        return choice(("measure", "field"), parts)
    return choice(("measure", "field", "time"), parts, (None, None, time_words(scores, first)) if parts else ())


def profile_chart(
    scores: xr.Dataset, shown: dict[str, Line], variable: Variable, field: str | None, frame: int | None
) -> str:
    """Medians over forecasts along the extra dimension; the reference's as a thick line, its floor dotted."""
    variable = of_field(variable, scores, field)
    assert variable.extra is not None  # of a profile
    axis = scores[variable.extra]
    along = axis.values.astype(np.float64)
    data = scores[variable.name] if frame is None else scores[variable.name].isel(time=frame)
    named = f" of {field}" if field is not None and scores.sizes["field"] > 1 else ""
    at = "" if frame is None or scores.sizes["time"] == 1 else f" at {time_words(scores, frame)}"
    label = with_unit(variable.title + named, variable.unit)
    x = with_unit(AXES.get(variable.extra, variable.extra), str(axis.attrs.get("units", "1")))
    curves = {name: quartiles(values_of(data, name, field))[0] for name in shown}
    own = {kind: _own(scores, variable.name, kind, field, frame) for kind in ("reference", "floor")}
    if variable.extra == "quantile":
        across = with_unit(field or "value", variable.unit)
        return _densities(f"{label}{at}: density of values", across, shown, curves, own)
    wide = along[along > 0].size > 2 and along.max() > 8 * along[along > 0].min()
    steep = not variable.signed and variable.best != 1.0
    log = ("x" if wide else "") + ("y" if steep else "")
    panel = Panel(f"{label}{at}, median over forecasts", x, label, log, mark=at.removeprefix(" at "))
    reference = own["reference"]
    if reference is not None and steep and np.isfinite(reference).any():
        most = np.nanmax(reference)
        filled = reference > EMPTY * most
        reference = np.where(filled, reference, np.nan)
        seen = reference[(along > 0) | (not wide)]
        if np.isfinite(seen).any():
            panel.limits("y", np.nanmin(seen) / 3, np.nanmax(seen) * 3)
    if reference is not None:
        panel.curve(along, reference, Line(0), 2.6, "reference")
    if own["floor"] is not None:
        panel.curve(along, own["floor"], FLOOR, 1.0, "floor of the reference")
    for name, values in curves.items():
        panel.curve(along, values, shown[name], 1.4, name)
    if variable.name == "coherence":
        panel.level(0.5, FLOOR, 0.8, "half")
        lowest = min((float(v[np.isfinite(v)].min(initial=0.0)) for v in curves.values()), default=0.0)
        panel.limits("y", max(-0.5, lowest), 1.04)
    if variable.name == "spectral_nrmse":
        panel.level(1.0, FLOOR, 0.8, "an error as large as the field")
    return panel.svg()


def _own(scores: xr.Dataset, name: str, kind: str, field: str | None, frame: int | None) -> np.ndarray | None:
    own = reference_of(scores, name, kind)
    if own is None:
        return None
    if frame is not None and "time" in own.dims:
        own = own.isel(time=frame)
    return quartiles(values_of(own, None, field))[0]


def _densities(title: str, x: str, shown: dict[str, Line], curves: dict, own: dict) -> str:
    """Densities of values between quantiles, which hold equal shares."""
    panel = Panel(title, x, "density", "y")
    drawn = [("reference", own["reference"], Line(0), 2.6)] if own["reference"] is not None else []
    drawn += [(name, values, shown[name], 1.4) for name, values in curves.items()]
    for name, values, line, width in drawn:
        with np.errstate(divide="ignore", invalid="ignore"):
            gaps = np.diff(values)  # of a diverged forecast all are infinite
            density = np.where(gaps > 0, 1 / (len(values) * gaps), np.nan)
        panel.curve((values[1:] + values[:-1]) / 2, density, line, width, name)
    return panel.svg()


def total_tables(scores: xr.Dataset, shown: dict[str, Line], found: list[Variable]) -> Choice:
    """Measures without time: of a whole stretch, for each field; one line for each part where they have parts."""
    parts = []
    totals = [v for v in found if not v.in_time and (v.extra is None or v.named)]
    fields = [str(name) for name in scores.field.values] if any(v.by_field for v in totals) else [None]
    for field in fields:
        lines = []
        for variable in totals:
            for part in scores[variable.extra].values.tolist() if variable.extra else (None,):
                lines.append(_total(scores, shown, of_field(variable, scores, field), field, part))
        called = field or "all fields"
        heads = (("measure", called), *((name, "") for name in shown))
        if lines:
            parts.append(Part((called,), (), Table(f"Statistics of {called}", heads, tuple(lines))))
    return choice(("field",), parts)


def _total(
    scores: xr.Dataset, shown: dict[str, Line], variable: Variable, field: str | None, part: str | None
) -> TableLine:
    data = scores[variable.name]
    data = data if part is None else data.sel({variable.extra: part})
    spreads = [[float(v) for v in quartiles(values_of(data, name, field))] for name in shown]
    notes, best = [], variable.best
    for kind in ("floor", "reference"):
        own = reference_of(scores, variable.name, kind)
        if own is not None:
            own = own if part is None or variable.extra not in own.dims else own.sel({variable.extra: part})
            value = float(quartiles(values_of(own, None, field))[0])
            notes.append(f"{kind} {number(value)}" if value == value else f"{kind} not known")
            best = value if kind == "reference" else best
    title = with_unit(variable.title + (f", {part}" if part else ""), variable.unit)
    cells = marked(spreads, best, "∞")
    if f"{variable.name}_censored" in scores:
        flags = scores[f"{variable.name}_censored"]
        cells = tuple(_censored(cell, flags.sel(model=name).values) for cell, name in zip(cells, shown, strict=True))
    return TableLine(title, cells, ", ".join(notes))


def _censored(cell: Cell, flags: np.ndarray) -> Cell:
    """A time that half of the forecasts outlast is a lower bound; flags are 1 for these, -1 for no forecast at all."""
    share = float((flags == 1).sum()) / max(1, int((flags >= 0).sum()))
    if share == 0:
        return cell
    small = "all censored" if share == 1 else f"{100 * share:.0f} % censored"
    return Cell(f"≥ {cell.text}" if share >= 0.5 else cell.text, (*cell.small, small), cell.best)


def scales_section(page: Page) -> str:
    """Fill the charts over scales at a few times."""
    found = page.loaded, page.shown, page.variables
    return page.fill("scales", profiles_in_time=profile_choice(*found, page.few, True, page.compared))


def statistics_section(page: Page) -> str:
    """Fill the statistics of the second half of the horizon; of a steady problem, errors by region."""
    found = page.loaded, page.shown, page.variables
    return page.fill(
        "statistics",
        statistics=profile_choice(*found, page.few, False),
        totals=total_tables(*found),
        pooled=pooled_table(page.loaded, page.shown),
    )
