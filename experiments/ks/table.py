"""The study's table and figure from its runs.

    python experiments/ks/table.py 'runs/*-ks_laptop' [figure.png]

Over seeds: the median, and the lowest and highest. Over the test trajectories of a seed: what the column says. A
solver has no seed; its row is that of the first run.
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

from pdekit.metrics import horizons

LYAPUNOV = 0.087  # largest exponent of Kuramoto-Sivashinsky at L = 64, per unit time
SHOWN = (
    "solver 64, dt 0.1",
    "solver 96, dt 0.1",
    "solver 96, dt 0.2",
    "solver 128, dt 0.1",
    "solver 128, dt 0.4",
    "solver 128, dt 0.8",
)


def row(scores: xr.Dataset, model: str) -> dict[str, float]:
    """The numbers of one model in one run."""
    own = scores.sel(model=model).isel(member=0, field=0)
    t, correlation = own.time.values, own.correlation.values
    return {
        "one-step nRMSE": float(own.nrmse[:, 0].median()),
        "mean, then count, 0.8": float(horizons.correlation_time_mean_then_count(correlation, t, 0.8).time.item()),
        "mean, then count, 0.9": float(horizons.correlation_time_mean_then_count(correlation, t, 0.9).time.item()),
        "first crossing, 0.8": float(np.median(horizons.correlation_time_first_crossing(correlation, t, 0.8).time)),
        "diverged": float(horizons.diverged(own.nrmse.values).mean()),
        "ms a forecast": 1e3 * float(own.seconds_per_forecast),
    }


def spread(values: list[float], digits: int = 3) -> str:
    middle = f"{np.median(values):.{digits}g}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}g} to {max(values):.{digits}g})"


def main() -> None:
    runs = sorted(path for path in map(Path, glob.glob(sys.argv[1])) if (path / "scores.nc").exists())
    rows, curves, seconds = defaultdict(list), defaultdict(list), defaultdict(list)
    for number, run in enumerate(runs):
        record = json.loads((run / "provenance.json").read_text())
        with xr.open_dataset(run / "scores.nc", engine="h5netcdf") as scores:
            kinds = dict(zip(scores.model.values, scores.kind.values, strict=True))
            for model, kind in kinds.items():
                if kind == "surrogate" or (number == 0 and (model in SHOWN or model == "persistence")):
                    rows[model].append(row(scores, model))
                    curve = scores.correlation.sel(model=model).isel(member=0, field=0).mean("sample")
                    curves[model].append((curve.time.values, curve.values))
                if kind == "surrogate":
                    seconds[model].append(record["seconds"]["training"])
    columns = list(next(iter(rows.values()))[0])
    print("| " + " | ".join(["", "seeds", *columns, "0.8 in Lyapunov times", "training, s"]) + " |")
    print("|" + "---|" * (len(columns) + 4))
    for model, found in sorted(rows.items(), key=lambda item: item[0].startswith("solver")):
        cells = [spread([one[column] for one in found]) for column in columns]
        lyapunov = spread([LYAPUNOV * one["mean, then count, 0.8"] for one in found], 2)
        trained = spread(seconds[model]) if seconds[model] else ""
        print("| " + " | ".join([model, str(len(found)), *cells, lyapunov, trained]) + " |")
    if len(sys.argv) > 2:
        figure(curves, Path(sys.argv[2]))


def figure(curves: dict[str, list], path: Path) -> None:
    """Mean correlation against time; one line for each seed."""
    fig, axes = plt.subplots(figsize=(8.5, 4.0), layout="constrained")
    for number, (model, lines) in enumerate(curves.items()):
        for first, (t, mean) in enumerate(lines):
            style = "--" if model.startswith("solver") else "-"
            axes.plot(t, mean, style, color=f"C{number}", lw=1.2, label=None if first else model)
    axes.axhline(0.8, color="0.5", lw=0.8)
    axes.set(xlabel="time", ylabel="correlation, mean over 64 trajectories", ylim=(-0.1, 1.02), xlim=(0, None))
    top = axes.secondary_xaxis("top", functions=(lambda t: LYAPUNOV * t, lambda n: n / LYAPUNOV))
    top.set_xlabel("Lyapunov times")
    fig.legend(fontsize=8, frameon=False, loc="outside right upper")
    fig.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
