"""The edge where tensors get names: arrays of pdekit as xarray datasets. The way back is `pdekit.given`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import xarray as xr
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import AXES, Field, Problem


def to_dataset(
    u: Tensor,
    t: Tensor,
    problem: Problem,
    leading: Sequence[str] = ("sample",),
    points: Float[Tensor, "point dim"] | None = None,
) -> xr.Dataset:
    """Fields with their names, units and coordinates.

    Args:
        u: "*leading time channel *space", in physical units.
        t: "time", or "sample time" where steps differ.
        problem: names the channels and axes.
        leading: names of the dimensions before time, e.g. ("member", "sample").
        points: coordinates of the points, of a problem on points.

    Returns:
        One variable for each field with the dimensions (*leading, "time", "x", "y", "z"), on points (*leading, "time",
        "point") with coordinates x, y, z of the points; axes carry the
        problem's coordinates (nominal where box lengths vary) and their layout as an attribute.
    """
    axes = problem.grid.dims
    dims = (*leading, "time", *axes)
    values = u.detach().cpu().numpy()
    if values.ndim != len(dims) + 1:
        raise ValueError(
            f"expected u with the dimensions {(*leading, 'time', 'channel', *axes)}, got {values.shape}; "
            "add the missing dimensions"
        )
    coords: dict[str, Any] = {
        a: (a, problem.grid.coordinates(i).numpy(), {"axis": a.upper(), "layout": problem.grid.layout[i]})
        for i, a in enumerate(axes if problem.grid.uniform else ())
    }
    if points is not None:
        coords |= {letter: ("point", column.numpy()) for letter, column in zip(AXES, points.T, strict=False)}
    times = t.detach().cpu().double().numpy()
    if times.ndim == 1 or (times == times[:1]).all():
        coords["time"] = ("time", times.reshape(-1, times.shape[-1])[0])
    else:
        coords["time_of_sample"] = (("sample", "time"), times)
    channel = len(leading) + 1
    return xr.Dataset(
        {
            field.name: (dims, values.take(i, axis=channel), attributes_of(field))
            for i, field in enumerate(problem.fields)
        },
        coords=coords,
    )


def attributes_of(field: Field) -> dict[str, str]:
    """Return unit, name, and the group that the component belongs to, if any."""
    groups = {key: value for key, value in (("vector", field.vector), ("complex", field.complex)) if value}
    return {"units": field.unit, "long_name": field.name, **groups}
