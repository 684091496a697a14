"""The edge where tensors get names: arrays of pdekit as xarray datasets, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from pdekit.fields import Problem


def to_dataset(u: Tensor, t: Tensor, problem: Problem, leading: Sequence[str] = ("sample",)) -> xr.Dataset:
    """Fields with their names, units and coordinates.

    Args:
        u: "*leading time channel *space", in physical units.
        t: "time", or "sample time" where steps differ.
        problem: names the channels and axes.
        leading: names of the dimensions before time, e.g. ("member", "sample").

    Returns:
        One variable for each field with the dimensions (*leading, "time", "x", "y", "z"); axes carry the
        problem's coordinates (nominal where box lengths vary).
    """
    axes = problem.grid.axes
    dims = (*leading, "time", *axes)
    values = u.detach().cpu().numpy()
    if values.ndim != len(dims) + 1:
        raise ValueError(f"expected u with the dimensions {(*leading, 'time', 'channel', *axes)}, got {values.shape}")
    coords = {a: (a, problem.grid.coordinates(i).numpy(), {"axis": a.upper()}) for i, a in enumerate(axes)}
    times = t.detach().cpu().double().numpy()
    if times.ndim == 1 or (times == times[:1]).all():
        coords["time"] = ("time", times.reshape(-1, times.shape[-1])[0])
    else:
        coords["time_of_sample"] = (("sample", "time"), times)
    channel = len(leading) + 1
    return xr.Dataset(
        {
            field.name: (dims, values.take(i, axis=channel), {"units": field.unit, "long_name": field.name})
            for i, field in enumerate(problem.fields)
        },
        coords=coords,
    )


def to_tensor(data: xr.Dataset | xr.DataArray | np.ndarray | Tensor, problem: Problem) -> Tensor:
    """The channels of a dataset (by name), or an array that has them already, as "... channel *space".

    Names are believed: axes of xarray objects may come in any order, and an array of the problem's only field needs no
    axis for it. Without names only "*space" alone can be told apart.

    Raises:
        ValueError: a missing field or axis, or a shape that is not the problem's grid.
    """
    shape, names = problem.grid.shape, [f.name for f in problem.fields]
    n = len(shape)
    if isinstance(data, (xr.Dataset, xr.DataArray)):
        absent = [axis for axis in problem.grid.axes if axis not in data.dims]
        if absent:
            raise ValueError(f"expected the axes {problem.grid.axes}, found {tuple(data.dims)}; add or rename {absent}")
        data = data.transpose(..., *problem.grid.axes)
    if isinstance(data, xr.Dataset):
        missing = [name for name in names if name not in data]
        if missing:
            raise ValueError(f"expected the fields {names}, found {list(data.data_vars)}; add {missing}")
        values = np.stack([data[name].values for name in names], axis=-1 - n)
    elif isinstance(data, xr.DataArray):
        alone = len(names) == 1 and not {"channel", "field"} & set(data.dims)
        values = np.expand_dims(data.values, data.ndim - n) if alone else data.values
    else:
        values = data.detach().cpu().numpy() if isinstance(data, Tensor) else np.asarray(data)
        values = values[None] if values.ndim == n and len(names) == 1 else values
    if values.ndim <= n or values.shape[values.ndim - n :] != shape or values.shape[-1 - n] != len(names):
        raise ValueError(
            f"expected an array that ends in {(len(names), *shape)} (channels {names}, then space), got "
            f"{values.shape}; put the channel axis before the spatial axes"
        )
    return torch.from_numpy(np.ascontiguousarray(values))
