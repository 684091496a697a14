"""Files of `torch.save`: those of neuraloperator, {"x": inputs, "y": outputs[, "visc"]}, and Burgers of WDNO:

    x (sample, x, y), y (sample, x, y)    Darcy flow (x is bool), or a forcing and its vorticity (name begins with "ns")
    x (sample, x), y (sample, time, x)    Burgers: y are the frames from 0 to 1, the first of which is x; visc is the
                                          viscosity
    u (sample, time, x), f (sample, time - 1, x)    WDNO: controlled Burgers with u = 0 at both ends, viscosity 0.01,
                                                    times 0 to 8; f drives the step after each frame; the
                                                    points are taken as cell centres, which no file states

Points are i/n of the unit box. Files are loaded with ``weights_only=True``, so that nothing in them is executed, and
mapped to memory. ``NAME_train_16.pt`` and ``NAME_test_16.pt`` are the splits of one dataset.
Sources: https://github.com/neuraloperator/neuraloperator (neuralop/data/datasets),
https://github.com/AI4Science-WestlakeU/wdno (data).
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pdekit.boundaries import Dirichlet
from pdekit.data.formats.blocks import ArrayStore, Block, Blocked
from pdekit.data.formats.contract import WHOLE, Format
from pdekit.data.formats.matlab_files import burgers_of
from pdekit.data.given import ZIP_FAULTS
from pdekit.data.hdf5 import FAULTS
from pdekit.fields import Field, Grid, Problem
from pdekit.plain import is_number, mapping_or_empty

DAMAGE = (*FAULTS, *ZIP_FAULTS, pickle.UnpicklingError, AttributeError)


def _load(path: Path) -> Any:
    """Return the content of a file of `torch.save`: tensors in containers, nothing that runs code.

    Raises:
        ValueError: if the file is damaged or holds other objects.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except DAMAGE as error:
        said = " ".join(str(error).split())[:120]
        raise ValueError(
            f"expected tensors in {path}, but it is damaged or cannot be read without running its code ({said}); fetch "
            "it again, or load it yourself and give the arrays to pdekit.data.from_arrays"
        ) from None


def _recognises(path: Path) -> bool:
    """Return whether a file is a zip archive of torch with the tensors x and y."""
    try:
        if not path.is_file() or not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            if not any(name.endswith("/data.pkl") for name in archive.namelist()):
                return False
        content = _load(path)
    except DAMAGE:
        return False
    found = mapping_or_empty(content)
    return any(all(isinstance(found.get(key), torch.Tensor) for key in pair) for pair in ("xy", "uf"))


def _open_files(path: Path) -> dict[str, Blocked]:
    """Open a file, and the file of the other split next to it.

    Raises:
        ValueError: if a file is damaged, or its shapes are those of no published dataset.
    """
    for word, other in (("train", "test"), ("test", "train")):
        sibling = path.with_name(path.name.replace(word, other))
        if word in path.name and sibling.is_file():
            return {word: _opened(path), other: _opened(sibling)}
    return {WHOLE: _opened(path)}


def _opened(path: Path) -> Blocked:
    content = _load(path)
    if "u" in content:
        return _controlled(path, content["u"], content["f"])
    x, y = (content[key] for key in "xy")
    arrays = {"x": x.numpy(), "y": y.numpy()}
    n, points = len(x), tuple(x.shape[1:])
    if x.ndim == 3 and y.shape == x.shape:
        periodic = path.name.lower().startswith("ns")
        names = (
            ("forcing", "vorticity") if periodic else ("material", "pressure") if x.dtype == torch.bool else ("x", "y")
        )
        given, found = Field(names[0]), Field(names[1])
        grid = Grid(points, (1.0, 1.0), layout=("periodic" if periodic else "half_open",) * 2)
        problem = Problem(grid, (found,), coeffs=(given,))
        coeffs = (Block("x", "sxy", (given,)),)
        return Blocked(ArrayStore(path, arrays), problem, (Block("y", "sxy", (found,)),), np.zeros(1), coeffs)
    if x.ndim == 2 and y.ndim == 3 and (len(y), y.shape[2]) == (n, points[0]) and y.shape[1] > 1:
        dt, frames = 1.0 / (y.shape[1] - 1), y.shape[1]
        viscosity = content.get("visc")
        numbers = np.atleast_1d(np.asarray(viscosity, dtype=np.float64)) if is_number(viscosity) else None
        problem = Problem(Grid(points, (1.0,)), (Field("u"),), dt, frames, pde=burgers_of(numbers))
        return Blocked(ArrayStore(path, arrays), problem, (Block("y", "stx", problem.fields),), dt * np.arange(frames))
    raise ValueError(
        f"expected x and y of a published dataset in {path} ('sample x y', or 'sample x' and 'sample time x'), found "
        f"{tuple(x.shape)} and {tuple(y.shape)}; give the arrays to pdekit.data.from_arrays"
    )


class StepForcing:
    """A forcing of steps as one of frames: from the last frame no step starts, and it is zero there.

    Args:
        steps: "sample step x".
    """

    def __init__(self, steps: np.ndarray):
        self._steps = steps
        self.shape = (steps.shape[0], steps.shape[1] + 1, *steps.shape[2:])

    def __getitem__(self, where: tuple[int, slice]) -> np.ndarray:
        sample, frames = where
        wanted = range(self.shape[1])[frames]
        found = self._steps[sample, frames]
        if len(found) == len(wanted):
            return found
        return np.concatenate([found, np.zeros((1, *found.shape[1:]), found.dtype)])


def _controlled(path: Path, u: torch.Tensor, f: torch.Tensor) -> Blocked:
    if u.ndim != 3 or f.ndim != 3 or (len(f), f.shape[1] + 1, f.shape[2]) != tuple(u.shape) or u.shape[1] < 2:
        raise ValueError(
            f"expected u 'sample time x' and f 'sample step x' with a step less in {path}, found {tuple(u.shape)} and "
            f"{tuple(f.shape)}; fetch it again"
        )
    dt, ends = 8.0 / (u.shape[1] - 1), (Dirichlet(), Dirichlet())
    field, control = Field("u"), Field("f")
    grid = Grid(tuple(u.shape[2:]), (1.0,), layout=("cells",))
    problem = Problem(grid, (field,), dt, u.shape[1], boundary=(ends,), forcing=(control,))
    store = ArrayStore(path, {"u": u.numpy(), "f": StepForcing(f.numpy())})
    blocks = [Block("u", "stx", (field,))]
    return Blocked(store, problem, blocks, dt * np.arange(u.shape[1]), forcing=[Block("f", "stx", (control,))])


FORMATS = (Format("neuraloperator or WDNO (.pt)", _recognises, _open_files),)
