"""The splits of a user's arrays, put together: channels, grid, inputs and times must agree."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from pdekit.conventions import same_unit
from pdekit.data.axes import check_points, grid_of, times_of
from pdekit.data.description import Description
from pdekit.data.from_xarray import is_xarray, read_xarray
from pdekit.data.given import Given, pair, read_split
from pdekit.data.inputs import by_split, check_fields, column, field_of, mask_array, narrowed, unit_of
from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.plain import for_each_name

FEW_POINTS = 5
"""A last axis of fewer points than this, and than there are channels, may be the axis of channels."""


def batches_of(
    data: Mapping[str, Any], about: Description, exact: bool = False
) -> dict[str, tuple[Problem, Trajectory]]:
    """Return problem and trajectories of each split.

    Args:
        data: arrays, paths or xarray objects by split; "train" is one of them.
        about: description of what the data do not state themselves.
        exact: whether float64 fields stay in float64 even where float32 would do.

    Raises:
        ValueError: on shapes, names, coordinates, masks or inputs that do not fit.
    """
    found = {split: _read(part) for split, part in data.items()}
    splits = list(found)
    for split, given in found.items():
        if 0 in given.values.shape:
            raise ValueError(
                f"expected values in the {split} split, got the shape {given.values.shape}; leave out an empty split"
            )
    channels = _channels(found["train"], about.fields)
    found = {split: in_order(f"the {split} split", given, channels) for split, given in found.items()}
    grid = _grid(found, about)
    kinds = ("coeffs", "params", "forcing")
    inputs = {kind: by_split(kind, getattr(about, kind), splits) for kind in kinds}
    masks = for_each_name(about.mask, splits)
    if set(masks) - set(splits):
        raise ValueError(f"expected a mask for splits among {splits}, got {list(masks)}; correct mask=")
    found = {
        split: _with_inputs(given, {kind: inputs[kind][split] for kind in kinds}, masks.get(split))
        for split, given in found.items()
    }
    return _batches(found, grid, channels, about, exact)


def _read(data: Any) -> Given:
    return read_xarray(data) if is_xarray(data) else read_split(data)


def _channels(train: Given, fields: Sequence[str | Field] | None) -> tuple[Field, ...]:
    """The channels: those asked for, with what the arrays state of them, else those of the arrays."""
    check_fields(fields)
    n_channels = train.values.shape[2]
    if train.pairs and (fields is None or 2 * len(fields) == n_channels):
        named = fields or [f"u{i}" for i in range(n_channels // 2)]
        fields = [part for item in map(field_of, named) for part in pair(item.name, item.unit)]
    stated: dict[Any, Field] = {item.name: item for item in train.fields or ()}
    if fields is None:
        chosen = train.fields or tuple(Field(f"u{i}") for i in range(n_channels))
    else:
        chosen = tuple(stated.get(item) or field_of(item) for item in fields)
    names = [item.name for item in chosen]
    if len(set(names)) < len(names):
        raise ValueError(f"expected each field once, got {names}; rename the duplicates")
    if train.fields is None:
        _check_axis_of_channels(train.values.shape, names, stated=fields is not None)
    return tuple(chosen)


def _check_axis_of_channels(shape: Sequence[int], names: Sequence[str], stated: bool) -> None:
    """Raise ValueError if the channels are not those that are named; warn if they seem to come last, without names."""
    last = shape[-1]
    if len(names) != shape[2]:
        remedy = "they seem to come last: give np.moveaxis(array, -1, 2)" if last == len(names) else "name each channel"
        raise ValueError(
            f'expected the {len(names)} channels {names} in an array "sample time channel *space", found {shape[2]} '
            f"in the shape {tuple(shape)}; {remedy}"
        )
    if not stated and last < min(shape[2], FEW_POINTS):
        warnings.warn(
            f'arrays are "sample time channel *space": the shape {tuple(shape)} has {shape[2]} channels and {last} '
            "points along the last axis; if the channels come last, give np.moveaxis(array, -1, 2), else name the "
            "channels by fields=",
            stacklevel=5,
        )


def in_order(where: str, given: Given, channels: Sequence[Field]) -> Given:
    """The split with its channels in the order of ``channels``; without names they are believed to be."""
    if given.fields is None:
        return given
    found, wanted = [item.name for item in given.fields], [item.name for item in channels]
    if sorted(found) != sorted(wanted):
        raise ValueError(f"expected the fields {wanted} in {where}, found {found}; rename, add or remove some")
    units = {item.name: item.unit for item in given.fields}
    for item in channels:
        if not same_unit(units[item.name], item.unit):
            raise ValueError(
                f"expected {item.name} in {item.unit!r} in {where}, found {units[item.name]!r}; convert it"
            )
    order = [found.index(name) for name in wanted]
    return dataclasses.replace(
        given,
        values=given.values[:, :, order],
        mask=None if given.mask is None else given.mask[:, order],
        fields=tuple(channels),
    )


def _grid(found: Mapping[str, Given], about: Description) -> Grid:
    """The grid of train, on which the other splits must lie."""
    train, extent = found["train"], about.extent
    n_axes = train.values.ndim - 3
    if extent is not None and n_axes != len(extent):
        raise ValueError(
            f'expected arrays "sample time channel *space" with {len(extent)} spatial axes for extent {tuple(extent)}, '
            f"got shape {train.values.shape}; add missing axes of length 1 (one field: array[:, :, None])"
        )
    grid = grid_of(train, extent, about.origin, tuple(about.layout or ()), about.boundary)
    for split, given in found.items():
        if given.axes is not None and grid.shape == given.values.shape[3:]:
            try:
                check_points(grid, given.axes)
            except ValueError as error:
                raise ValueError(f"in the {split} split: {error}") from None
    return grid


def _with_inputs(given: Given, options: Mapping[str, Mapping[str, Any]], mask: Any) -> Given:
    """The split with the inputs and the mask given as options, next to those that it has itself."""
    own = {"coeffs": given.coeffs, "params": given.params, "forcing": given.forcing}
    twice = {name for kind, inputs in options.items() for name in set(inputs) & set(own[kind])}
    if twice or (mask is not None and given.mask is not None):
        raise ValueError(
            f"expected each input once, got {sorted(twice) or 'a mask'} in the data and as an option; "
            "leave out one of the two"
        )
    merged = {kind: {**own[kind], **inputs} for kind, inputs in options.items()}
    given = dataclasses.replace(given, coeffs=merged["coeffs"], params=merged["params"], forcing=merged["forcing"])
    if mask is None:
        return given
    n, _, *rest = given.values.shape
    there = mask_array(mask, (n, *rest))
    return dataclasses.replace(given, mask=there, values=np.where(there[:, None], given.values, 0))


def _batches(
    found: Mapping[str, Given],
    grid: Grid,
    channels: tuple[Field, ...],
    about: Description,
    exact: bool,
) -> dict[str, tuple[Problem, Trajectory]]:
    """Problem and trajectories of each split."""
    times = {split: times_of(given, about.dt) for split, given in found.items()}
    nominal, vary = times["train"][0], any(steps is not None for _, _, steps in times.values())
    if not vary:
        _check_steps(found, {split: step for split, (step, _, _) in times.items()})
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
        problem = Problem(
            grid,
            channels,
            nominal,
            given.values.shape[1],
            boundary=tuple(about.boundary),
            coeffs=_input_fields("coeffs", found),
            forcing=_input_fields("forcing", found),
            params=tuple(order),
            pde=about.pde,
            has_mask=masked,
        )
        scalars = {key: scalars[key] for key in order}
        inputs = {key: given.coeffs[key] for key in found["train"].coeffs}
        given = dataclasses.replace(given, coeffs=inputs, params=scalars)
        batches[split] = (problem, _to_batch(given, grid, times[split][1], masked, exact))
    return batches


def _check_steps(found: Mapping[str, Given], steps: Mapping[str, float | None]) -> None:
    """Raise ValueError if frames of a split are not as far apart as those of train."""
    nominal = steps["train"]
    for split, step in steps.items():
        if step is None or nominal is None or found[split].values.shape[1] == 1:
            continue
        if abs(step - nominal) > 1e-3 * nominal:
            raise ValueError(
                f"expected frames dt = {nominal:g} apart in the {split} split as in train, found {step:g}; "
                "give splits of one time step, or steps as the param dt"
            )


def _input_fields(kind: str, found: Mapping[str, Given]) -> tuple[Field, ...]:
    """The coeffs or the forcing of train with their units, in which those of the other splits must be."""
    inputs = {split: {"coeffs": given.coeffs, "forcing": given.forcing}[kind] for split, given in found.items()}
    units = {split: {key: unit_of(value) for key, value in part.items()} for split, part in inputs.items()}
    for split, known in units.items():
        for key, unit in known.items():
            if not same_unit(unit, units["train"][key]):
                raise ValueError(
                    f"expected {key} in {units['train'][key]!r} in the {split} split, found {unit!r}; convert it"
                )
    return tuple(Field(key, unit) for key, unit in units["train"].items())


def _to_batch(given: Given, grid: Grid, times: np.ndarray, masked: bool, exact: bool) -> Trajectory:
    n, space = len(given.values), given.values.shape[3:]
    stack = [column(f"coeffs[{key!r}]", value, (n, *space), grid) for key, value in given.coeffs.items()]
    frames = (n, given.values.shape[1], *space)
    forced = [column(f"forcing[{key!r}]", value, frames, grid, timed=True) for key, value in given.forcing.items()]
    columns = [column(f"params[{key!r}]", value, (n,)) for key, value in given.params.items()]
    mask = None
    if masked:
        shape = (n, *given.values.shape[2:])
        mask = torch.from_numpy(np.broadcast_to(1 if given.mask is None else given.mask, shape).astype(np.float32))
    return Trajectory(
        u=torch.from_numpy(np.ascontiguousarray(given.values if exact else narrowed(given.values))),
        t=torch.from_numpy(np.array(times, dtype=np.float64)),
        coeffs=_stacked(stack),
        forcing=_stacked(forced, 2),
        mask=mask,
        params=_stacked(columns),
        index=torch.arange(n),
    )


def _stacked(parts: list[torch.Tensor], axis: int = 1) -> torch.Tensor | None:
    """Parts as channels along an axis, in the widest of their precisions."""
    if not parts:
        return None
    wide = any(part.dtype == torch.float64 for part in parts)
    return torch.stack([part.double() if wide else part for part in parts], axis)
