"""Scores of several runs as one: surrogates side by side, baselines and solvers of the run that has most of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pdekit.command_words import override
from pdekit.data.hdf5 import FAULTS

SCORES, FORECASTS = "scores.nc", "forecasts.nc"
SETTINGS = ("processor", "device", "threads", "batch_size", "horizon")
"""Attributes on which a measured time depends."""
NEEDED = ("model", "kind", "nrmse", "seconds_per_forecast", "network_calls", "parameters")
"""Variables that all scores have."""


def merge(runs: Sequence[Path], folder: Path, configs: Mapping[Path, Any] | None = None) -> dict[Path, str]:
    """Write ``scores.nc`` and ``forecasts.nc`` of all runs into a folder.

    Runs with the same configuration (seeds apart) are one method: they share a name in the variable ``method``.

    Runs must have been scored on the same trajectories and grid; the horizon is the shortest of theirs. If it is
    shorter than some, scores of a whole horizon (statistics, times and their flags, ranks: what has no time of its own)
    are left out: they were taken over other windows. A surrogate keeps its name where that is unique, and has the name
    of its run's folder behind it otherwise. Baselines and solvers are those of the run that has most of them, the first
    one of such.

    Returns:
        Runs that were left out, with the reason: they have no scores that can be read, or were scored on other fields,
        trajectories, times or points than the first run that has scores.

    Raises:
        ValueError: if fewer than two runs are left of several.
    """
    found, left_out = fitting(runs, (SCORES, FORECASTS))
    runs, scores = list(found), [one for one, _ in found.values()]
    kept = _with_members([forecasts for _, forecasts in found.values()])
    names = _names(runs, scores)
    most = _with_most(scores)
    whole = merged_scores(dict(zip(runs, scores, strict=True)), names, methods(runs, names, configs or {}))
    _write(whole, folder / SCORES)

    frames = [one.sel(model=[name for name in one.model.values if name in names[run]]) for run, one in
              zip(runs, kept, strict=True)]  # fmt: skip
    frames = [one.assign_coords(model=[names[run][name] for name in one.model.values])
              for run, one in zip(runs, frames, strict=True)]  # fmt: skip
    given = kept[most].sel(model=[name for name in kept[most].model.values if name not in names[runs[most]]])
    every = xr.concat([*frames, given], "model", data_vars="all", join="inner", combine_attrs="override")
    _write(every, folder / FORECASTS)
    return left_out


def merged_scores(
    found: Mapping[Path, xr.Dataset], names: Mapping[Path, Mapping[str, str]], labels: Mapping[str, str]
) -> xr.Dataset:
    """Scores of several runs in one table, as `merge` says.

    Args:
        found: scores of each run; they fit each other (`fitting`).
        names: for each run, its surrogates and what they are called in the table.
        labels: the method of each surrogate, by its name in the table.
    """
    runs, scores = list(found), list(found.values())
    horizons = {one.sizes["time"] for one in scores}
    scores = [one.isel(time=slice(0, min(horizons))).assign_attrs(horizon=min(horizons)) for one in scores]
    if len(horizons) > 1:
        scores = [one.drop_vars([name for name in one.data_vars if of_whole_horizon(one[name])]) for one in scores]
    scored = [{str(name) for name in one.data_vars if "model" in one[name].dims} for one in scores]
    known = {str(name) for one in scores for name in one.data_vars if one[name].dims == ("model",)}
    with_models = [own for run, own in zip(runs, scored, strict=True) if names[run]] or scored
    shared = set.intersection(*with_models) | known  # what is not known of a run is NaN
    columns = [
        _surrogates(one, names[run])[sorted(shared & own)]
        for run, one, own in zip(runs, scores, scored, strict=True)
        if names[run]
    ]
    solvers, own = scores[_with_most(scores)], scored[_with_most(scores)]
    others = solvers.isel(model=np.flatnonzero(solvers.kind.values != "surrogate"))[sorted(shared & own)]
    whole = xr.concat([*columns, others], "model", join="outer", coords="minimal", compat="override")
    rest = [name for name in scores[0].data_vars if "model" not in scores[0][name].dims]
    whole = whole.assign(scores[0][rest]).assign_attrs(scores[0].attrs)
    whole.attrs["absent"] = solvers.attrs.get("absent", "{}")
    settings = [one.attrs for one in found.values()]
    differing = [key for key in SETTINGS if len({str(attrs.get(key)) for attrs in settings}) > 1]
    if differing:
        whole.attrs["caution"] = f"Runs were timed with different {', '.join(differing)}: their times do not compare."
    whole["method"] = ("model", [labels.get(name, "") for name in whole.model.values.tolist()])
    whole.attrs["runs"] = ", ".join(run.name for run in runs)
    return whole


def _with_most(scores: Sequence[xr.Dataset]) -> int:
    """The first of the runs that have most baselines and solvers."""
    return max(range(len(scores)), key=lambda i: int((scores[i].kind != "surrogate").sum()))


def fitting(
    runs: Sequence[Path], files: Sequence[str], least: int = 2
) -> tuple[dict[Path, tuple[xr.Dataset, ...]], dict[Path, str]]:
    """Files of the runs that fit the first one that has scores; the reason for each of the others.

    Args:
        runs: folders.
        files: names of NetCDF files of each, its scores first.
        least: runs that must be left if some are left out.

    Raises:
        ValueError: if fewer are left.
    """
    found: dict[Path, tuple[xr.Dataset, ...]] = {}
    left_out: dict[Path, str] = {}
    for run in runs:
        try:
            one = _scored(run, files)
            if found:
                first = next(iter(found))
                n = min(one[0].sizes["time"], found[first][0].sizes["time"])
                check_same(first, found[first][0].isel(time=slice(0, n)), run, one[0].isel(time=slice(0, n)))
            found[run] = one
        except (ValueError, OSError) as reason:
            left_out[run] = str(reason)
    if left_out and len(found) < least:
        raise ValueError("; ".join(left_out.values()))
    return found, left_out


def _scored(run: Path, files: Sequence[str]) -> tuple[xr.Dataset, ...]:
    """Return the files of one run."""
    if not (run / SCORES).is_file():
        raise FileNotFoundError(
            f"expected scores.nc in {run}, found none; evaluate it first: "
            f"python -m pdekit.evaluate {override('run', run)}"
        )
    found = tuple(_read(run / file) for file in files)
    missing = [name for name in NEEDED if name not in found[0]]
    if missing:
        raise ValueError(
            f"expected {', '.join(missing)} among the scores of {run}, found none: {SCORES} is not pdekit's, or was "
            f"changed; evaluate it again: python -m pdekit.evaluate {override('run', run)}"
        )
    return found


def of_whole_horizon(values: xr.DataArray) -> bool:
    """True for scores of all frames together: they have forecasts or samples, but no time.

    False for costs and errors on other grids, which belong to runs.
    """
    dims = {str(dim) for dim in values.dims}
    if "time" in dims or dims & {"batch", "resolution"}:
        return False
    of_reference = "sample" in dims and values.dtype.kind == "f"  # the numbers of samples remain
    return of_reference or ("model" in dims and dims != {"model"})


def check_same(first_run: Path, first: xr.Dataset, run: Path, found: xr.Dataset) -> None:
    """Check that two runs were scored on the same trajectories at the same times.

    Raises:
        ValueError: if a field, trajectory, start or time differs.
    """
    for name in ("field", "trajectory", "start", "time"):
        if name not in found:
            raise ValueError(
                f"expected the {name} of scores in {run.name}, found none; evaluate it again: "
                f"python -m pdekit.evaluate {override('run', run)}"
            )
        ours, theirs = first[name].values, found[name].values
        same = ours.shape == theirs.shape and (
            np.allclose(ours, theirs, rtol=1e-9) if ours.dtype.kind == "f" else (ours == theirs).all()
        )
        if not same:
            raise ValueError(
                f"expected the {name} of {first_run.name}, {_short(ours)}, found {_short(theirs)} in {run.name}; "
                "evaluate both with the same data, n_trajectories and starts"
            )
    shapes = [one.attrs.get("shape", "") for one in (first, found)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"expected the {shapes[0]} points of {first_run.name}, found {shapes[1]} in {run.name}; evaluate both with "
            "the same resolution"
        )
    for name in set(first.model.values[first.kind.values == "baseline"]) & set(found.model.values):
        ours, theirs = (one.nrmse.sel(model=name, member=0).values for one in (first, found))
        if not np.allclose(ours, theirs, rtol=1e-3, equal_nan=True):
            raise ValueError(
                f"expected the same error of {name} in {first_run.name} and {run.name}, found others: they were scored "
                "on different trajectories; evaluate both with data=NAME of one dataset"
            )


def _read(path: Path) -> xr.Dataset:
    try:
        with xr.open_dataset(path, engine="h5netcdf") as data:
            return data.load()
    except FAULTS as error:
        said = " ".join(str(error).split())[:160]
        raise ValueError(f"expected NetCDF in {path}, found a damaged file: {said}; evaluate the run again") from None


def _with_members(kept: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Forecasts with as many members in all files, NaN where a model has fewer; no dimension if none has several."""
    most = max(one.sizes.get("member", 1) for one in kept)
    if most == 1:
        return list(kept)
    forecasts = [[name for name in one.data_vars if {"model", "time"} <= {*one[name].dims}] for one in kept]
    several = [
        one if "member" in one.dims else one.assign({name: one[name].expand_dims(member=[0], axis=1) for name in names})
        for one, names in zip(kept, forecasts, strict=True)
    ]
    return [one.reindex(member=np.arange(most)) for one in several]


def _surrogates(scores: xr.Dataset, names: Mapping[str, str]) -> xr.Dataset:
    chosen = scores.sel(model=list(names))
    return chosen.assign_coords(model=[names[name] for name in chosen.model.values])


def _names(runs: Sequence[Path], scores: Sequence[xr.Dataset]) -> dict[Path, dict[str, str]]:
    """For each run, its surrogates and what they are called next to the others."""
    found = {
        run: one.model.values[one.kind.values == "surrogate"].tolist() for run, one in zip(runs, scores, strict=True)
    }
    every = [name for names in found.values() for name in names]
    return {
        run: {name: name if every.count(name) == 1 else f"{name} ({run.name})" for name in names}
        for run, names in found.items()
    }


def methods(
    runs: Sequence[Path], names: Mapping[Path, Mapping[str, str]], configs: Mapping[Path, Any]
) -> dict[str, str]:
    """The method of each surrogate, by its name in the comparison: the same for runs that differ in their seed
    only, "" where a configuration is not known. Another configuration of a method has the first of its runs behind it.
    """
    known = {run: configs.get(run) for run in runs}
    labels = {}
    for run in runs:
        for name, called in names[run].items():
            namesakes = [other for other in runs if name in names[other]]
            alike = [other for other in namesakes if known[other] is not None and known[other] == known[run]]
            label = name if len(alike) == len(namesakes) else f"{name} ({alike[0].name})" if alike else ""
            labels[called] = label
    return labels


def _short(values: np.ndarray) -> str:
    text = ", ".join(f"{v:g}" if values.dtype.kind in "fiu" else str(v) for v in values[:4])
    return f"[{text}{', ...' if len(values) > 4 else ''}] ({len(values)})"


def _write(data: xr.Dataset, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for variable in data.variables.values():
        variable.encoding.clear()
    partial = path.with_name(path.name + ".part")
    data.to_netcdf(partial, engine="h5netcdf")
    os.replace(partial, path)
