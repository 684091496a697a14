"""Read one split from an xarray object: fields with names and units, coordinates and inputs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr

from pdekit.conventions import unpacked
from pdekit.data.given import Given, is_complex, pair, real, steady_mask
from pdekit.fields import AXES, Field

CHANNEL = ("field", "channel")


def is_xarray(data: Any) -> bool:
    """Return whether data are an object of xarray, whose axes have names."""
    return isinstance(data, (xr.Dataset, xr.DataArray))


def read_xarray(data: xr.Dataset | xr.DataArray, gaps: bool = False) -> Given:
    """The split in an xarray object.

    A Dataset has one variable for each field, dims (sample, time, x, y, z). Variables (sample, x, y, z) next to fields
    with a time axis are coefficients, and variables (sample) parameters. A DataArray has a dimension "field", or is one
    field. Points that are NaN in all frames are outside the mask; a warning says so. Dates become seconds after the
    first one. Attributes of the CF conventions that still stand are applied: fill values become NaN, packed
    values are unpacked, and counted times ("hours since ...") become dates.

    Args:
        data: the object.
        gaps: whether NaN is a value like others, that of a forecast that has diverged, and says nothing of a mask.

    Raises:
        ValueError: on other dimensions, duplicate names, or NaN that comes and goes.
    """
    data = unpacked(data)
    coeffs: dict[str, xr.DataArray] = {}
    forcing: dict[str, xr.DataArray] = {}
    params: dict[str, np.ndarray] = {}
    space = tuple(axis for axis in AXES if axis in data.dims)
    if isinstance(data, xr.DataArray) and is_complex(data.values) and not set(CHANNEL) & {*data.dims}:
        data = data.to_dataset(name=data.name or "u")
    if isinstance(data, xr.Dataset):
        parts = []
        for name, item in data.data_vars.items():
            if item.dims == ("sample",):
                params[str(name)] = real(item.values, str(name))
            elif set(item.dims) == {"sample", *space} and "time" in data.dims:
                coeffs[str(name)] = item
            elif item.attrs.get("role") == "forcing":  # as `pdekit.data.exports.named` writes it
                forcing[str(name)] = _ordered(item, space)
            else:
                parts += _parts(_ordered(item, space))
        if not parts:
            raise ValueError(
                f"expected variables (sample, time, {', '.join(space)}), found none in {list(data.data_vars)}; "
                "rename the dimensions"
            )
        fields: tuple[Field, ...] | None = tuple(_field(item) for item in parts)
        values = np.stack([real(item.values, str(item.name)) for item in parts], 2)
    else:
        values, fields = _of_array(data, space)
    known = all(axis in data.coords for axis in space)
    return Given(
        *((values, None) if gaps else _masked(values)),
        fields=fields,
        times=times_in(data),
        axes=tuple(real(data.coords[axis].values, axis) for axis in space) if known and space else None,
        layout=tuple(data.coords[axis].attrs.get("layout") if known else None for axis in space),
        coeffs=coeffs,
        params=params,
        forcing=forcing,
    )


def _of_array(data: xr.DataArray, space: tuple[str, ...]) -> tuple[np.ndarray, tuple[Field, ...] | None]:
    """Values "sample time channel *space" of a DataArray, and its fields if they have names."""
    channel = next((name for name in CHANNEL if name in data.dims), None)
    values = real(_ordered(data, space, channel).values)
    if channel is None:
        return values[:, :, None], None if data.name is None else (_field(data),)
    if channel not in data.coords:
        return values, None
    return values, tuple(Field(str(value)) for value in data.coords[channel].values)


def _parts(item: xr.DataArray) -> list[xr.DataArray]:
    """A real field, or the two parts of a complex one."""
    if not is_complex(item.values):
        return [item]
    names = [field.name for field in pair(str(item.name))]
    attrs = {key: value for key, value in item.attrs.items() if key != "vector"} | {"complex": str(item.name)}
    return [part.rename(name).assign_attrs(attrs) for name, part in zip(names, (item.real, item.imag), strict=True)]


def _field(item: xr.DataArray) -> Field:
    attrs = item.attrs
    return Field(str(item.name), str(attrs.get("units", "1")), attrs.get("vector"), attrs.get("complex"))


def _ordered(item: xr.DataArray, space: tuple[str, ...], channel: str | None = None) -> xr.DataArray:
    dims = ("sample", "time", *((channel,) if channel else ()), *space)
    if set(item.dims) != set(dims):
        raise ValueError(
            f"expected the dims sample, time, field (of a DataArray) and x, y, z as far as they apply, got "
            f"{item.dims}; rename or add them"
        )
    return item.transpose(*dims)


def _masked(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    there = ~np.isnan(values)
    if there.all():
        return values, None
    mask = steady_mask(there)
    warnings.warn(
        f"{int((~mask).sum())} points of {mask.size} are NaN in all frames and are taken as outside the mask; "
        "remove or fill them if the fields exist there",
        stacklevel=4,
    )
    return np.where(there, values, 0), mask


def times_in(data: xr.Dataset | xr.DataArray) -> np.ndarray | None:
    """Return the times "time" or "sample time" of the coordinates; dates become seconds after the first one."""
    name = next((name for name in ("time_of_sample", "time") if name in data.coords), None)
    if name is None:
        return None
    values = data.coords[name].values
    if values.dtype.kind == "M":
        values = values - values.min()
    if values.dtype.kind == "m":
        return values / np.timedelta64(1, "s")
    if values.dtype.kind == "O":
        raise ValueError(
            f"expected times as numbers or datetime64, got objects like {values.flat[0]!r}; convert them to seconds"
        )
    return real(values, name).astype(float)
