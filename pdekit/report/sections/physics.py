"""Physics of forecasts: residuals next to their floor, conserved integrals, budgets, and errors by region."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pdekit.report.charts.curves import Line, Panel
from pdekit.report.charts.formats import with_unit
from pdekit.report.parts import Choice, Part, choice
from pdekit.report.sections.base import Page
from pdekit.report.sections.fields import FLOOR, lead_label
from pdekit.report.variables import Variable, quartiles, reference_of, values_of

USELESS = 0.1
"""A floor of this share of the time derivative says more about the distance of frames than about forecasts."""


def physics_choice(scores: xr.Dataset, shown: dict[str, Line], found: list[Variable]) -> Choice:
    """A chart against time for all that has no field, and for every part of it: residuals, integrals, budgets."""
    if scores.sizes["time"] < 2:
        return choice((), ())
    parts = []
    with_floor = {v.name for v in found if reference_of(scores, v.name, "floor") is not None}
    for variable in sorted(found, key=lambda v: v.name not in with_floor):  # what can be judged comes first
        plain = variable.extra is None and not variable.by_field
        if not variable.in_time or not (plain or variable.named):
            continue
        for part in scores[variable.extra].values.tolist() if variable.extra else (None,):
            chart = _chart(scores, shown, variable, part)
            if chart:
                title = _title(variable)
                parts.append(Part((f"{title}: {part}" if part else title,), (chart,)))
    return choice(("quantity",), parts)


def _title(variable: Variable) -> str:
    return variable.title.removesuffix(" value")


def _chart(scores: xr.Dataset, shown: dict[str, Line], variable: Variable, part: str | None) -> str:
    """Medians over forecasts against time, relative to the scale of the reference if there is one."""

    def median(data: xr.DataArray, model: str | None = None) -> np.ndarray:
        if part is not None and variable.extra in data.dims:
            data = data.sel({variable.extra: part})
        return quartiles(values_of(data, model))[0]

    own = {kind: reference_of(scores, variable.name, kind) for kind in ("reference", "floor", "scale")}
    scale = 1.0 if own["scale"] is None else median(own["scale"])
    curves = {name: median(scores[variable.name], name) / scale for name in shown}
    curves = {name: values for name, values in curves.items() if np.isfinite(values).any()}
    if not curves:
        return ""
    what = f"{part} of the field" if part and variable.name.startswith("integral") else _title(variable)
    what += f", {part}" if part and not variable.name.startswith("integral") else ""
    label = with_unit(what, variable.unit)
    if own["scale"] is not None:
        label = f"{what} / ‖∂u/∂t‖" if variable.name.startswith("residual") else f"{what} / its terms"
    log = "" if variable.signed or own["floor"] is None else "y"
    panel = Panel(f"{label} against lead time, median over forecasts", lead_label(scores), label, log)
    t = scores.time.values
    if own["reference"] is not None:
        panel.curve(t, median(own["reference"]), Line(0), 2.6, "reference")
    if own["floor"] is not None:
        panel.curve(t, median(own["floor"]) / scale, FLOOR, 1.2, "floor: the reference's own")
    for name, values in curves.items():
        panel.curve(t, values, shown[name], 1.5, name)
    return panel.svg()


def floor_share(scores: xr.Dataset) -> float | None:
    """The reference's own residual over the norm of its time derivative: median over samples and times."""
    if "residual_floor" not in scores or "residual_scale" not in scores:
        return None
    share = (scores.residual_floor / scores.residual_scale).values
    return float(np.median(share[np.isfinite(share)])) if np.isfinite(share).any() else None


def physics_words(scores: xr.Dataset) -> str:
    """Note on the residual of the reference, which limits what the residual of a forecast shows."""
    share = floor_share(scores)
    if share is None:
        return ""
    said = f"The reference's own residual on these frames is {share:.2g} of its time derivative (dotted: the floor)"
    if share > USELESS:
        return said + ": frames are too far apart for a residual to tell a good forecast from a bad one."
    return said + "; under it nothing is known of a forecast. A residual says that a forecast obeys the equation, not "\
        "that it is the right solution."  # fmt: skip


def physics_section(page: Page) -> str:
    """Fill the charts of residuals, integrals and budgets."""
    judged = {name: line for name, line in page.shown.items() if name in page.surrogates}
    charts = physics_choice(page.loaded, judged, page.variables)
    return page.fill("physics", physics=charts, judged=judged, physics_words=physics_words(page.loaded))
