"""Faults of a file: all faults at once, each as a sentence."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from pdekit.data.hdf5 import FileFault, dataset, flags, member, names, open_hdf5, reading, texts, values, whole_number
from pdekit.data.layout import OURS, datasets
from pdekit.data.probe import check_readable
from pdekit.data.store import check_stored, read_problem, stored_shape
from pdekit.fields import Problem

ROOT = ("dataset_name", "grid_type", "n_spatial_dims", "n_trajectories", "simulation_parameters")
GROUPS = ("boundary_conditions", "dimensions", "scalars", "t0_fields", "t1_fields", "t2_fields")
FLAGS = ("sample_varying", "time_varying")


def faults(path: Path, values: bool = True) -> list[str]:
    """All faults of a file of ours; an empty list for a good one.

    Args:
        path: path of one split.
        values: whether to read the data and look for NaN and Inf (takes the time of reading the file once).
    """
    try:
        check_readable(Path(path))
        file = open_hdf5(Path(path))
    except (FileNotFoundError, ValueError) as error:
        return [str(error)]
    with file:
        try:
            return _faults_of(file, values)
        except FileFault as error:
            return [str(error)]


def _faults_of(file: h5py.File, with_values: bool) -> list[str]:
    found = _layout_faults(file)
    if found:
        return found
    if OURS not in names(file):
        return [f"expected a group {OURS!r} with the problem, found {names(file)}; it is a file of The Well"]
    problem, _ = read_problem(file)
    found = _time_faults(file) + _shape_faults(file, problem)
    if not found:
        check_stored(file, problem, whole_number(file, "", "n_trajectories", 1))
    if with_values and not found:
        found = _value_faults(file, problem)
    return found


def check(path: Path, values: bool = True) -> None:
    """Raise a ValueError that lists all faults of a file, if it has any."""
    found = faults(path, values)
    if found:
        raise ValueError(
            f"expected a dataset without faults, found {len(found)} fault(s) in {path}:\n- " + "\n- ".join(found)
        )


def _layout_faults(file: h5py.File) -> list[str]:
    """Faults against The Well's layout."""
    with reading(file, ""):
        found = [f"expected the root attribute {name!r}, found none" for name in ROOT if name not in file.attrs]
    groups = names(file)
    found += [f"expected the group {name!r}, found {groups}" for name in GROUPS if name not in groups]
    if found:
        return found
    stored = names(file, "dimensions")
    for name in texts(file, "dimensions", "spatial_dims"):
        if name not in stored:
            found.append(f"expected the coordinates of axis {name!r} in dimensions, found {stored}")
    if "time" not in stored:
        found.append(f"expected 'time' in dimensions, found {stored}")
    for group in ("scalars", "t0_fields", "t1_fields", "t2_fields"):
        stored = names(file, group)
        for name in texts(file, group, "field_names"):
            if name not in stored:
                found.append(f"expected the dataset {group}/{name} that field_names lists, found {stored}")
                continue
            with reading(file, f"{group}/{name}"):
                attributes = sorted(member(file, f"{group}/{name}").attrs)
            found += [
                f"expected the attribute {flag!r} of {group}/{name}, found {attributes}"
                for flag in (FLAGS if group == "scalars" else (*FLAGS, "dim_varying"))
                if flag not in attributes
            ]
    return found


def _time_faults(file: h5py.File) -> list[str]:
    time = np.atleast_2d(values(file, "dimensions/time"))
    for i, row in enumerate(time):
        if (np.diff(row) <= 0).any():
            return [f"expected times that increase, found another order in row {i} of dimensions/time"]
    return []


def _shape_faults(file: h5py.File, problem: Problem) -> list[str]:
    n = whole_number(file, "", "n_trajectories", 1)
    found = []
    space = tuple(problem.grid.shape)
    for place in datasets(problem).all:
        if place.name not in names(file, place.group):
            found.append(f"expected the dataset {place.path} of the problem, found {names(file, place.group)}")
            continue
        with reading(file, place.path):
            stored = file[place.path].shape
        shape = stored_shape(place, problem, n)
        if stored != shape:
            found.append(f"expected {place.path} of shape {shape}, found {stored}")
        for flag, expected in (("sample_varying", True), ("time_varying", place.time_varying)):
            (given,) = flags(file, place.path, flag, 1)
            if given != expected:
                found.append(f"expected {flag} = {expected} for {place.path}, found {given}")
        if not all(flags(file, place.path, "dim_varying", len(space) if space else 0)):
            found.append(f"expected dim_varying with {len(space)} true entries for {place.path}, found otherwise")
    for name in problem.params:
        if name not in names(file, "scalars") or dataset(file, f"scalars/{name}").shape != (n,):
            found.append(f"expected scalars/{name} with {n} values, found {names(file, 'scalars')}")
    times = dataset(file, "dimensions/time").shape
    if times not in ((problem.n_frames,), (n, problem.n_frames)):
        found.append(f"expected {problem.n_frames} times, found shape {times}")
    if problem.has_text and "text" not in names(file, OURS):
        found.append(f"expected the texts {OURS}/text, found {names(file, OURS)}")
    return found


def _value_faults(file: h5py.File, problem: Problem) -> list[str]:
    found = []
    for place in datasets(problem).all:
        for i in range(file[place.path].shape[0]):
            with reading(file, place.path):
                bad = ~np.isfinite(file[place.path][i])
            if bad.any():
                frame = f", first in frame {np.argwhere(bad)[0][0]}" if place.time_varying else ""
                found.append(
                    f"expected finite values in {place.path}, found {int(bad.sum())} NaN or Inf in trajectory {i}"
                    f"{frame}"
                )
                break
    return found
