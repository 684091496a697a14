"""Error of autoencoders by field and shell of wavenumbers against their compression.

    python experiments/text2pde/compression.py RUN [RUN ...] --picture compression.png

Each RUN is of model=autoencoder and has a reconstruction.nc. Prints the table of the README: medians over the test
trajectories and the learnt frames, for all points and for each quarter of the shells, from coarse to fine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pdekit.evaluation.reconstruction import FILE, QUARTERS


def errors(scores: xr.Dataset, field: str) -> list[float]:
    """Return the error of a field at the points, and of each quarter of its shells."""
    shells = scores.shell_error.sel(field=field).median(("sample", "time")).values[1:]
    parts = np.array_split(shells[np.isfinite(shells)], QUARTERS)
    return [float(scores.nrmse.sel(field=field).median()), *(float(np.median(part)) for part in parts)]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    rows: dict[str, list[tuple[float, list[float]]]] = {}
    for run in arguments.runs:
        with xr.open_dataset(run / FILE, engine="h5netcdf") as scores:
            for field in scores.field.values.tolist():
                rows.setdefault(field, []).append((float(scores.compression), errors(scores, field)))
    print("| field | compression | points | shells: coarse | second | third | fine |\n|---|---|---|---|---|---|---|")
    figure = Figure(figsize=(3 * len(rows) + 1, 2.8), dpi=100, layout="constrained")
    axes = figure.subplots(1, len(rows), sharey=True, squeeze=False)[0]
    for axis, (field, lines) in zip(axes, rows.items(), strict=True):
        lines.sort(key=lambda line: line[0])
        for compression, found in lines:
            print(f"| {field} | {compression:.3g} | " + " | ".join(f"{value:.2g}" for value in found) + " |")
        compressions = [line[0] for line in lines]
        names = ("points", "coarse shells", "second quarter", "third quarter", "fine shells")
        for n, name in enumerate(names):
            style = {"color": "black", "linewidth": 2} if n == 0 else {"color": f"C{n - 1}"}
            axis.plot(compressions, [line[1][n] for line in lines], marker="o", markersize=3, label=name, **style)
        axis.set(title=field, xlabel="compression", xscale="log", yscale="log")
        axis.set_xticks(compressions, [f"{value:.3g}" for value in compressions])
        axis.minorticks_off()
    axes[0].set_ylabel("relative error")
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=7, loc="outside right upper")
    figure.savefig(arguments.picture)


if __name__ == "__main__":
    main()
