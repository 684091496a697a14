"""A dataset of a user's own arrays: what they state of themselves is honoured, or contradicted with a sentence."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from pdekit.boundaries import Ends
from pdekit.data.axes import check_points, grid_of, times_of
from pdekit.data.from_xarray import read_xarray
from pdekit.data.given import Given, read_arrays
from pdekit.data.inputs import by_split, column, mask_of, narrowed
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
        ValueError: on a shape that is not the problem's, or NaN or Inf in fields, coeffs or params.
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
        for part in ("coeffs", "params", "t"):
            values = getattr(batch, part)
            if values is not None and not torch.isfinite(values).all():
                number = int((~torch.isfinite(values.flatten(1))).any(1).nonzero()[0])
                raise ValueError(
                    f"expected finite {part}, got NaN or Inf in trajectory {number}; supply the value or remove it"
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
    boundary: Sequence[Ends] = (),
    coeffs: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    mask: Any = None,
    pde: Any = None,
    folder: str | Path | None = None,
    name: str = "arrays",
    loading: Loading | None = None,
) -> DataModule:
    """A data module of arrays shaped "sample time channel *space".

    Args:
        train, valid, test: one of

            - NumPy arrays, tensors, or anything that NumPy converts; a masked array gives its mask;
            - the path of a ``.npy`` or ``.npz`` file (never pickled); several arrays of a ``.npz`` file,
              "sample time *space", are the fields;
            - xarray DataArrays with dims (sample, time, field, x, ...) in any order;
            - xarray Datasets with one variable for each field, dims (sample, time, x, ...); variables
              (sample, x, ...) are coefficients, variables (sample) parameters. Output of `pdekit.solve` is one.

            Coordinates give dt, extent and origin; options that contradict them are refused. Dates become seconds.
            Without ``valid`` the last tenth of train (at least one trajectory) is taken from it for validation;
            without ``test`` the validation trajectories are used for the test too, with a warning.
        dt: time between frames; may be left out for steady data (one frame).
        extent: lengths of the box.
        fields: names of the channels, or `Field`s with units and groups. Channels that have names are put in this
            order.
        layout: of each axis, see `Grid`; that of the coordinates' attribute "layout", else periodic.
        origin: lower corner of the box.
        boundary: (lower, upper) condition of each axis, values of `pdekit.boundaries` or their texts, as
            "dirichlet 2.5"; if empty, periodic or a wall, as the layout says.
        coeffs: for each split ("train", ...), arrays "sample *space" by name: inputs fixed in time. By name alone if
            only train is given.
        params: for each split, arrays "sample" by name: scalars. By name alone if only train is given.
        mask: 1 where a field exists: "*space", "sample *space" or "sample channel *space"; by split if they differ.
        pde: the equation, for residuals and solver baselines.
        folder: where to write the dataset in pdekit's layout, in float32; in memory only if None.
        name: of the dataset.
        loading: batch sizes, workers, seed.

    Values in float64 become float32 where this changes no channel by more than 1e-5 of its deviation. Others stay in
    float64 until the normaliser has subtracted the mean.

    Raises:
        ValueError: on shapes, names, coordinates, masks or splits that do not fit, NaN or Inf; for ``folder``, if
            float32 does not hold the values.

    >>> waves = np.sin(np.linspace(0, 6, 9 * 5 * 1 * 16)).reshape(9, 5, 1, 16)
    >>> data = from_arrays(waves[:7], waves[7:8], waves[8:], dt=0.1, extent=(1.0,), fields=["u"])
    >>> data.problem.grid.shape, len(data.train), len(data.valid)
    ((16,), 28, 4)
    """
    found = {
        split: _read(data) for split, data in {"train": train, "valid": valid, "test": test}.items() if data is not None
    }
    splits = list(found)
    channels = _channels(found["train"], fields)
    found = {split: _in_order(split, given, channels) for split, given in found.items()}
    grid = _grid(found, extent, origin, tuple(layout or ()), boundary)
    inputs, scalars = by_split("coeffs", coeffs, splits), by_split("params", params, splits)
    masks = dict(mask) if isinstance(mask, Mapping) else dict.fromkeys(splits, mask)
    if set(masks) - set(splits):
        raise ValueError(f"expected a mask for splits among {splits}, got {list(masks)}; correct mask=")
    found = {
        split: _with_inputs(given, inputs[split], scalars[split], masks.get(split)) for split, given in found.items()
    }
    batches = _batches(found, grid, channels, dt, (tuple(boundary), pde))
    if "valid" not in batches:
        batches["train"], batches["valid"] = _split_off(*batches["train"])
    if "test" not in batches:
        warnings.warn(
            "no test split was given: the validation trajectories are the test, too, and its scores are optimistic; "
            "give test=",
            stacklevel=2,
        )
        batches["test"] = batches["valid"]
    sources = {split: Arrays(*pair) for split, pair in batches.items()}
    if folder is None:
        return DataModule(sources["train"], sources["valid"], sources["test"], loading)
    for split, (problem, batch) in batches.items():
        if batch.u.dtype != torch.float32:
            raise ValueError(
                f"expected values that float32 holds for folder=, found a {split} split whose deviation is below 1e5 "
                "roundings; subtract the offset, or leave folder= out"
            )
        write_split(Path(folder) / "data" / split / f"{name}.hdf5", problem, batch, name)
    return DataModule.from_folder(folder, loading)


def _read(data: Any) -> Given:
    return read_xarray(data) if isinstance(data, (xr.Dataset, xr.DataArray)) else read_arrays(data)


def _channels(train: Given, fields: Sequence[str | Field] | None) -> tuple[Field, ...]:
    """The channels: those asked for, with what the arrays state of them, else those of the arrays."""
    if isinstance(fields, str):
        raise ValueError(f"expected a sequence of names, got {fields!r}; write fields=[{fields!r}]")
    stated = {item.name: item for item in train.fields or ()}
    if fields is None:
        chosen = train.fields or tuple(Field(f"u{i}") for i in range(train.values.shape[2]))
    else:
        chosen = tuple(stated.get(item, Field(item)) if isinstance(item, str) else item for item in fields)
    names = [item.name for item in chosen]
    if len(set(names)) < len(names):
        raise ValueError(f"expected each field once, got {names}; rename the duplicates")
    return tuple(chosen)


def _in_order(split: str, given: Given, channels: Sequence[Field]) -> Given:
    """The split with its channels in the order of ``channels``; without names they are believed to be."""
    if given.fields is None:
        return given
    found, wanted = [item.name for item in given.fields], [item.name for item in channels]
    if sorted(found) != sorted(wanted):
        raise ValueError(
            f"expected the fields {wanted} in the {split} split, found {found}; rename, add or remove some"
        )
    units = {item.name: item.unit for item in given.fields}
    for item in channels:
        if units[item.name] not in ("1", item.unit):
            raise ValueError(
                f"expected {item.name} in {item.unit!r} in the {split} split, found {units[item.name]!r}; convert it"
            )
    order = [found.index(name) for name in wanted]
    return dataclasses.replace(
        given,
        values=given.values[:, :, order],
        mask=None if given.mask is None else given.mask[:, order],
        fields=tuple(channels),
    )


def _grid(
    found: Mapping[str, Given],
    extent: Sequence[float] | None,
    origin: Sequence[float],
    layout: tuple[str, ...],
    boundary: Sequence[Ends],
) -> Grid:
    """The grid of train, on which the other splits must lie."""
    train = found["train"]
    n_axes = train.values.ndim - 3
    if extent is not None and n_axes != len(extent):
        raise ValueError(
            f'expected arrays "sample time channel *space" with {len(extent)} spatial axes for extent {tuple(extent)}, '
            f"got shape {train.values.shape}; add missing axes of length 1 (one field: array[:, :, None])"
        )
    grid = grid_of(train, extent, origin, layout, boundary)
    for split, given in found.items():
        if given.axes is not None and grid.shape == given.values.shape[3:]:
            try:
                check_points(grid, given.axes)
            except ValueError as error:
                raise ValueError(f"in the {split} split: {error}") from None
    return grid


def _with_inputs(given: Given, coeffs: Mapping[str, Any], params: Mapping[str, Any], mask: Any) -> Given:
    """The split with the inputs and the mask given as options, next to those that it has itself."""
    twice = (set(coeffs) & set(given.coeffs)) | (set(params) & set(given.params))
    if twice or (mask is not None and given.mask is not None):
        raise ValueError(f"expected each input once, got {sorted(twice) or 'a mask'} in the data and as an option")
    given = dataclasses.replace(given, coeffs={**given.coeffs, **coeffs}, params={**given.params, **params})
    if mask is None:
        return given
    n, _, *rest = given.values.shape
    there = mask_of(mask, (n, *rest))
    return dataclasses.replace(given, mask=there, values=np.where(there[:, None], given.values, 0))


def _batches(
    found: Mapping[str, Given],
    grid: Grid,
    channels: tuple[Field, ...],
    dt: float | None,
    further: tuple[tuple[tuple[str, str], ...], Any],
) -> dict[str, tuple[Problem, Trajectory]]:
    """Problem and trajectories of each split; ``further`` holds boundary and equation."""
    boundary, pde = further
    times = {split: times_of(given, dt) for split, given in found.items()}
    nominal, vary = times["train"][0], any(steps is not None for _, _, steps in times.values())
    for split, (step, _, _) in times.items():
        given_steps = found[split].values.shape[1] > 1 and not vary
        if given_steps and step is not None and nominal is not None and abs(step - nominal) > 1e-3 * nominal:
            raise ValueError(
                f"expected frames dt = {nominal:g} apart in the {split} split as in train, found {step:g}; "
                "give splits of one time step, or steps as the param dt"
            )
    masked = any(given.mask is not None for given in found.values())
    batches = {}
    for split, given in found.items():
        scalars = dict(given.params)
        if vary and "dt" not in scalars:
            step, _, steps = times[split]
            scalars["dt"] = np.full(len(given.values), step) if steps is None else steps
        order = list(found["train"].params) + ["dt"] * (vary and "dt" not in found["train"].params)
        if set(scalars) != set(order) or set(given.coeffs) != set(found["train"].coeffs):
            raise ValueError(
                f"expected coeffs {list(found['train'].coeffs)} and params {order} in the {split} split, as in train, "
                f"found {list(given.coeffs)} and {list(scalars)}; give the same inputs"
            )
        names = [item.name for item in channels] + list(given.coeffs) + order
        if len(set(names)) < len(names):
            raise ValueError(f"expected each name once among fields, coeffs and params, got {names}; rename some")
        problem = Problem(
            grid,
            channels,
            nominal,
            given.values.shape[1],
            boundary=boundary,
            coeffs=tuple(Field(key) for key in found["train"].coeffs),
            params=tuple(order),
            pde=pde,
            has_mask=masked,
        )
        scalars = {key: scalars[key] for key in order}
        inputs = {key: given.coeffs[key] for key in found["train"].coeffs}
        given = dataclasses.replace(given, coeffs=inputs, params=scalars)
        batches[split] = (problem, _to_batch(given, grid, times[split][1], masked))
    return batches


def _to_batch(given: Given, grid: Grid, times: np.ndarray, masked: bool) -> Trajectory:
    n, space = len(given.values), given.values.shape[3:]
    stack = [column(f"coeffs[{key!r}]", value, (n, *space), grid) for key, value in given.coeffs.items()]
    columns = [column(f"params[{key!r}]", value, (n,)) for key, value in given.params.items()]
    mask = None
    if masked:
        shape = (n, *given.values.shape[2:])
        mask = torch.from_numpy(np.broadcast_to(1 if given.mask is None else given.mask, shape).astype(np.float32))
    return Trajectory(
        u=torch.from_numpy(np.ascontiguousarray(narrowed(given.values))),
        t=torch.from_numpy(np.array(times, dtype=np.float64)),
        coeffs=_stacked(stack),
        mask=mask,
        params=_stacked(columns),
        index=torch.arange(n),
    )


def _stacked(parts: list[torch.Tensor]) -> torch.Tensor | None:
    """Parts as channels, in the widest of their precisions."""
    if not parts:
        return None
    wide = any(part.dtype == torch.float64 for part in parts)
    return torch.stack([part.double() if wide else part for part in parts], 1)


def _split_off(problem: Problem, batch: Trajectory) -> tuple[tuple[Problem, Trajectory], tuple[Problem, Trajectory]]:
    n = len(batch)
    if n < 2:
        raise ValueError(f"expected at least 2 training trajectories to take validation from, got {n}; give valid=")
    n_train = n - max(1, n // 10)
    return (problem, batch.samples(slice(0, n_train))), (problem, batch.samples(slice(n_train, n)))
