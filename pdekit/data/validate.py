"""What is wrong with a file: all faults at once, each as a sentence."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from pdekit.data.layout import OURS, datasets
from pdekit.data.store import Split, open_hdf5, stored_shape
from pdekit.fields import Problem

ROOT = ("dataset_name", "grid_type", "n_spatial_dims", "n_trajectories", "simulation_parameters")
GROUPS = ("boundary_conditions", "dimensions", "scalars", "t0_fields", "t1_fields", "t2_fields")
FLAGS = ("sample_varying", "time_varying")


def faults(path: Path, values: bool = True) -> list[str]:
    """All faults of a file of ours; an empty list for a good one.

    Args:
        path: of one split.
        values: whether to read the data and look for NaN and Inf (takes the time of reading the file once).
    """
    try:
        file = open_hdf5(Path(path))
    except (FileNotFoundError, ValueError) as error:
        return [str(error)]
    with file:
        found = _layout_faults(file)
        if found:
            return found
        if OURS not in file:
            return [f"expected a group {OURS!r} with the problem, found {sorted(file)}; it is a file of The Well"]
        try:
            problem = Split(path).problem
        except (ValueError, KeyError) as error:
            return [str(error)]
        found = _time_faults(file) + _shape_faults(file, problem)
        if values and not found:
            found = _value_faults(file, problem)
        return found


def check(path: Path, values: bool = True) -> None:
    """Raise a ValueError that lists all faults of a file, if it has any."""
    found = faults(path, values)
    if found:
        raise ValueError(f"expected a sound dataset, found {len(found)} fault(s) in {path}:\n- " + "\n- ".join(found))


def _layout_faults(file: h5py.File) -> list[str]:
    """Faults against The Well's layout."""
    found = [f"expected the root attribute {name!r}, found none" for name in ROOT if name not in file.attrs]
    found += [f"expected the group {name!r}, found {sorted(file)}" for name in GROUPS if name not in file]
    if found:
        return found
    for name in file["dimensions"].attrs["spatial_dims"]:
        if name not in file["dimensions"]:
            found.append(f"expected the coordinates of axis {name!r} in dimensions, found {sorted(file['dimensions'])}")
    if "time" not in file["dimensions"]:
        found.append(f"expected 'time' in dimensions, found {sorted(file['dimensions'])}")
    for group in ("scalars", "t0_fields", "t1_fields", "t2_fields"):
        for name in file[group].attrs["field_names"]:
            if name not in file[group]:
                found.append(f"expected the dataset {group}/{name} that field_names lists, found {sorted(file[group])}")
                continue
            flags = FLAGS if group == "scalars" else (*FLAGS, "dim_varying")
            found += [
                f"expected the attribute {flag!r} of {group}/{name}, found {sorted(file[group][name].attrs)}"
                for flag in flags
                if flag not in file[group][name].attrs
            ]
    return found


def _time_faults(file: h5py.File) -> list[str]:
    time = np.atleast_2d(file["dimensions/time"][...])
    for i, row in enumerate(time):
        if not np.isfinite(row).all() or (np.diff(row) <= 0).any():
            return [f"expected times that increase, found another order in row {i} of dimensions/time"]
    return []


def _shape_faults(file: h5py.File, problem: Problem) -> list[str]:
    n = int(file.attrs["n_trajectories"])
    found = []
    space = tuple(problem.grid.shape)
    for place in datasets(problem).all:
        if place.path not in file:
            found.append(f"expected the dataset {place.path} of the problem, found {sorted(file[place.group])}")
            continue
        column = file[place.path]
        shape = stored_shape(place, problem, n)
        if column.shape != shape:
            found.append(f"expected {place.path} of shape {shape}, found {column.shape}")
        for flag, expected in (("sample_varying", True), ("time_varying", place.time_varying)):
            if bool(column.attrs[flag]) != expected:
                found.append(f"expected {flag} = {expected} for {place.path}, found {column.attrs[flag]}")
        if len(column.attrs["dim_varying"]) != len(space) or not all(column.attrs["dim_varying"]):
            found.append(f"expected dim_varying with {len(space)} true entries for {place.path}, found otherwise")
    for name in problem.params:
        if name not in file["scalars"] or file["scalars"][name].shape != (n,):
            found.append(f"expected scalars/{name} with {n} values, found {sorted(file['scalars'])}")
    if file["dimensions/time"].shape[-1] != problem.n_frames:
        found.append(f"expected {problem.n_frames} times, found shape {file['dimensions/time'].shape}")
    if problem.has_text and "text" not in file[OURS]:
        found.append(f"expected the texts {OURS}/text, found {sorted(file[OURS])}")
    return found


def _value_faults(file: h5py.File, problem: Problem) -> list[str]:
    found = []
    for place in datasets(problem).all:
        for i in range(int(file.attrs["n_trajectories"])):
            bad = ~np.isfinite(file[place.path][i])
            if bad.any():
                frame = f", first in frame {np.argwhere(bad)[0][0]}" if place.time_varying else ""
                found.append(
                    f"expected finite values in {place.path}, found {int(bad.sum())} NaN or Inf in trajectory {i}"
                    f"{frame}"
                )
                break
    return found
