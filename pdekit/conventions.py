"""Attributes of xarray objects that say how their values are meant: the CF conventions, and units."""

from __future__ import annotations

from typing import TypeVar

import xarray as xr

Named = TypeVar("Named", xr.Dataset, xr.DataArray)

UNAPPLIED = ("_FillValue", "missing_value", "scale_factor", "add_offset")
"""Attributes of the CF conventions that change values; xarray removes those that it has applied."""


def unpacked(data: Named) -> Named:
    """Return data with the attributes of the CF conventions applied, as `xarray.open_dataset` does by default.

    Fill values become NaN, packed values are unpacked, and counted times ("hours since ...") become dates.

    >>> unpacked(xr.DataArray([1, -9], dims="x", attrs={"_FillValue": -9})).values.tolist()
    [1.0, nan]
    """
    variables = [*data.coords.values(), *(data.data_vars.values() if isinstance(data, xr.Dataset) else [data])]
    if not any(set(UNAPPLIED) & set(item.attrs) or " since " in str(item.attrs.get("units")) for item in variables):
        return data
    if isinstance(data, xr.Dataset):
        return xr.decode_cf(data, decode_timedelta=False)
    named = xr.decode_cf(data.to_dataset(name="values"), decode_timedelta=False)["values"]
    return named.rename(data.name)


def check_unit(what: str, data: xr.DataArray, unit: str) -> None:
    """Check the unit that an array states, if it states one and another is known.

    Raises:
        ValueError: if they differ.
    """
    stated = str(data.attrs.get("units", "1"))
    if stated not in ("1", unit) and unit != "1":
        raise ValueError(f"expected {what} in {unit!r}, found {stated!r}; convert it")
