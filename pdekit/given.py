"""Input of a user to `Run.forecast` and `pdekit.solve`, checked: real numbers, names, dimensions, coordinates."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from pdekit.conventions import check_unit, unpacked
from pdekit.fields import Grid, Problem
from pdekit.plain import check_ranges

TOLERANCE = 1e-2  # of a spacing: coordinates may be rounded to float32
LARGEST = 2**33
"""Values that a forecast or a solution holds in memory at most: 64 GiB in double precision."""
ROUNDING = 1e-6  # of the ends of a range, whose values may be stored in single precision
CHANNEL = ("channel", "field")


def real_numbers(what: str, data: Any) -> Float[Tensor, "*any"]:
    """An array of any real type and byte order, a tensor (bfloat16 too), a list or a number, in float64.

    Raises:
        ValueError: on complex values, values that are no numbers, ragged lists, or masked values.
    """
    if isinstance(data, Tensor):
        data = data.detach().cpu()
        data = data if data.is_complex() else data.double()
    if np.ma.is_masked(data):
        raise ValueError(
            f"expected {what} without masked values, found some; fill them, or give mask=... where fields end"
        )
    try:
        values = np.asarray(data)
        kind = values.dtype.kind
        if kind in "cUSOMm":
            raise TypeError(f"values of type {values.dtype}")
        values = np.ascontiguousarray(values.astype(np.float64)).reshape(values.shape)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"expected real numbers in {what}, found {error}; give an array of floats (real and imaginary parts of a "
            "complex field are two fields)"
        ) from error
    return torch.from_numpy(values)


def arranged(what: str, data: xr.DataArray, problem: Problem, leading: Sequence[str]) -> xr.DataArray:
    """A named array with the dimensions (*leading as far as they exist, *space), axes in the direction of the grid.

    Args:
        what: it is, for messages.
        data: any order of dimensions; a descending axis is turned round.
        problem: whose box and axes are meant; the number of points is free.
        leading: dimensions that may stand before space.

    Raises:
        ValueError: on missing or unknown dimensions, and coordinates that are not points of the problem's box.
    """
    axes = problem.grid.axes
    absent = [axis for axis in axes if axis not in data.dims]
    if absent:
        raise ValueError(f"expected the axes {axes} in {what}, found {tuple(data.dims)}; add or rename {absent}")
    unknown = [str(name) for name in data.dims if name not in (*leading, *axes)]
    if unknown:
        raise ValueError(
            f"expected the dimensions {(*leading, *axes)} in {what}, found {tuple(data.dims)}; select an entry of "
            f"{unknown} with .isel, or rename it"
        )
    grid = problem.grid.resized([data.sizes[axis] for axis in axes])
    for number, axis in enumerate(axes):
        if axis in data.coords:
            data = _along(what, data, grid, number, varies=f"length_{axis}" in problem.params)
    return data.transpose(*(name for name in leading if name in data.dims), *axes)


def _along(what: str, data: xr.DataArray, grid: Grid, number: int, varies: bool) -> xr.DataArray:
    """The array with one axis ascending, if its coordinates are the points of the grid."""
    axis, expected = grid.axes[number], grid.coordinates(number).numpy()
    found = real_numbers(f"coordinate {axis} of {what}", data[axis].values).numpy()
    if len(found) > 1 and found[0] > found[-1]:
        data, found = data.isel({axis: slice(None, None, -1)}), found[::-1]
    if varies and len(found) > 1:  # the box is given by a parameter: only even spacing can be checked
        step = (found[-1] - found[0]) / (len(found) - 1)
        expected = found[0] + step * np.arange(len(found))
    allowed = TOLERANCE * float(grid.spacing[number])
    if not (np.abs(found - expected) <= allowed).all():
        raise ValueError(
            f"expected the {len(found)} coordinates {axis} of {what} evenly from {expected[0]:g} to {expected[-1]:g} "
            f"({grid.layout[number]}), the box of the problem, found {found[0]:g} to {found[-1]:g}"
            f"{'' if np.allclose(np.diff(found), np.diff(found)[:1], atol=allowed) else ', uneven'}; interpolate to "
            "these points"
        )
    return data


def state(u0: Any, problem: Problem, history: int = 1) -> Float[Tensor, "sample time channel *space"]:
    """A user's state, on any number of points of the problem's box.

    Args:
        u0: an array "channel *space", "sample channel *space" or "sample history channel *space" ("*space" alone of one
            field); a Dataset with one variable for each field; a DataArray with the dimensions sample, time, channel
            and the axes, in any order.
        problem: whose fields and box are meant.
        history: frames wanted.

    Raises:
        ValueError: if names, dimensions, coordinates or shapes do not fit, or a value is not a finite number.
    """
    u = _values_of(u0, problem)
    if not torch.isfinite(u).all():
        raise ValueError("expected a finite state u0, found NaN or Inf in it; fill or remove those values")
    if u.shape[1] != history:
        raise ValueError(
            f"expected u0 with {history} history frames (sample history channel *space), got shape {tuple(u.shape)}; "
            f"give the last {history} frames"
        )
    if history > 1:
        _check_times(u0, problem)
    return u


@singledispatch
def _values_of(u0: Any, problem: Problem) -> Tensor:
    """Return "sample time channel *space" of an array; of a Dataset or a DataArray by their names."""
    u = real_numbers("u0", u0)
    n, ndim = problem.n_channels, problem.ndim
    u = u[None] if u.ndim == ndim and n == 1 else u
    if 0 in u.shape:
        raise ValueError(
            f"expected at least one sample and one point in u0, got the shape {tuple(u.shape)}; give a state"
        )
    if not ndim < u.ndim <= ndim + 3 or u.shape[-1 - ndim] != n:
        raise ValueError(
            f"expected an array that ends in {(n, *problem.grid.shape)} (channels "
            f"{[f.name for f in problem.fields]}, then space), got {tuple(u.shape)}; put the channel axis before the "
            "spatial axes"
        )
    u = u[None] if u.ndim == ndim + 1 else u
    return u[:, None] if u.ndim == ndim + 2 else u


@_values_of.register(xr.Dataset)
def _of_variables(data: xr.Dataset, problem: Problem) -> Tensor:
    data = unpacked(data)
    names = [field.name for field in problem.fields]
    missing = [name for name in names if name not in data]
    if missing:
        raise ValueError(f"expected the fields {names}, found {list(data.data_vars)}; add {missing}")
    for field in problem.fields:
        check_unit(f"u0[{field.name!r}]", data[field.name], field.unit)
    return _stacked([arranged(f"u0[{name!r}]", data[name], problem, ("sample", "time")) for name in names])


@_values_of.register(xr.DataArray)
def _of_array(data: xr.DataArray, problem: Problem) -> Tensor:
    data = unpacked(data)
    for field in problem.fields:
        check_unit("u0", data, field.unit)
    names = [field.name for field in problem.fields]
    channel = next((name for name in CHANNEL if name in data.dims), None)
    if channel is None:
        if len(names) > 1 or data.name not in (None, *names):
            raise ValueError(
                f"expected the fields {names} in u0, found a DataArray named {data.name!r} without a dimension "
                "'channel'; give a Dataset with one variable for each field"
            )
        return _stacked([arranged("u0", data, problem, ("sample", "time"))])
    if data.sizes[channel] != len(names):
        raise ValueError(f"expected {len(names)} channels {names} in u0, found {data.sizes[channel]}; correct u0")
    if channel in data.coords and data[channel].dtype.kind in "UOS":
        found = [str(name) for name in data[channel].values]
        if sorted(found) != sorted(names):
            raise ValueError(f"expected the channels {names} in u0, found {found}; rename them")
        data = data.isel({channel: [found.index(name) for name in names]})
    return _stacked([arranged("u0", data.isel({channel: i}), problem, ("sample", "time")) for i in range(len(names))])


def _stacked(fields: Sequence[xr.DataArray]) -> Tensor:
    """Arrays of `arranged` as "sample time channel *space"; one without samples serves for all."""
    full = []
    for data in fields:
        values = real_numbers(f"u0[{data.name!r}]", data.values)
        for position, name in enumerate(("sample", "time")):
            values = values if name in data.dims else values.unsqueeze(position)
        full.append(values)
    shapes = {tuple(values.shape[1:]) for values in full}
    if len(shapes) > 1 or len({len(values) for values in full} - {1}) > 1:
        raise ValueError(f"expected fields of one shape in u0, found {[tuple(v.shape) for v in full]}; correct u0")
    n = max(len(values) for values in full)
    return torch.stack([values.expand(n, *values.shape[1:]) for values in full], 2)


@singledispatch
def _check_times(data: Any, problem: Problem) -> None:
    """Raise ValueError if history frames are not neighbours in time; an array does not state its times."""


@_check_times.register(xr.Dataset)
@_check_times.register(xr.DataArray)
def _check_stated_times(data: xr.Dataset | xr.DataArray, problem: Problem) -> None:
    if "time" not in data.coords or data["time"].ndim != 1 or "dt" in problem.params:
        return
    steps = np.diff(real_numbers("time of u0", data["time"].values).numpy())
    if not np.allclose(steps, problem.step, rtol=TOLERANCE):
        raise ValueError(
            f"expected frames of u0 at steps of dt = {problem.dt:g} in time, found steps {steps[:4].tolist()}; give "
            "neighbouring frames, the last one last"
        )


def input_field(name: str, data: Any, problem: Problem) -> Float[Tensor, "sample *space"]:
    """A coefficient on any number of points of the problem's box: "*space" or "sample *space", or a DataArray.

    Raises:
        ValueError: if dimensions, coordinates or the unit do not fit, or a value is not a finite number.
    """
    unit = next((field.unit for field in problem.coeffs if field.name == name), "1")
    return _on_points(f"coeffs[{name!r}]", data, problem, unit, (), "give one value for each point")


def forcing_field(name: str, data: Any, problem: Problem) -> Float[Tensor, "sample time *space"]:
    """A field that varies in time, on any number of points of the problem's box: "time *space" or "sample time *space".

    Raises:
        ValueError: if dimensions, coordinates or the unit do not fit, or a value is not a finite number.
    """
    unit = next((field.unit for field in problem.forcing if field.name == name), "1")
    return _on_points(f"forcing[{name!r}]", data, problem, unit, ("time",), "give one field for each time step")


def _on_points(what: str, data: Any, problem: Problem, unit: str, leading: tuple[str, ...], remedy: str) -> Tensor:
    """Return finite values "sample *leading *space"; samples may be absent."""
    if isinstance(data, xr.DataArray):
        data = unpacked(data)
        check_unit(what, data, unit)
        data = arranged(what, data, problem, ("sample", *leading)).values
    values, depth = real_numbers(what, data), problem.ndim + len(leading)
    if values.ndim not in (depth, depth + 1) or 0 in values.shape:
        shape = ", ".join(map(str, (*leading, *problem.grid.shape)))
        raise ValueError(
            f"expected {what} of shape ({shape}), or with samples before that, got {tuple(values.shape)}; {remedy}"
        )
    if not torch.isfinite(values).all():
        raise ValueError(f"expected finite values in {what}, found NaN or Inf; fill or remove them")
    single(what, values)
    return values[None] if values.ndim == depth else values


def single(what: str, values: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Finite values in single precision, in which models forecast.

    Raises:
        ValueError: if one is too large for it.
    """
    found = values.float()
    if not torch.isfinite(found).all():
        raise ValueError(
            f"expected values of at most {torch.finfo(torch.float32).max:.3g} in {what}, in which models forecast, got "
            f"{float(values.abs().max()):.3g}; give it in a larger unit"
        )
    return found


def scalar(what: str, value: Any) -> Float[Tensor, "sample"]:
    """A parameter: one finite number, or one for each sample.

    Raises:
        ValueError: on another shape, or a value that is not a finite number.
    """
    values = real_numbers(what, value)
    if values.ndim > 1 or not values.numel() or not torch.isfinite(values).all():
        raise ValueError(
            f"expected one finite number for {what}, or one for each sample, got shape {tuple(values.shape)} with "
            f"{int((~torch.isfinite(values)).sum())} values that are NaN or Inf; correct it"
        )
    return values.reshape(-1)


def remark_ranges(params: Mapping[str, Tensor], stated: Any) -> None:
    """Warn of each parameter with a value outside the range that it had in the training.

    Args:
        params: values by name.
        stated: smallest and largest value by name, as a run's configuration states them; a name may be missing.

    Raises:
        ValueError: if the configuration states something else.
    """
    ranges = check_ranges(stated or {}, "ranges of the run's configuration")
    for name, values in params.items():
        low, high = ranges.get(name, (-math.inf, math.inf))
        room = ROUNDING * max(abs(low), abs(high)) if name in ranges else 0.0
        outside = values[(values < low - room) | (values > high + room)]
        if outside.numel():
            warnings.warn(
                f"{name} = {float(outside[0]):g} is outside the values of the training, {low:g} to {high:g}: the model "
                "extrapolates",
                stacklevel=4,
            )


def check_device(device: str) -> None:
    """Check that torch can use a device.

    Raises:
        ValueError: if there is no such device.

    >>> check_device("cpu")
    """
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first = str(error).partition("\n")[0]
        raise ValueError(
            f"expected a device that torch can use, found device={device}: {first}; use device=cpu"
        ) from None


def check_size(what: str, *counts: int) -> None:
    """Check that so many values fit into memory, before any is made.

    Raises:
        ValueError: if their product is above `LARGEST`.

    >>> check_size("the forecast (member sample time channel *space)", 8, 2, 100, 1, 64)
    """
    if math.prod(counts) > LARGEST:
        raise ValueError(
            f"expected at most {LARGEST:.2g} values in {what}, asked for {' x '.join(map(str, counts))}; ask for fewer "
            "at a time, or write data to disk by python -m pdekit.generate"
        )


def times(t: Any) -> Float[Tensor, "time"]:
    """The times wanted.

    Raises:
        ValueError: if there are none, or one is not a finite number.
    """
    values = real_numbers("t", t)
    if values.ndim > 1 or not values.numel() or not torch.isfinite(values).all():
        raise ValueError(f"expected at least one time, a list of finite numbers, got t = {t!r}; give t=[...]")
    return values.reshape(-1)


def common_shape(parts: Mapping[str, Tensor], problem: Problem) -> tuple[int, ...]:
    """The number of points of each axis that all inputs share; the problem's if there is no input.

    Raises:
        ValueError: if they are on different grids.
    """
    shapes = {name: tuple(part.shape[part.ndim - problem.ndim :]) for name, part in parts.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"expected all inputs on one grid, found {shapes}; bring them to the same points")
    return next(iter(shapes.values()), problem.grid.shape)


def sample_count(sizes: Mapping[str, int]) -> int:
    """The number of samples; an input of one sample serves for all.

    Raises:
        ValueError: if two inputs have different numbers of samples above one.
    """
    if len({n for n in sizes.values() if n > 1}) > 1:
        raise ValueError(f"expected one number of samples, or 1, in all inputs, found {dict(sizes)}; correct them")
    return max(sizes.values(), default=1)


def known_mask(mask: Any, problem: Problem, shape: tuple[int, ...]) -> Float[Tensor, "sample field *space"]:
    """A user's mask on a grid of so many points.

    Raises:
        ValueError: on another shape.
    """
    values = real_numbers("mask", mask)
    ndim, n = problem.ndim, problem.n_channels
    trailing = tuple(values.shape[-ndim - 1 :]) if values.ndim > ndim else (n, *values.shape)
    if values.ndim > ndim + 2 or trailing != (n, *shape):
        raise ValueError(
            f"expected a mask of shape {shape}, {(n, *shape)} or with samples before that (sample field *space), got "
            f"{tuple(values.shape)}; give 1 where a field exists"
        )
    values = values.expand(n, *values.shape) if values.ndim == ndim else values
    return values if values.ndim == ndim + 2 else values[None]
