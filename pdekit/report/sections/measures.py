"""Tables of all measures, and summaries as other benchmarks publish them."""

from __future__ import annotations

import numpy as np

from pdekit.report.charts import formats
from pdekit.report.charts.scene import Scene
from pdekit.report.sections.base import Page
from pdekit.report.sections.fields import measure_tables
from pdekit.report.sections.published import published_table


def measures_section(page: Page) -> str:
    """Fill the tables of all measures."""
    found = page.loaded, page.shown, page.variables
    tables = measure_tables(*found, page.few, levels(page.scene), page.compared)
    return page.fill("measures", tables=tables, published=published_table(page.loaded, page.shown))


def levels(scene: Scene) -> dict[str, str]:
    """Words on the size of the reference of each field, over the kept samples."""
    said = {}
    for name in scene.fields:
        values = scene.kept[name].sel(model="reference").values
        values = values[np.isfinite(values)].astype(np.float64)
        if not values.size:
            continue
        mean, deviation = values.mean(), values.std()
        low, high, unit = formats.number(values.min()), formats.number(values.max()), scene.unit(name)
        text = f"Reference in the kept samples: {low} to {high}, mean {formats.number(mean)}, "
        text += f"standard deviation {formats.number(deviation)}" + (f" {unit}." if unit != "1" else ".")
        if deviation < abs(mean) / 3:
            text += " The field has an offset, which the nRMSE is relative to: read the VRMSE instead."
        said[name] = text
    return said
