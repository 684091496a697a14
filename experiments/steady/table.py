"""Tables of a study of a steady problem from its runs; for coupled fields a column each.

    python experiments/steady/table.py 'runs/*-darcy'

A row is a model: the median over its seeds, and the lowest and highest, of medians over the test samples. Baselines
and solvers have no seed; theirs are those of the first run that has them. Components of a vector and parts of a complex
field are one column.
"""

from __future__ import annotations

import glob
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import xarray as xr

MEASURES = ("nrmse", "vrmse")
PLACES = ("boundary", "interface")
COUPLING = ("coupling_captured", "coupling_relative")
SPAN = 1.02
"""Seeds that differ by less are one number."""

Rows = dict[str, list[xr.Dataset]]


def opened(pattern: str) -> list[tuple[Path, xr.Dataset]]:
    """Finished runs and their scores, whole."""
    found = []
    for path in sorted(map(Path, glob.glob(pattern))):
        if (path / "scores.nc").exists():
            with xr.open_dataset(path / "scores.nc", engine="h5netcdf") as scores:
                found.append((path, scores.load()))
    if not found:
        sys.exit(f"expected evaluated runs at {pattern!r}, found none")
    return found


def by_model(runs: Iterable[tuple[Path, xr.Dataset]]) -> Rows:
    """The scores of each model: of surrogates those of every seed, of all else the first."""
    rows = defaultdict(list)
    for run, scores in runs:
        for model, kind in zip(scores.model.values, scores.kind.values, strict=True):
            if kind == "surrogate" or str(model) not in rows:
                seconds = json.loads((run / "provenance.json").read_text())["seconds"]["training"]
                known = {"trained": kind == "surrogate", "training": seconds}
                rows[str(model)].append(scores.sel(model=model).assign_attrs(known))
    order = sorted(rows, key=lambda name: not rows[name][0].attrs["trained"])
    return {name: rows[name] for name in order}


def groups(scores: xr.Dataset) -> dict[str, list[str]]:
    """Columns, and the fields that belong to each."""
    found = defaultdict(list)
    for field, group in zip(scores.field.values, scores.group.values, strict=True):
        found[str(group)].append(str(field))
    return dict(found)


def median(values: xr.DataArray) -> float:
    """Over samples, of the first member, averaged over the fields that are there."""
    if "member" in values.dims:
        values = values.isel(member=0)
    if "field" in values.dims:
        values = values.mean("field")
    numbers = values.values
    return float(np.nanmedian(numbers)) if np.isfinite(numbers).any() else np.nan


def spread(values: Iterable[float], digits: int = 3) -> str:
    values = [value for value in values if not np.isnan(value)]
    if not values:
        return ""
    middle, low, high = (f"{float(f'{one:.{digits}g}'):g}" for one in (np.median(values), min(values), max(values)))
    return middle if len(values) == 1 or max(values) <= SPAN * min(values) else f"{middle} ({low} to {high})"


def table(title: str, rows: Rows, columns: dict[str, Callable[[xr.Dataset], float]]) -> None:
    """Print a table of those columns that have a number."""
    found = {name: {c: [of(one) for one in several] for c, of in columns.items()} for name, several in rows.items()}
    used = [c for c in columns if any(not np.isnan(found[name][c]).all() for name in rows)]
    if not used:
        return
    print(f"\n{title}\n\n| | " + " | ".join(used) + " |\n" + "|---" * (1 + len(used)) + "|")
    for name in rows:
        cells = [spread(found[name][c]) for c in used]
        if any(cells):
            print(f"| {name} | " + " | ".join(cells) + " |")


def tables(runs: list[tuple[Path, xr.Dataset]]) -> None:
    rows, first = by_model(runs), runs[0][1]
    fields, units = groups(first), dict(zip(first.field.values.tolist(), first.unit.values.tolist(), strict=True))
    seeds = {name: len(several) for name, several in rows.items() if len(several) > 1}
    print("seeds: " + ", ".join(f"{name} {n}" for name, n in seeds.items()))
    cost = {
        "ms a forecast": lambda one: 1e3 * float(one.seconds_per_forecast),
        "training, s": lambda one: one.attrs["training"] if one.attrs["trained"] else np.nan,
    }
    for measure in (*MEASURES, *COUPLING):
        if all(measure not in scores for _, scores in runs):
            continue
        columns = {
            group: lambda one, names=names, measure=measure: median(one[measure].sel(field=names))
            for group, names in fields.items()
        }
        table(measure, rows, columns | (cost if measure == "nrmse" else {}))
        if measure == COUPLING[0]:
            effect = {group: median(first.coupling_effect.sel(field=names)) for group, names in fields.items()}
            print("\neffect of the coupling: " + ", ".join(f"{group} {value:.3g}" for group, value in effect.items()))
    for place in PLACES:
        if "rmse_by_place" in first:
            columns = {
                f"{group}, {units[names[0]]}": lambda one, names=names, place=place: median(
                    one.rmse_by_place.sel(place=place, field=names)
                )
                for group, names in fields.items()
            }
            table(f"RMSE at the {place}", rows, columns)
    if "equation_residual" in first:
        floor = first[["equation_residual_floor"]].rename(equation_residual_floor="equation_residual")
        for place in ("interior", "interface"):
            columns = {
                str(equation): lambda one, equation=equation, place=place: median(
                    one.equation_residual.sel(place=place, equation=equation)
                )
                for equation in first.equation.values
            }
            table(f"residual in the {place}", {"floor: the reference": [floor], **rows}, columns)


if __name__ == "__main__":
    tables(opened(sys.argv[1]))
