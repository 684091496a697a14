"""Table and picture of a study of Burgers' equation from its runs.

    python experiments/operators_burgers/table.py PICTURE.png NAME='runs/*-fno-burgers' [NAME=PATTERN ...]

A row is a model: the median over its seeds, and the lowest and highest, of the median nRMSE over the test samples at
four times. Baselines and solvers have no seed; theirs are those of the first run that has them, and of all solvers the
cheapest and the most accurate at the end are told. The picture shows one test sample of the first run of each name.
"""

from __future__ import annotations

import glob
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

TIMES = (0.05, 0.25, 0.5, 1.0)
SHOWN = (0.25, 0.5, 1.0)


def opened(folder: Path, name: str) -> xr.Dataset:
    with xr.open_dataset(folder / name, engine="h5netcdf") as data:
        return data.load()


def errors(scores: xr.Dataset, model: str) -> list[float]:
    one = scores.nrmse.sel(model=model).isel(member=0, field=0).median("sample")
    return [float(one.sel(time=t, method="nearest")) for t in TIMES] + [
        1e3 * float(scores.seconds_per_forecast.sel(model=model))
    ]


def spread(values: list[float]) -> str:
    values = sorted(values)
    middle = f"{np.median(values):.3g}"
    return middle if len(values) == 1 else f"{middle} ({values[0]:.3g} to {values[-1]:.3g})"


def table(studied: dict[str, list[Path]]) -> None:
    rows, others = {}, {}
    for name, folders in studied.items():
        seeds = []
        for folder in folders:
            scores = opened(folder, "scores.nc")
            kinds = dict(zip(scores.model.values.tolist(), scores.kind.values.tolist(), strict=True))
            model = next(one for one, kind in kinds.items() if kind == "surrogate")
            seconds = json.loads((folder / "provenance.json").read_text())["seconds"]["training"]
            seeds.append([*errors(scores, model), seconds])
            for one, kind in kinds.items():
                if kind != "surrogate" and one not in others:
                    others[one] = errors(scores, one)
        rows[f"{name} | {len(seeds)}"] = [spread(list(column)) for column in zip(*seeds, strict=True)]
    print("| | seeds | " + " | ".join(f"t = {t:g}" for t in TIMES) + " | ms a forecast | training, s |")
    print("|" + "---|" * (4 + len(TIMES)))
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")
    solvers = [name for name in others if name.startswith("solver")]
    told = {min(solvers, key=lambda name: others[name][i]) for i in (-1, -2)} if solvers else set()
    for name, values in others.items():
        if name in solvers and name not in told:
            continue
        print(f"| {name} | 1 | " + " | ".join(f"{value:.3g}" for value in values) + " | |")


def picture(studied: dict[str, list[Path]], path: Path, sample: int = 0) -> None:
    """Profiles of u at three times, the reference in grey below each model's."""
    fig, axes = plt.subplots(
        len(studied), len(SHOWN), figsize=(9, 1.7 * len(studied)), sharex=True, sharey="col", layout="constrained"
    )
    for line, (name, folders) in zip(np.atleast_2d(axes), studied.items(), strict=True):
        kept = opened(folders[0], "forecasts.nc")
        (field,) = [str(one) for one in kept.data_vars if {"model", "x"} <= set(kept[one].dims)]
        u = kept[field].isel(sample=sample)
        if "member" in u.dims:
            u = u.isel(member=0)
        model = next(
            str(one) for one, kind in zip(kept.model.values, kept.kind.values, strict=True) if kind == "surrogate"
        )
        for ax, t in zip(line, SHOWN, strict=True):
            ax.plot(kept.x, u.sel(model="reference").sel(time=t, method="nearest"), color="0.7", linewidth=4)
            ax.plot(kept.x, u.sel(model=model).sel(time=t, method="nearest"), color="tab:blue", linewidth=1.2)
            ax.grid(alpha=0.3)
        line[0].set_ylabel(f"{name}\nu", fontsize=8)
    for ax, t in zip(np.atleast_2d(axes)[0], SHOWN, strict=True):
        ax.set_title(f"t = {t:g}", fontsize=9)
    for ax in np.atleast_2d(axes)[-1]:
        ax.set_xlabel("x")
    fig.savefig(path, dpi=90)
    plt.close(fig)


def main() -> None:
    studied = {}
    for item in sys.argv[2:]:
        name, pattern = item.split("=", 1)
        found = [Path(folder) for folder in sorted(glob.glob(pattern)) if (Path(folder) / "scores.nc").exists()]
        if not found:
            sys.exit(f"expected evaluated runs at {pattern!r}, found none")
        studied[name] = found
    if not studied:
        sys.exit("expected PICTURE.png and NAME=PATTERN, got no runs")
    table(studied)
    picture(studied, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
