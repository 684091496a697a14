"""A dataset of a user's own arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pdekit.data.loading import Loading
from pdekit.data.module import DataModule
from pdekit.data.writer import check_batch, write_split
from pdekit.fields import Field, Grid, Problem, Trajectory


class Arrays:
    """Trajectories in memory, as a source of windows.

    Args:
        problem: what they are.
        batch: all of them, "sample time channel *space" in ``u``.

    Raises:
        ValueError: on a shape that is not the problem's, or NaN or Inf in the fields.
    """

    def __init__(self, problem: Problem, batch: Trajectory):
        check_batch(batch, problem)
        self.problem = problem
        self.n_trajectories = len(batch)
        finite = torch.isfinite(batch.u.flatten(1)).all(1)
        if not finite.all():
            bad = (~finite).nonzero()[:, 0].tolist()
            raise ValueError(
                f"expected finite values, got NaN or Inf in {len(bad)} trajectories, first in number {bad[0]}; remove "
                "or repair them (values outside a geometry belong under a mask)"
            )
        self._batch = batch

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        return self._batch.samples(slice(trajectory, trajectory + 1)).frames(frames)


def from_arrays(
    train: Any,
    valid: Any = None,
    test: Any = None,
    *,
    dt: float | None = None,
    extent: Sequence[float] | None = None,
    fields: Sequence[str | Field] | None = None,
    layout: Sequence[str] | None = None,
    origin: Sequence[float] = (),
    boundary: Sequence[tuple[str, str]] = (),
    coeffs: Mapping[str, Mapping[str, Any]] | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    pde: Any = None,
    folder: str | Path | None = None,
    name: str = "arrays",
    loading: Loading | None = None,
) -> DataModule:
    """A data module of arrays shaped "sample time channel *space".

    Args:
        train, valid, test: NumPy arrays, tensors, or anything that NumPy converts; or xarray DataArrays with dims
            (sample, time, field, x, ...); or xarray Datasets with one variable for each field, dims (sample, time,
            x, ...), whose coordinates give dt, extent and origin unless these are given here. Without ``valid`` the
            last tenth of train (at least one trajectory) is taken from it for validation; without ``test`` the
            validation trajectories are used for the test too.
        dt: time between frames; may be left out for steady data (one frame).
        extent: lengths of the box.
        fields: names of the channels, or `Field`s with units and groups.
        layout: of each axis, see `Grid`; periodic by default.
        origin: lower corner of the box.
        boundary: (lower, upper) condition of each axis.
        coeffs: for each split ("train", ...), arrays "sample *space" by name: inputs fixed in time.
        params: for each split, arrays "sample" by name: scalars.
        pde: the equation, for residuals and solver baselines.
        folder: where to write the dataset in pdekit's layout; in memory only if None.
        name: of the dataset.
        loading: batch sizes, workers, seed.

    Raises:
        ValueError: on shapes that do not fit, NaN or Inf.

    >>> waves = np.sin(np.linspace(0, 6, 8 * 5 * 1 * 16)).reshape(8, 5, 1, 16)
    >>> data = from_arrays(waves, dt=0.1, extent=(1.0,), fields=["u"])
    >>> data.problem.grid.shape, len(data.train), len(data.valid)
    ((16,), 28, 4)
    """
    given = {"train": train, "valid": valid, "test": test}
    splits: dict[str, np.ndarray] = {}
    for split, data in given.items():
        if data is None:
            continue
        array, found = _to_array(data)
        splits[split] = array
        fields = found.get("fields") if fields is None else fields
        dt = found.get("dt") if dt is None else dt
        extent = found.get("extent") if extent is None else extent
        origin = origin or found.get("origin", ())
    if extent is None:
        raise ValueError("expected the lengths of the box, got none; give from_arrays(extent=(Lx, ...))")
    ndim = splits["train"].ndim - 3
    if ndim != len(extent):
        raise ValueError(
            f'expected arrays "sample time channel *space" with {len(extent)} spatial axes for extent {tuple(extent)}, '
            f"got shape {splits['train'].shape}; add missing axes of length 1 (one field: array[:, :, None])"
        )
    names = fields if fields is not None else [f"u{i}" for i in range(splits["train"].shape[2])]
    channels = tuple(Field(item) if isinstance(item, str) else item for item in names)
    grid = Grid(splits["train"].shape[3:], tuple(extent), tuple(origin), tuple(layout or ()))
    extras = {split: ((coeffs or {}).get(split, {}), (params or {}).get(split, {})) for split in splits}
    batches: dict[str, tuple[Problem, Trajectory]] = {}
    for split, array in splits.items():
        inputs, scalars = extras[split]
        problem = Problem(
            grid,
            channels,
            dt,
            array.shape[1] if array.ndim > 1 else 1,
            boundary=tuple(boundary),
            coeffs=tuple(Field(key) for key in inputs),
            params=tuple(scalars),
            pde=pde,
        )
        batches[split] = (problem, _to_batch(array, dt, inputs, scalars))
    if "valid" not in batches:
        batches["train"], batches["valid"] = _split_off(*batches["train"])
    batches.setdefault("test", batches["valid"])
    sources = {split: Arrays(*pair) for split, pair in batches.items()}
    if folder is None:
        return DataModule(sources["train"], sources["valid"], sources["test"], loading)
    for split, (problem, batch) in batches.items():
        write_split(Path(folder) / "data" / split / f"{name}.hdf5", problem, batch, name)
    return DataModule.from_folder(folder, loading)


def _to_batch(array: np.ndarray, dt: float | None, coeffs: Mapping, params: Mapping) -> Trajectory:
    n, n_frames = array.shape[:2]
    stack = [_checked(f"coeffs[{name!r}]", value, (n, *array.shape[3:])) for name, value in coeffs.items()]
    columns = [_checked(f"params[{name!r}]", value, (n,)) for name, value in params.items()]
    return Trajectory(
        u=torch.from_numpy(np.array(array, dtype=np.float32)),
        t=(torch.arange(n_frames, dtype=torch.float64) * (dt or 0.0)).expand(n, n_frames).clone(),
        coeffs=torch.stack(stack, 1) if stack else None,
        params=torch.stack(columns, 1) if columns else None,
        index=torch.arange(n),
    )


def _checked(name: str, value: Any, shape: tuple[int, ...]) -> torch.Tensor:
    array = np.asarray(value, dtype=np.float32)
    if array.shape != shape:
        raise ValueError(f"expected {name} of shape {shape}, one entry for each trajectory, got {array.shape}")
    return torch.from_numpy(array)


def _split_off(problem: Problem, batch: Trajectory) -> tuple[tuple[Problem, Trajectory], tuple[Problem, Trajectory]]:
    n = len(batch)
    if n < 2:
        raise ValueError(f"expected at least 2 training trajectories to take validation from, got {n}; give valid=")
    n_train = n - max(1, n // 10)
    return (problem, batch.samples(slice(0, n_train))), (problem, batch.samples(slice(n_train, n)))


def _to_array(data: Any) -> tuple[np.ndarray, dict[str, Any]]:
    """The array "sample time channel *space" of what a user gives, and what its names say (xarray)."""
    dims = getattr(data, "dims", None)
    if dims is None:
        return _as_numpy(data), {}
    import xarray

    if isinstance(data, xarray.Dataset):
        fields = [Field(str(key), str(item.attrs.get("units", "1"))) for key, item in data.data_vars.items()]
        data = data.to_dataarray("field")
    else:
        fields = [Field(str(value)) for value in data.coords["field"].values] if "field" in data.coords else None
    expected = ("sample", "time", "field")
    space = [dim for dim in ("x", "y", "z") if dim in data.dims]
    if set(data.dims) != {*expected, *space}:
        raise ValueError(
            f"expected the dims sample, time, field (of a DataArray) and x, y, z as far as they apply, got "
            f"{data.dims}; rename or add them"
        )
    data = data.transpose(*expected, *space)
    found: dict[str, Any] = {"fields": fields}
    if "time" in data.coords and data.sizes["time"] > 1:
        found["dt"] = _spacing(data.coords["time"].values, "time")
    if space and all(dim in data.coords for dim in space):
        found["extent"] = tuple(_spacing(data.coords[dim].values, dim) * data.sizes[dim] for dim in space)
        found["origin"] = tuple(float(data.coords[dim].values[0]) for dim in space)
    return _as_numpy(data.values), found


def _spacing(values: np.ndarray, name: str) -> float:
    steps = np.diff(values.astype(float))
    if not np.allclose(steps, steps[0], rtol=1e-4) or not steps[0] > 0:
        raise ValueError(
            f"expected evenly spaced, increasing coordinates {name!r}, got steps {steps[:4]}; resample them"
        )
    return float(steps.mean())


def _as_numpy(data: Any) -> np.ndarray:
    array = np.asarray(data)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"expected an array of real numbers, got dtype {array.dtype}; split complex fields in two")
    if array.ndim < 3:
        raise ValueError(
            f'expected an array "sample time channel *space", got shape {array.shape}; add missing axes of length 1'
        )
    return array
