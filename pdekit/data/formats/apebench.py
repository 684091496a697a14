"""Arrays of APEBench (Koehler et al. 2024), as its scraper saves them:

    NAME.json        {"name": ..., "info": {num_spatial_dims, num_points, num_channels, ...}}
    NAME_train.npy   (sample, time, channel, *space), float32
    NAME_test.npy    the same, with more frames

Boxes are periodic. Scenarios that state their box and step (domain_extent and dt, "phy") have these; the others are
without dimensions: the box has length 1 and the step is 1. Linear scenarios of one order j ("diff_adv", "diff_diff")
have u_t = a sum_i d^j u / dx_i^j with a = gamma_j / (N^j 2^(j-1) D) for N points and D dimensions, which pdekit knows.
Decaying turbulence and Kolmogorov flow ("2d_phy_decay_turb", "2d_phy_kolm_flow") hold minus the vorticity of pdekit,
whose vortices turn the other way: they are read with the other sign, and the box of the Kolmogorov flow begins half a
wavelength of the force higher, where the forces agree.
Source: https://github.com/Ceyron/apebench (apebench/_scraper.py, apebench/_base_scenario.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from pathlib import Path
from typing import Any

import numpy as np

from pdekit.data.formats.array_files import ArrayFiles
from pdekit.data.formats.blocks import Block, Blocked
from pdekit.data.formats.contract import Format, read_plain
from pdekit.data.formats.equations import equation
from pdekit.data.hdf5 import FileFault
from pdekit.fields import Equation, Field, Grid, Problem
from pdekit.plain import is_list_of, is_number, mapping_or_empty

LARGEST = 1 << 20  # bytes of a description
FLOWS = ("2d_phy_decay_turb", "2d_phy_kolm_flow")
LINEAR = ("diff_adv", "diff_diff", "diff_linear_1", "diff_linear_2")
SIZES = {"num_spatial_dims", "num_points"}


def _description(path: Path) -> Mapping[str, Any] | None:
    """Return the content of a JSON file that describes a scenario; None for another file."""
    found = mapping_or_empty(read_plain(path, LARGEST))
    info = mapping_or_empty(found.get("info"))
    return info if isinstance(found.get("name"), str) and set(info) >= SIZES else None


def _file(path: Path) -> Path | None:
    """Return the description of a scenario: the file itself, or the only one in a folder."""
    if not path.is_dir():
        return path if _description(path) else None
    found = [file for file in sorted(path.glob("*.json")) if _description(file)]
    return found[0] if len(found) == 1 else None


def _recognises(path: Path) -> bool:
    return _file(path) is not None


def _number(path: Path, info: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = info.get(key, default)
    if not is_number(value) or not 0 < value < float("inf"):
        raise FileFault(f"expected a positive number for info.{key} in {path}, found {value!r}; fetch it again")
    return float(value)


def _open_scenario(path: Path) -> dict[str, Blocked]:
    """Open the arrays of a scenario.

    Raises:
        ValueError: if a file is missing or damaged, or the shapes are not those of the description.
    """
    description = _file(path)
    if description is None:
        raise FileFault(
            f"expected the description of one scenario of APEBench at {path}, found none; name its JSON file"
        )
    info = _description(description) or {}
    return {split: _split(description, info, split) for split in ("train", "test")}


def _split(path: Path, info: Mapping[str, Any], split: str) -> Blocked:
    ndim, points = (int(_number(path, info, key)) for key in ("num_spatial_dims", "num_points"))
    channels = int(_number(path, info, "num_channels", 1))
    if ndim > 3:
        raise FileFault(f"expected at most 3 for info.num_spatial_dims in {path}, found {ndim}; fetch it again")
    dt, extent = _number(path, info, "dt", 1.0), _number(path, info, "domain_extent", 1.0)
    store, key = ArrayFiles(path.parent), f"{path.stem}_{split}"
    shape = store.array(key).shape
    if len(shape) != ndim + 3 or shape[1] < 2:
        raise FileFault(
            f"expected sample, time, channel and {ndim} axes of space in {path.parent}/{key}.npy, found {shape}; "
            "fetch it again"
        )
    fields = (Field("u"),) if channels == 1 else tuple(Field(f"u_{i}") for i in range(channels))
    flow, origin = _flow(path, info, extent)
    if flow is not None:
        store, fields = NegatedFiles(path.parent), (Field("vorticity"),)
    grid = Grid((points,) * ndim, (extent,) * ndim, origin)
    problem = Problem(grid, fields, dt, shape[1], pde=flow or _equation(path, info))
    block = Block(key, "stc" + "xyz"[:ndim], fields)
    return Blocked(store, problem, (block,), dt * np.arange(shape[1]))


class Negated:
    """An array that is read with the other sign.

    Args:
        array: array as it is stored.
    """

    def __init__(self, array: Any):
        self._array, self.shape = array, array.shape

    def __getitem__(self, where: Any) -> np.ndarray:
        return -np.asarray(self._array[where])


class NegatedFiles(ArrayFiles):
    """Arrays of files, read with the other sign."""

    def array(self, key: str) -> Any:
        """Return an array, read where it is indexed."""
        return Negated(super().array(key))


def _flow(path: Path, info: Mapping[str, Any], extent: float) -> tuple[Equation | None, tuple[float, ...]]:
    """Return the equation of a flow in two dimensions and the lower ends of its box; None for other scenarios."""
    name = path.stem.partition("__")[0]
    if name not in FLOWS or info.get("num_channels", 1) != 1:
        return None, ()
    viscosity = _number(path, info, "diffusivity")
    if name == FLOWS[0]:
        return equation("NavierStokes2D", viscosity=viscosity), ()
    mode, scale = _number(path, info, "injection_mode"), _number(path, info, "injection_scale")
    drag = info.get("drag", 0.0)
    if not is_number(drag) or drag > 0 or abs(extent - 2 * pi) > 1e-6:
        return None, ()
    force = {"forcing": scale, "wavenumber": int(mode), "drag": -float(drag)}
    return equation("NavierStokes2D", viscosity=viscosity, **force), (0.0, pi / int(mode))


def _equation(path: Path, info: Mapping[str, Any]) -> Equation | None:
    """Return the equation of a linear scenario of one order; None for others."""
    ndim, points = int(info["num_spatial_dims"]), int(info["num_points"])
    if path.stem.partition("__")[0] not in [f"{ndim}d_{name}" for name in LINEAR]:
        return None
    gammas = info.get("gammas")
    if not is_list_of(gammas, is_number):
        return None
    orders = [order for order, gamma in enumerate(gammas) if gamma]
    if orders == [1]:
        speed = -gammas[1] / (points * ndim)
        return equation("Advection", **{f"velocity_{letter}": speed for letter in "xyz"[:ndim]})
    if orders == [2]:
        return equation("Diffusion", diffusivity=gammas[2] / (points**2 * 2 * ndim))
    return None


FORMATS = (Format("APEBench", _recognises, _open_scenario),)
