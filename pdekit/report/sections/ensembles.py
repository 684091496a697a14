"""Charts of ensembles, from the scores."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pdekit.metrics.horizons import correlation_time_first_crossing, quantile
from pdekit.report.charts.curves import DASHED, DOTTED, Line, Panel
from pdekit.report.charts.formats import with_unit
from pdekit.report.parts import Choice, Part, choice
from pdekit.report.sections.base import Page
from pdekit.report.sections.fields import lead_label
from pdekit.report.summary import THRESHOLD
from pdekit.report.variables import values_of


def ensembles_of(scores: xr.Dataset) -> list[str]:
    """Models that were scored as an ensemble."""
    if "spread" not in scores:
        return []
    return [str(name) for name in scores.model.values if scores.spread.sel(model=name).notnull().any()]


def ensemble_choice(scores: xr.Dataset, shown: dict[str, Line]) -> Choice:
    """CRPS; spread next to skill; ranks; the horizon that members predict next to the one that they have."""
    names = ensembles_of(scores)
    if not names or scores.sizes["time"] < 2:
        return choice((), ())
    predicted = [_horizons(scores, names, shown)] if "agreement" in scores else []
    fields = [str(name) for name in scores.field.values]
    charts = {field: _field_charts(scores.sel(field=field), field, names, shown) for field in fields}
    parts = [Part((field,), (*charts[field], *predicted)) for field in fields]
    return choice(("field",), parts)


def _field_charts(one: xr.Dataset, field: str, names: list[str], shown: dict[str, Line]) -> list[str]:
    t, unit, lead = one.time.values, str(one.unit.values), lead_label(one)
    crps = Panel(
        f"CRPS of {field} against lead time, median over samples", lead, with_unit(f"CRPS of {field}", unit), "y"
    )
    both = Panel(
        f"spread (dashed) and skill of {field} against lead time, medians over samples", lead,
        with_unit(f"spread, skill of {field}", unit), "y",
    )  # fmt: skip
    ranks = Panel(f"rank histogram of {field}: flat for a good ensemble", "members below the reference", "share")
    for name in names:
        line = shown[name]
        crps.curve(t, quantile(one.crps.sel(model=name).values, 0.5), line, name=name)
        both.curve(t, quantile(one.skill.sel(model=name).values, 0.5), line, name=f"skill of {name}")
        spread = quantile(one.spread.sel(model=name).values, 0.5)
        both.curve(t, spread, Line(line.colour, DASHED), 1.3, f"spread of {name}")
        ranks.steps(one["rank"].values.astype(float), one.rank_histogram.sel(model=name).values, line, name)
    ranks.level(1 / one.sizes["rank"], Line(0, DOTTED), 0.8, "flat")
    ranks.limits("y", 0.0)
    return [crps.svg(), both.svg(), ranks.svg()]


def _horizons(scores: xr.Dataset, names: list[str], shown: dict[str, Line]) -> str:
    panel = Panel(
        f"time that members agree (correlation above {THRESHOLD}) against time that they hold, one point for a sample",
        "time of agreement", "correlation time",
    )  # fmt: skip
    most = float(scores.lead_time.values.max())
    panel.curve(np.array([0.0, most]), np.array([0.0, most]), Line(0, DOTTED), 0.8, "as long as they agree")
    for name in names:
        predicted, held = horizons(scores, name)
        panel.points(predicted, held, shown[name], [f"{name}, sample {n}" for n in range(len(held))])
    return panel.svg()


def horizons(scores: xr.Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    """For each sample, when members cease to agree, and when they cease to hold (median over members)."""
    lead = scores.lead_time.values
    agreement = scores.agreement.sel(model=name).transpose("sample", "time", "field").values.mean(-1)
    predicted = correlation_time_first_crossing(agreement, lead, THRESHOLD).time
    correlation = values_of(scores.correlation, name).reshape(-1, *lead.shape)
    held = correlation_time_first_crossing(correlation, np.broadcast_to(lead, correlation.shape), THRESHOLD).time
    return predicted, quantile(held, 0.5)


def ensembles_section(page: Page) -> str:
    """Fill the charts of ensembles."""
    return page.fill("ensembles", ensembles=ensemble_choice(page.loaded, page.shown))
