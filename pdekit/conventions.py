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
    named = data if isinstance(data, xr.Dataset) else data.to_dataset(name="values")
    attributes = [item.attrs for item in named.variables.values()]
    if not any(set(UNAPPLIED) & set(attrs) or " since " in str(attrs.get("units")) for attrs in attributes):
        return data
    decoded = xr.decode_cf(named, decode_timedelta=False)
    return decoded if named is data else decoded["values"].rename(data.name)


def check_unit(what: str, data: xr.DataArray, unit: str) -> None:
    """Check the unit that an array states, if it states one and another is known.

    Raises:
        ValueError: if they differ.
    """
    stated = str(data.attrs.get("units", "1"))
    if stated not in ("1", unit) and unit != "1":
        raise ValueError(f"expected {what} in {unit!r}, found {stated!r}; convert it")
