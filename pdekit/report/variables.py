"""Variables of the scores, classified by their dimensions and by the catalogue of measures.

A measure needs no line of its own in the report. Its dimensions say where it belongs:

- model, sample, time (and member, field): a *frame* measure, a curve in time and a row of a table;
- model, sample (and member, field): a *total*, a row of a table;
- one more dimension with numbers (wavenumber, frequency, share): a *profile*, a curve over that dimension;
- one more dimension with names (regions, terms, integrals): *parts*, a curve or a row for each of them.

What belongs to the reference has no dimension ``model`` and says whose it is: ``NAME_reference``, and ``NAME_floor``
for the error of the reference itself. Units and words are the attributes ``units`` and ``long_name``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from pdekit.metrics.catalogue import MEASURES
from pdekit.metrics.horizons import mean_where_defined, quantile
from pdekit.report.charts.formats import words

ORDINARY = {"model", "member", "sample", "time", "field"}
ELSEWHERE = {"rank", "batch"}
"""Dimensions of variables that have a chart of their own."""

POWERS = {2: "²", 3: "³"}
QUARTILES = (0.5, 0.25, 0.75)


@dataclass(frozen=True)
class Variable:
    """A variable of the scores.

    Args:
        name: name in the scores.
        title: title for display.
        unit: "1" if relative; of a field if it carries a power of the field's unit.
        extra: its dimension in addition to the ordinary ones, or None.
        named: whether the coordinates along that dimension are names.
        in_time, by_field: whether it has these dimensions.
        signed: whether it takes both signs, and so no logarithm.
        best: the value of a perfect forecast, None for a diagnostic.
        unit_power: power of the unit of a field that it carries; None if it is not a measure of the catalogue.
    """

    name: str
    title: str
    unit: str
    extra: str | None
    named: bool
    in_time: bool
    by_field: bool
    signed: bool
    best: float | None
    unit_power: int | None = None

    @property
    def over_fields(self) -> bool:
        """True if a mean over fields is meaningful: the numbers have no unit."""
        return self.by_field and self.unit == "1"


def with_one_extra(scores: xr.Dataset) -> xr.Dataset:
    """The scores with two dimensions of names next to the ordinary ones made one: "interior, equation 1"."""
    for name, data in list(scores.data_vars.items()):
        extra = [str(dim) for dim in data.dims if dim not in ORDINARY]
        if len(extra) != 2 or any(dim not in scores or scores[dim].dtype.kind not in "UOST" for dim in extra):
            continue
        both = "_".join(extra)
        stacked = data.stack({both: extra})
        names = [", ".join(map(str, pair)) for pair in stacked[both].values]
        scores[name] = stacked.drop_vars([both, *extra]).assign_coords({both: names})
    return scores


def variables(scores: xr.Dataset) -> list[Variable]:
    """All that were scored for models: those of the catalogue in its order, then the others in that of the file."""
    found = []
    for name, data in scores.data_vars.items():
        dims = set(map(str, data.dims))
        extra = sorted(dims - ORDINARY)
        if not {"model", "sample"} <= dims or len(extra) > 1 or dims & ELSEWHERE or data.dtype.kind != "f":
            continue
        measure, floor = MEASURES.get(str(name)), reference_of(scores, str(name), "floor")
        own = data.attrs if measure is None else {"perfect": measure.perfect, "unit_power": measure.unit_power}
        best, power = own.get("perfect"), own.get("unit_power")
        unit = str(data.attrs.get("units", "1"))
        found.append(
            Variable(
                str(name),
                _title(str(name), str(data.attrs.get("long_name", name))),
                "1" if power == 0 else unit,
                extra[0] if extra else None,
                bool(extra) and scores[extra[0]].dtype.kind in "UOST",
                "time" in dims,
                "field" in dims,
                bool((data.values < 0).any()) if data.size < 1e8 else False,
                0.0 if best is None and measure is None and floor is not None else _number(best),
                None if power is None else int(power),
            )
        )
    order = list(MEASURES)
    return sorted(found, key=lambda v: order.index(v.name) if v.name in MEASURES else len(order))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _title(name: str, said: str) -> str:
    """Title of a variable: its long name, or its name in words where the long name starts with the name."""
    return words(name) if said.startswith(name) else said


def of_field(variable: Variable, scores: xr.Dataset, field: str | None) -> Variable:
    """The variable with the unit that it has for one field."""
    if field is None or "unit" not in scores or variable.unit == "1":
        return variable
    unit = str(scores.unit.sel(field=field).values)
    if unit == "1":
        return replace(variable, unit="1")
    power = variable.unit_power
    if power is None:
        return variable if " " not in variable.unit else replace(variable, unit=unit)
    return replace(variable, unit=unit if power == 1 else f"({unit}){POWERS[power]}")


def fields_of(variable: Variable, scores: xr.Dataset) -> list[str | None]:
    """The fields for which a variable is shown: each one; None for what has no field, and for a mean over several."""
    if not variable.by_field:
        return [None]
    fields = [str(name) for name in scores.field.values]
    if len(fields) == 1:
        return list(fields)
    return [None, *fields] if variable.over_fields else list(fields)


def values_of(data: xr.DataArray, model: str | None = None, field: str | None = None) -> np.ndarray:
    """Values "forecast ...", forecasts being members and samples; without a field a mean over all. No members, no rows.

    The remaining dimensions are time and then the extra one.
    """
    if model is not None:
        data = data.sel(model=model)
    if field is not None and "field" in data.dims:
        data = data.sel(field=field)
    forecast = [dim for dim in ("member", "sample") if dim in data.dims]
    rest = [str(dim) for dim in data.dims if dim not in (*forecast, "time", "field")]
    order = [*forecast, *(["time"] if "time" in data.dims else []), *rest]
    fields = ["field"] if "field" in data.dims else []
    values = data.transpose(*order, *fields).values.astype(np.float64)
    if fields:
        values = mean_where_defined(values)
    values = values.reshape(-1, *values.shape[len(forecast) :]) if forecast else values[None]
    there = ~np.isnan(values.reshape(len(values), -1)).all(1)
    return values[there]


def quartiles(values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Median and quartiles over forecasts; NaN where there are none."""
    if not len(values):
        return tuple(np.full(values.shape[1:], np.nan) for _ in QUARTILES)
    return tuple(quantile(values, q) for q in QUARTILES)


def reference_of(scores: xr.Dataset, name: str, kind: str = "reference") -> xr.DataArray | None:
    """Return the value of the reference ("reference"), its own error ("floor") or the "scale" of a relative value.

    Of ``residual_norm`` it is ``residual_norm_floor`` or ``residual_floor``.
    """
    for stem in (name, name.rpartition("_")[0]):
        called = f"{stem}_{kind}"
        if stem and called in scores and "model" not in scores[called].dims:
            return scores[called]
    return None
