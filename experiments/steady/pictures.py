"""Pictures of all fields of one test sample from a run: reference, forecast and error, with units.

    python experiments/steady/pictures.py RUN PICTURES.png [sample]

Blank where a field does not exist. Fields of both signs have their zero in the middle of the colours; an error has a
scale of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import SubFigure

ACROSS = 6
"""Fields next to each other."""

WIDTH = 2.2
"""Inches of a field."""


def scale(values: np.ndarray) -> dict:
    """Colours for a field: about zero where it takes both signs in earnest."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if low < 0 < high and min(-low, high) > 0.1 * max(-low, high):
        return {"vmin": -max(-low, high), "vmax": max(-low, high), "cmap": "RdBu_r"}
    return {"vmin": low, "vmax": high, "cmap": "viridis"}


def block(part: SubFigure, kept: xr.Dataset, fields: list[str], model: str, sample: int) -> None:
    """Some fields next to each other; under each the forecast and the error."""
    box = [float(edge) for edge in (kept.x[0], kept.x[-1], kept.y[0], kept.y[-1])]
    axes = part.subplots(3, len(fields), squeeze=False)
    for column, field in enumerate(fields):
        frames = kept[field].isel(sample=sample, time=-1)
        if "mask" in kept:
            frames = frames.where(kept.mask.isel(sample=sample).sel(field=field) > 0)
        frames = frames.transpose("model", "y", "x")
        truth, forecast = frames.sel(model="reference").values, frames.sel(model=model).values
        largest = float(np.nanmax(np.abs(forecast - truth)))
        signed = {"vmin": -largest, "vmax": largest, "cmap": "RdBu_r"}
        shown = (
            ("reference", truth, scale(truth)),
            (model, forecast, scale(truth)),
            ("error", forecast - truth, signed),
        )
        for line, (label, values, options) in enumerate(shown):
            ax = axes[line, column]
            bar = part.colorbar(ax.imshow(values, origin="lower", extent=box, **options), ax=ax, shrink=0.75)
            bar.ax.tick_params(labelsize=6)
            bar.formatter.set_powerlimits((-2, 3))
            bar.ax.yaxis.get_offset_text().set_fontsize(6)
            ax.set(xticks=[], yticks=[])
            if column == 0:
                ax.set_ylabel(label)
        unit = kept[field].attrs.get("units", "1")
        axes[0, column].set_title(field.replace("_", " ") + (f" [{unit}]" if unit != "1" else ""), fontsize=8)


def pictures(run: Path, path: Path, sample: int = 0) -> None:
    with xr.open_dataset(run / "forecasts.nc", engine="h5netcdf") as kept:
        kinds = zip(kept.model.values, kept.kind.values, strict=True)
        model = next(str(name) for name, kind in kinds if kind == "surrogate")
        fields = [str(name) for name in kept.data_vars if {"model", "x", "y"} <= set(kept[name].dims)]
        aspect = float((kept.y[-1] - kept.y[0]) / (kept.x[-1] - kept.x[0]))
        blocks = [fields[i : i + ACROSS] for i in range(0, len(fields), ACROSS)]
        size = (WIDTH * min(len(fields), ACROSS), len(blocks) * (3 * max(0.8 * aspect, 0.45) * WIDTH + 0.4))
        fig = plt.figure(figsize=size, layout="constrained")
        for part, some in zip(fig.subfigures(len(blocks), 1, squeeze=False)[:, 0], blocks, strict=True):
            block(part, kept, some, model, sample)
        fig.savefig(path, dpi=90)
        plt.close(fig)


if __name__ == "__main__":
    pictures(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
