"""Tables and pictures of a study of a steady problem from its runs; for coupled fields a column each.

    python experiments/darcy/table.py 'runs/*-darcy' [pictures.png]

A row is a model: the median over its seeds, and the lowest and highest, of medians over the test samples. Baselines
and solvers have no seed; theirs are those of the first run that has them. Components of a vector and parts of a complex field are one
column.
"""

from __future__ import annotations

import glob
import json
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

SHARED = ("nrmse", "vrmse", "boundary_rmse")
COUPLING = ("coupling_captured", "coupling_relative")


def groups(scores: xr.Dataset) -> dict[str, list[str]]:
    """Columns, and the fields that belong to each."""
    found = defaultdict(list)
    for field, group in zip(scores.field.values, scores.group.values, strict=True):
        found[str(group)].append(str(field))
    return dict(found)


def medians(scores: xr.Dataset, model: str, name: str, fields: list[str]) -> float:
    """Median over samples (and times) of a measure, averaged over the fields of a group."""
    if name not in scores:
        return np.nan
    values = scores[name].sel(model=model, field=fields).isel(member=0).mean("field")
    return float(np.nanmedian(values)) if np.isfinite(values).any() else np.nan


def row(scores: xr.Dataset, model: str) -> dict[str, float]:
    found = {}
    for name in (*SHARED, *COUPLING):
        for group, fields in groups(scores).items():
            found[f"{name} {group}"] = medians(scores, model, name, fields)
    found["ms a forecast"] = 1e3 * float(scores.seconds_per_forecast.sel(model=model))
    return found


def spread(values: list[float], digits: int = 3) -> str:
    values = [value for value in values if not np.isnan(value)]
    if not values:
        return ""
    middle = f"{np.median(values):.{digits}g}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}g} to {max(values):.{digits}g})"


def tables(runs: list[Path]) -> None:
    rows, seconds, effect, floor = defaultdict(list), defaultdict(list), {}, {}
    for run in runs:
        record = json.loads((run / "provenance.json").read_text())
        with xr.open_dataset(run / "scores.nc", engine="h5netcdf") as scores:
            for model, kind in zip(scores.model.values, scores.kind.values, strict=True):
                if kind == "surrogate" or str(model) not in rows:
                    rows[str(model)].append(row(scores, model))
                if kind == "surrogate":
                    seconds[str(model)].append(record["seconds"]["training"])
            if "coupling_effect" in scores and not effect:
                effect = {
                    group: float(scores.coupling_effect.sel(field=fields).median())
                    for group, fields in groups(scores).items()
                }
            if "residual_floor" in scores and "reference" not in floor:
                floor["reference"] = float(scores.residual_floor.median())
            for model in scores.model.values:
                if "residual_norm" in scores and scores.residual_norm.sel(model=model).notnull().any():
                    floor[str(model)] = float(scores.residual_norm.sel(model=model).median())
            names = list(groups(scores))
    columns = [column for column in next(iter(rows.values()))[0]]
    used = [column for column in columns if any(not np.isnan(one[column]) for found in rows.values() for one in found)]
    for measure in (*SHARED, *COUPLING):
        chosen = [column for column in used if column.startswith(f"{measure} ")]
        if not chosen:
            continue
        extra = ["ms a forecast", "training, s"] if measure == "nrmse" else []
        print(f"\n{measure}\n\n| | seeds | " + " | ".join([c.split(" ", 1)[1] for c in chosen] + extra) + " |")
        print("|" + "---|" * (2 + len(chosen) + len(extra)))
        for model, found in rows.items():
            cells = [spread([one[column] for one in found]) for column in chosen]
            if extra:
                cells += [spread([one["ms a forecast"] for one in found]), spread(seconds[model])]
            print("| " + " | ".join([model, str(len(found)), *cells]) + " |")
    if effect:
        print("\ncoupling effect: " + ", ".join(f"{group} {effect[group]:.3g}" for group in names))
    if floor:
        print("\nresidual norm: " + ", ".join(f"{model} {value:.3g}" for model, value in floor.items()))


def pictures(run: Path, path: Path) -> None:
    """Reference, forecast and error of the first kept sample, field by field; blank where a field does not exist."""
    with xr.open_dataset(run / "forecasts.nc", engine="h5netcdf") as kept:
        model = next(
            name for name, kind in zip(kept.model.values, kept.kind.values, strict=True) if kind == "surrogate"
        )
        fields = [str(name) for name in kept.data_vars if {"model", "x", "y"} <= set(kept[name].dims)]
        box = [float(edge) for edge in (kept.x[0], kept.x[-1], kept.y[0], kept.y[-1])]
        fig, axes = plt.subplots(3, len(fields), figsize=(2.3 * len(fields), 6.4), squeeze=False, layout="constrained")
        for column, field in enumerate(fields):
            frames = kept[field].isel(sample=0, time=-1).transpose("model", "y", "x")
            truth, forecast = frames.sel(model="reference").values, frames.sel(model=model).values
            largest = float(np.nanmax(np.abs(forecast - truth)))
            shared = {"vmin": np.nanmin(truth), "vmax": np.nanmax(truth), "cmap": "viridis"}
            signed = {"vmin": -largest, "vmax": largest, "cmap": "RdBu_r"}
            shown = (("reference", truth, shared), (model, forecast, shared), ("error", forecast - truth, signed))
            for line, (label, values, options) in enumerate(shown):
                ax = axes[line, column]
                picture = ax.imshow(values, origin="lower", extent=box, **options)
                fig.colorbar(picture, ax=ax, shrink=0.7).ax.tick_params(labelsize=6)
                ax.set(xticks=[], yticks=[])
                if column == 0:
                    ax.set_ylabel(label)
            unit = kept[field].attrs.get("units", "")
            axes[0, column].set_title(f"{field.replace('_', ' ')} [{unit}]", fontsize=8)
        fig.savefig(path, dpi=90)
        plt.close(fig)


def main() -> None:
    runs = sorted(path for path in map(Path, glob.glob(sys.argv[1])) if (path / "scores.nc").exists())
    if not runs:
        sys.exit(f"expected evaluated runs at {sys.argv[1]!r}, found none")
    tables(runs)
    if len(sys.argv) > 2:
        pictures(runs[0], Path(sys.argv[2]))


if __name__ == "__main__":
    main()
