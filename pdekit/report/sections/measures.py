"""Tables of all measures, and summaries as other benchmarks publish them."""

from __future__ import annotations

import numpy as np
import torch

from pdekit.metrics.dual_volumes import has_volumes
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


def words_on_points(scene: Scene) -> str:
    """Return a sentence on the weights of points in averages over a mesh or a point cloud; nothing on a grid."""
    if "points" not in scene.kept:
        return ""
    cells = torch.from_numpy(scene.kept["cells"].values) if "cells" in scene.kept else None
    if has_volumes(cells, scene.kept.sizes["dim"]):
        return " In averages each point has the volume of the cells around it as its weight."
    return " In averages all points count alike, because their cells are not known: dense parts weigh more."


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
        text += words_on_points(scene)
        if deviation < abs(mean) / 3:
            text += " The field has an offset, which the nRMSE is relative to: read the VRMSE instead."
        said[name] = text
    return said
