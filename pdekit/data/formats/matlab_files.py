"""MATLAB files of the FNO papers (Li et al. 2021), of versions 5 and 7.3.

    coeff, sol (sample, x, y)                   Darcy flow -div(coeff grad sol) = 1, sol = 0 on the boundary; points
    ...                                         include both ends of the unit square
    u (sample, x, y, time)[, a (sample, x, y)]  vorticity on the periodic unit square at times 1, 2, ...; a is at time 0
    a, u (sample, x)                            Burgers: the state at time 0 and 1
    input (sample, x), output (sample, time, x) Burgers: frames from 0 to 1; visc is the viscosity, if there is one

Version 7.3 is HDF5 with reversed axes, and is read by slices; version 5 is read whole.
Sources: https://github.com/neuraloperator/neuraloperator and /physics_informed (their data loaders).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pdekit.boundaries import Dirichlet
from pdekit.data.formats.blocks import ArrayStore, Block, Blocked, Hdf5Store
from pdekit.data.formats.contract import WHOLE, Format, is_hdf5, root_names
from pdekit.data.formats.equations import equation
from pdekit.data.formats.evenly import step_of
from pdekit.data.formats.mat5 import read_arrays
from pdekit.data.hdf5 import FAULTS, dataset, open_hdf5, values
from pdekit.data.probe import check_readable
from pdekit.fields import Equation, Field, Grid, Problem

KINDS = ({"coeff", "sol"}, {"input", "output"}, {"a", "u"}, {"u"})


def _recognises(path: Path) -> bool:
    """Return whether a file holds the variables of one of the datasets."""
    if not path.is_file():
        return False
    if is_hdf5(path):
        return any(root_names(path) >= kind for kind in KINDS) and _is_matlab(path)
    try:
        with open(path, "rb") as file:
            if file.read(128)[126:] not in (b"IM", b"MI"):
                return False
        found = {name for name, array in read_arrays(path).items() if array is not None}
    except FAULTS:
        return False
    return any(found >= kind for kind in KINDS)


def _is_matlab(path: Path) -> bool:
    """MATLAB 7.3 begins with a text that names it."""
    with open(path, "rb") as file:
        return file.read(6) == b"MATLAB"


def _open_file(path: Path) -> dict[str, Blocked]:
    """Open a file.

    Raises:
        ValueError: if it is damaged, or its shapes are not those of the datasets.
    """
    if is_hdf5(path):
        check_readable(path)
        with open_hdf5(path) as file:
            keys = [key for key in ("coeff", "sol", "input", "output", "a", "u", "t", "visc") if key in file]
            shapes = {key: dataset(file, key).shape[::-1] for key in keys}
            numbers: dict[str, np.ndarray] = {key: values(file, key).ravel() for key in ("t", "visc") if key in keys}
        return {WHOLE: _source(Hdf5Store(path), shapes, numbers, reversed_axes=True)}
    try:
        arrays = {name: array for name, array in read_arrays(path).items() if array is not None}
    except FAULTS as error:
        raise ValueError(f"expected arrays in {path}, but it cannot be read ({error}); fetch it again") from None
    numbers = {key: arrays[key].ravel().astype(np.float64) for key in ("t", "visc") if key in arrays}
    return {WHOLE: _source(ArrayStore(path, arrays), {key: array.shape for key, array in arrays.items()}, numbers)}


def _source(
    store: Hdf5Store | ArrayStore,
    shapes: Mapping[str, tuple[int, ...]],
    numbers: Mapping[str, np.ndarray],
    reversed_axes: bool = False,
) -> Blocked:
    def block(key: str, axes: str, field: Field) -> Block:
        return Block(key, axes[::-1] if reversed_axes else axes, (field,))

    if {"coeff", "sol"} <= set(shapes):
        given, found = Field("permeability"), Field("pressure")
        grid = Grid(shapes["sol"][1:], (1.0, 1.0), layout=("nodes", "nodes"))
        ends = (Dirichlet(), Dirichlet())
        problem = Problem(grid, (found,), coeffs=(given,), boundary=(ends, ends), pde=equation("Darcy", source=1.0))
        return Blocked(store, problem, [block("sol", "sxy", found)], np.zeros(1), [block("coeff", "sxy", given)])
    if {"input", "output"} <= set(shapes):
        frames, u = shapes["output"][1], Field("u")
        t = np.linspace(0.0, 1.0, frames)
        step, pde = step_of(f"times of {store.path}", t), burgers_of(numbers.get("visc"))
        problem = Problem(Grid(shapes["output"][2:], (1.0,)), (u,), step, frames, pde=pde)
        return Blocked(store, problem, [block("output", "stx", u)], t)
    if len(shapes["u"]) == 4:
        frames, w = shapes["u"][3], Field("vorticity")
        times = numbers.get("t", np.zeros(0))
        t = np.asarray(range(1, frames + 1), dtype=np.float64) if len(times) != frames else times
        problem = Problem(Grid(shapes["u"][1:3], (1.0, 1.0)), (w,), step_of(f"t of {store.path}", t), frames)
        return Blocked(store, problem, [block("u", "sxyt", w)], t)
    if len(shapes["u"]) == 2 and shapes.get("a") == shapes["u"]:
        start, end = Field("u_0"), Field("u")
        problem = Problem(Grid(shapes["u"][1:], (1.0,)), (end,), coeffs=(start,))
        return Blocked(store, problem, [block("u", "sx", end)], np.zeros(1), [block("a", "sx", start)])
    raise ValueError(
        f"expected variables of a published dataset in {store.path}, found {dict(shapes)}; give the arrays to "
        "pdekit.data.from_arrays"
    )


def burgers_of(viscosity: np.ndarray | None) -> Equation | None:
    """Return Burgers' equation with the viscosity of a file, u_t + u u_x = visc u_xx; None without one number > 0."""
    if viscosity is None or viscosity.shape != (1,) or not 0 < viscosity[0] < np.inf:
        return None
    return equation("Burgers", viscosity=float(viscosity[0]))


FORMATS = (Format("FNO (.mat)", _recognises, _open_file),)
