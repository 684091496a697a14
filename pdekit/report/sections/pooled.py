"""Statistics of all trajectories together, where they are samples of one and the same process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from pdekit.metrics.summaries import pooled_spectral_distance, pooled_wasserstein
from pdekit.report.charts.curves import Line
from pdekit.report.charts.formats import number, with_unit
from pdekit.report.parts import Table, TableLine
from pdekit.report.sections.fields import marked

FEWEST = 4
"""Trajectories of which one half can be the other's floor."""

POOLED: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray], bool]] = {
    "one_point_quantile": ("W₁ of the one-point distribution", pooled_wasserstein, True),
    "frequency_spectrum": ("distance of the frequency spectra, in decades", pooled_spectral_distance, False),
}
"""For each variable: what the pooled distance is called, its function, and whether it has the unit of the field."""


def pooled_table(scores: xr.Dataset, shown: dict[str, Line]) -> Table | None:
    """A line for each distance and field, and the floor; None where trajectories differ in their parameters.

    Of a model with members each one has as many trajectories as the reference, and the median over them is shown.
    """
    if scores.attrs.get("params", "unknown") or scores.sizes["sample"] < FEWEST:
        return None
    lines = []
    for name, (title, distance, has_unit) in POOLED.items():
        if name not in scores or f"{name}_reference" not in scores:
            continue
        for field in scores.field.values.tolist():
            known = scores[f"{name}_reference"].sel(field=field).values
            half = len(known) // 2
            floor = float(distance(known[:half], known[half : 2 * half]))
            found = [_middle(scores[name].sel(model=model, field=field), known, distance) for model in shown]
            unit = str(scores.unit.sel(field=field).values) if has_unit and "unit" in scores else "1"
            label = with_unit(title if scores.sizes["field"] == 1 else f"{title}, {field}", unit)
            lines.append(TableLine(label, marked([[v, v, v] for v in found], 0.0, "∞"), f"floor {number(floor)}"))
    heads = (("all trajectories together", ""), *((name, "") for name in shown))
    return Table("Statistics of all trajectories together", heads, tuple(lines)) if lines else None


def _middle(values: xr.DataArray, known: np.ndarray, distance: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float:
    members = values.values if "member" in values.dims else values.values[None]
    found = [float(distance(member, known)) for member in members if not np.isnan(member).any()]
    return float(np.median(found)) if found else np.nan
