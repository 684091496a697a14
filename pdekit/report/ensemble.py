"""Charts of ensembles and of physics, from the scores."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pdekit.metrics.horizon import correlation_time_first_crossing, quantile
from pdekit.report.curves import Line, Panel
from pdekit.report.summary import THRESHOLD, forecasts_of

DASHED = (4, 2)
USELESS = 0.1
"""A floor of this share of the time derivative says more about the distance of frames than about forecasts."""


def ensembles_of(scores: xr.Dataset) -> list[str]:
    """Models that were scored as an ensemble."""
    if "spread" not in scores:
        return []
    return [str(name) for name in scores.model.values if scores.spread.sel(model=name).notnull().any()]


def ensemble_charts(scores: xr.Dataset, shown: dict[str, Line]) -> list[str]:
    """CRPS; spread beside skill; ranks; the horizon that members predict beside the one that they have."""
    names, t = ensembles_of(scores), scores.time.values
    if not names or len(t) < 2:
        return []
    charts = []
    for field in scores.field.values.tolist():
        one = scores.sel(field=field)
        unit = f" ({one.unit.item()})" if one.unit.item() != "1" else ""
        crps = Panel(
            f"CRPS of {field} against lead time, median over samples", "lead time", f"CRPS of {field}{unit}", "y"
        )
        both = Panel(
            f"spread (dashed) and skill of {field} against lead time, medians over samples", "lead time",
            f"spread, skill of {field}{unit}", "y",
        )  # fmt: skip
        ranks = Panel(f"rank histogram of {field}: flat for a good ensemble", "members below the reference", "share")
        for name in names:
            line = shown[name]
            crps.curve(t, quantile(one.crps.sel(model=name).values, 0.5), line)
            both.curve(t, quantile(one.skill.sel(model=name).values, 0.5), line)
            both.curve(t, quantile(one.spread.sel(model=name).values, 0.5), Line(line.colour, DASHED), 1.3)
            share = one.rank_histogram.sel(model=name).values
            ranks.axes.step(one["rank"].values, share, where="mid", color=line.hex)
        ranks.axes.axhline(1 / scores.sizes["rank"], color=Line(0).hex, linewidth=0.7, linestyle=(0, (1, 2)))
        ranks.axes.set_ylim(bottom=0)
        charts += [crps.svg(), both.svg(), ranks.svg()]
    if "agreement" in scores:
        charts.append(_horizons(scores, names, shown))
    return charts


def _horizons(scores: xr.Dataset, names: list[str], shown: dict[str, Line]) -> str:
    panel = Panel(
        f"time that members agree (correlation above {THRESHOLD}) against time that they hold, one point for a sample",
        "time of agreement", "correlation time",
    )  # fmt: skip
    most = float(scores.lead_time.values.max())
    for name in names:
        predicted, held = horizons(scores, name)
        panel.axes.scatter(predicted, held, color=shown[name].hex, s=14, linewidth=0, alpha=0.8)
    panel.axes.plot([0, most], [0, most], color=Line(0).hex, linewidth=0.7, linestyle=(0, (1, 2)))
    return panel.svg()


def horizons(scores: xr.Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    """For each sample, when members cease to agree, and when they cease to hold (median over members)."""
    lead = scores.lead_time.values
    agreement = scores.agreement.sel(model=name).transpose("sample", "time", "field").values.mean(-1)
    predicted = correlation_time_first_crossing(agreement, lead, THRESHOLD).time
    correlation = forecasts_of(scores, "correlation", name).reshape(-1, *lead.shape)
    held = correlation_time_first_crossing(correlation, np.broadcast_to(lead, correlation.shape), THRESHOLD).time
    return predicted, quantile(held, 0.5)


def physics_charts(scores: xr.Dataset, shown: dict[str, Line], names: list[str]) -> list[str]:
    """The residual relative to the reference's time derivative, with its floor; integrals beside the reference's."""
    charts, t = [], scores.time.values
    if "residual_norm" in scores and len(t) > 2:
        scale, inner = quantile(scores.residual_scale.values, 0.5), slice(0, len(t) - 1)
        panel = Panel("norm of the residual against lead time, and its floor", "lead time", "residual / ‖∂u/∂t‖", "y")
        for name in names:
            norm = quantile(scores.residual_norm.sel(model=name).values, 0.5)
            panel.curve(t[inner], (norm / scale)[inner], shown[name])
        panel.curve(t[inner], (quantile(scores.residual_floor.values, 0.5) / scale)[inner], Line(0, (1, 2)), 0.9)
        charts.append(panel.svg())
    for integral in scores.integral.values.tolist() if "integral" in scores.dims else ():
        one = scores.sel(integral=integral)
        panel = Panel(f"{integral} of the field against lead time, median over samples", "lead time", str(integral))
        panel.curve(t, quantile(one.integral_reference.values, 0.5), Line(0), 2.4)
        for name in names:
            panel.curve(t, quantile(one.integral_value.sel(model=name).values, 0.5), shown[name], 1.3)
        charts.append(panel.svg())
    return charts


def floor_share(scores: xr.Dataset) -> float | None:
    """The reference's own residual over the norm of its time derivative: median over samples and times."""
    if "residual_floor" not in scores:
        return None
    share = (scores.residual_floor / scores.residual_scale).values
    return float(np.median(share[np.isfinite(share)])) if np.isfinite(share).any() else None


def physics_words(scores: xr.Dataset) -> str:
    """What the residual can tell here."""
    share = floor_share(scores)
    if share is None:
        return ""
    said = f"The reference's own residual on these frames is {share:.2g} of its time derivative (dotted: the floor)"
    if share > USELESS:
        return said + ": frames are too far apart for a residual to tell a good forecast from a bad one."
    return said + "; under it nothing is known of a forecast. A residual says that a forecast obeys the equation, not "\
        "that it is the right solution."  # fmt: skip
