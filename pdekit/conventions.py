"""Attributes of xarray objects that say how their values are meant: the CF conventions, and units."""

from __future__ import annotations

import re
from typing import TypeVar

import xarray as xr

Named = TypeVar("Named", xr.Dataset, xr.DataArray)

UNAPPLIED = ("_FillValue", "missing_value", "scale_factor", "add_offset")
"""Attributes of the CF conventions that change values; xarray removes those that it has applied."""
POWER = re.compile(r"(\D*?[^\d+-])([+-]?\d+)?")
"""A symbol of a unit and its exponent."""


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


def same_unit(stated: str, unit: str) -> bool:
    """Return whether a stated unit is a known one, however it is written; "1" states none.

    Only the way of writing is understood ("m s-1", "m*s^-1", "m/s"): other units of one quantity are others.

    >>> same_unit("m s-1", "m/s"), same_unit("W m**-1 K**-1", "W/m/K"), same_unit("km/s", "m/s"), same_unit("1", "Pa")
    (True, True, False, True)
    """
    return stated in ("1", unit) or _powers(stated) == _powers(unit)


def _powers(unit: str) -> dict[str, int]:
    """Exponents of the symbols of a unit; what cannot be read so is a symbol of its own."""
    above, *below = re.sub(r"\*\*|\^", "", unit).replace("*", " ").split("/")
    found: dict[str, int] = {}
    for sign, part in [(1, above), *((-1, part) for part in below)]:
        for word in part.strip(" ()").split():
            symbol, power = POWER.fullmatch(word).groups() if POWER.fullmatch(word) else (word, "")
            found[symbol] = found.get(symbol, 0) + sign * int(power or 1)
    return {symbol: power for symbol, power in found.items() if power and symbol != "1"}


def check_unit(what: str, data: xr.DataArray, unit: str) -> None:
    """Check the unit that an array states, if it states one and another is known.

    Raises:
        ValueError: if they differ.
    """
    stated = str(data.attrs.get("units", "1"))
    if unit != "1" and not same_unit(stated, unit):
        raise ValueError(f"expected {what} in {unit!r}, found {stated!r}; convert it")
