"""Coefficients, parameters and masks that are given next to the fields, sorted by split and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from pdekit.data.axes import TOLERANCE
from pdekit.data.given import real
from pdekit.fields import AXES, Field, Grid
from pdekit.plain import by_name

SPLITS = ("train", "valid", "test")
SINGLE = 1e-5  # rounding to float32 may take this share of a signal


def by_split(kind: str, given: Any, splits: list[str]) -> dict[str, dict[str, Any]]:
    """Inputs by split and name, of {split: {name: array}} or, with train only, {name: array}.

    Raises:
        ValueError: on inputs without names, unknown or absent splits, or names that differ between splits.
    """
    given = by_name(given, kind)
    if not given:
        return {split: {} for split in splits}
    nested = {key: isinstance(value, Mapping) for key, value in given.items()}
    if not any(nested.values()) and not set(given) & set(SPLITS):
        if splits != ["train"]:
            raise ValueError(
                f"expected {kind} by split for the splits {splits}, got the names {list(given)} only; give "
                f'{kind}={{"train": {{name: array}}, ...}}'
            )
        return {"train": dict(given)}
    wrong = [key for key in given if key not in splits or not nested[key]]
    missing = [split for split in splits if split not in given]
    if wrong or missing:
        raise ValueError(
            f"expected {kind} as {{split: {{name: array}}}} for the splits {splits}, got {list(given)}; correct "
            f"{wrong} and add {missing}"
        )
    names = {split: set(given[split]) for split in splits}
    if any(names[split] != names["train"] for split in splits):
        raise ValueError(f"expected {kind} of the same names in all splits, got {names}; add those that are missing")
    return {split: {name: given[split][name] for name in given["train"]} for split in splits}


def check_fields(fields: Sequence[str | Field] | None) -> None:
    """Raise ValueError if one name is given where a sequence of names is expected."""
    if isinstance(fields, str):
        raise ValueError(f"expected a sequence of names, got {fields!r}; write fields=[{fields!r}]")


def field_of(item: str | Field) -> Field:
    """Return the field of a name, without a unit; a field as it is."""
    return Field(item) if isinstance(item, str) else item


def unit_of(value: Any) -> str:
    """Return the unit that an input states of itself: the attribute "units" of an xarray object, else "1"."""
    return str(value.attrs.get("units", "1")) if isinstance(value, xr.DataArray) else "1"


def column(
    name: str, value: Any, shape: tuple[int, ...], grid: Grid | None = None, timed: bool = False
) -> torch.Tensor:
    """One input of shape ``shape``, finite; an xarray object is checked by its dims and coordinates.

    Args:
        name: name of the input in messages.
        value: array, tensor, path or xarray object.
        shape: "sample", "sample *space", or "sample time *space" if it is ``timed``.
        grid: grid of the fields, for an input in space.
        timed: whether it varies in time.

    Raises:
        ValueError: on another shape, other coordinates, masked values, NaN or Inf.
    """
    if isinstance(value, xr.DataArray):
        value = _ordered(name, value, grid, timed)
    array = real(value, name)
    if np.ma.isMaskedArray(array):
        if np.ma.getmaskarray(array).any():
            raise ValueError(f"expected values everywhere in {name}, found masked ones; fill them")
        array = array.data
    if array.shape != shape:
        raise ValueError(
            f"expected {name} of shape {shape}, one entry for each trajectory, got {array.shape}; correct it"
        )
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise ValueError(
            f"expected finite values in {name}, found {array[tuple(bad[0])]} in sample {bad[0][0]}; supply the value "
            "or remove the sample"
        )
    if timed:
        return torch.from_numpy(narrowed(array[:, :, None])[:, :, 0])
    return torch.from_numpy(narrowed(array[:, None])[:, 0])


def _ordered(name: str, value: xr.DataArray, grid: Grid | None, timed: bool) -> np.ndarray:
    axes = () if grid is None else grid.axes
    dims = ("sample", *(("time",) if timed else ()), *axes)
    if set(value.dims) != set(dims):
        raise ValueError(f"expected {name} with the dims {dims}, got {value.dims}; rename or add them")
    for i, axis in enumerate(axes):
        if axis in value.coords:
            found, expected = value.coords[axis].values, grid.coordinates(i).numpy()
            if len(found) != len(expected) or abs(found - expected).max() > TOLERANCE * grid.spacing[i]:
                raise ValueError(
                    f"expected {name} at the points of the fields, {expected[:2]}, ..., {expected[-1]:g} along "
                    f"{AXES[i]}, found {found[:2]}, ..., {found[-1]:g}; interpolate or sort it"
                )
    return value.transpose(*dims).values


def mask_array(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A mask "*space", "sample *space" or "sample channel *space" as truth values of shape ``shape``.

    Raises:
        ValueError: on another shape, or values other than 0 and 1.
    """
    array = real(value, "mask")
    n, _, *space = shape
    if array.shape == tuple(space):
        array = array[None, None]
    elif array.shape == (n, *space):
        array = array[:, None]
    elif array.shape != shape:
        raise ValueError(
            f"expected a mask of shape {tuple(space)}, {(n, *space)} or {shape}, got {array.shape}; give 1 "
            "where a field exists"
        )
    if not np.isin(array, (0, 1)).all():
        raise ValueError(
            "expected a mask of 0 and 1 (1 where a field exists), found other values; compare with a bound"
        )
    return np.broadcast_to(array > 0, shape)


def narrowed(array: np.ndarray, there: np.ndarray | None = None) -> np.ndarray:
    """Return float64 values in float32, where no channel changes by more than `SINGLE` of its deviation, nor of the
    deviation of its changes from frame to frame; else as they are.

    Args:
        array: "sample [time] channel *space".
        there: points that are no padding, "sample *space"; None for all.
    """
    if array.dtype == np.float32:
        return array
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    if not np.isfinite(single).all():
        return array
    axis = 2 if array.ndim > 2 else 1
    for channel in range(array.shape[axis]):
        exact = array.take(channel, axis)
        error = exact - single.take(channel, axis).astype(exact.dtype)
        signals = [_present(exact, there).std()]
        if axis == 2 and exact.shape[1] > 1:
            signals.append(_present(np.diff(exact, axis=1), there).std())
        largest = np.sqrt(np.square(_present(np.asarray(error), there)).mean())
        rounding = 1e-12 * abs(exact).max()
        if any(signal > rounding and largest > SINGLE * signal for signal in signals):
            return array
    return single


def _present(values: np.ndarray, there: np.ndarray | None) -> np.ndarray:
    """Values "sample time *space" at the points that are no padding."""
    return values if there is None else np.moveaxis(values, 1, -1)[there]
