"""The error of models on other grids than their own: coarser, finer, even and odd."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from pdekit.report.charts.curves import Line
from pdekit.report.charts.formats import number
from pdekit.report.parts import Choice, Part, Table, TableLine, choice
from pdekit.report.sections.base import Page
from pdekit.report.sections.fields import marked
from pdekit.report.variables import quartiles


def resolution_tables(scores: xr.Dataset, shown: dict[str, Line]) -> Choice:
    """``nrmse_by_resolution`` (model, resolution, resolution_sample, resolution_time): a table for each of its times.

    A line for each grid; where no model can be asked there, the reason.
    """
    if "nrmse_by_resolution" not in scores:
        return choice((), ())
    data = scores.nrmse_by_resolution
    reasons = json.loads(data.attrs.get("absent", "{}"))
    names = [name for name in shown if bool(data.sel(model=name).notnull().any())]
    parts = []
    for place, t in enumerate(scores.resolution_time.values):
        lines = []
        for grid in scores.resolution.values.tolist():
            some = data.isel(resolution_time=place).sel(resolution=grid)
            values = [some.sel(model=name).values.astype(np.float64) for name in names]
            spreads = [[float(v) for v in quartiles(found[~np.isnan(found)])] for found in values]
            said = dict.fromkeys(reasons.get(grid, {}).values())
            if all(np.isnan(found).all() for found in values):
                lines.append(TableLine(grid, reason="; ".join(said) or "not defined"))
            else:
                lines.append(TableLine(grid, marked(spreads, 0.0), "; ".join(said)))
        title = "steady" if scores.sizes["time"] == 1 else f"t = {number(float(t))}"
        heads = (("grid", "nRMSE"), *((name, "") for name in names))
        parts.append(Part((title,), (), Table(f"nRMSE on other grids, {title}", heads, tuple(lines))))
    return choice(("time",), [part for part in parts if names])


def resolutions_section(page: Page) -> str:
    """Fill the tables of errors on other grids."""
    return page.fill("resolutions", resolutions=resolution_tables(page.loaded, page.shown))
