"""Archives of NumPy (.npz) with coordinates: x[, y, z] and t next to the arrays of fields.

    (sample, time, x[, y, z])            a field of that name
    (sample, time, channel, x[, y, z])   several fields: NAME_0, NAME_1, ...
    (sample, x[, y, z])                  an input fixed in time; a field if no array varies in time
    (sample,)                            a parameter

Complex values are two channels, NAME_real and NAME_imag; a complex parameter is refused. Objects (pickles) are refused.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from pdekit.data.ends import layout_of
from pdekit.data.formats.blocks import ArrayStore, Block, Blocked
from pdekit.data.formats.contract import WHOLE, Format
from pdekit.data.formats.evenly import grid_from, step_of
from pdekit.data.given import ZIP_FAULTS, load_numpy, pair, split_complex
from pdekit.data.hdf5 import FAULTS
from pdekit.fields import Field, Problem

TIMES = ("t", "time")


def _recognises(path: Path) -> bool:
    """Return whether a file is an archive of NumPy arrays with a coordinate x."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = archive.namelist()
    except (*FAULTS, *ZIP_FAULTS):
        return False
    return bool(found) and all(name.endswith(".npy") for name in found) and "x.npy" in found


def _open_file(path: Path) -> dict[str, Blocked]:
    """Open an archive; its arrays are read whole.

    Raises:
        ValueError: if it is damaged, or an array fits none of the shapes above.
    """
    arrays = load_numpy(path)
    axes = {letter: _coordinate(path, letter, arrays.pop(letter)) for letter in "xyz" if letter in arrays}
    times = next((_coordinate(path, name, arrays.pop(name)) for name in TIMES if name in arrays), None)
    shape = tuple(len(np.atleast_1d(points)) for points in axes.values())
    space, n_times = "".join(axes), 0 if times is None else np.shape(times)[-1]
    u, coeffs, params = [], [], {}
    for name, array in list(arrays.items()):
        if array.dtype.kind not in "fiubc" or (array.ndim == 1 and array.dtype.kind == "c"):
            raise ValueError(f"expected real numbers in {name} of {path}, found {array.dtype}; convert them")
        lead = array.shape[: array.ndim - len(shape)]
        fits = array.ndim > len(shape) and array.shape[len(lead) :] == shape
        if array.ndim == 1:
            params[name] = array.astype(np.float64)
        elif fits and len(lead) == 1:
            coeffs.append(_block(name, f"s{space}", [name], arrays))
        elif fits and len(lead) == 2 and lead[1] == n_times:
            u.append(_block(name, f"st{space}", [name], arrays))
        elif fits and len(lead) == 3 and lead[1] == n_times:
            u.append(_block(name, f"stc{space}", [f"{name}_{i}" for i in range(lead[2])], arrays))
        else:
            raise ValueError(
                f"expected {name} of {path} with the axes sample, time ({n_times}), x, y, z {shape}, found "
                f"{array.shape}; give the arrays to pdekit.data.from_arrays"
            )
    if not u:
        u, coeffs, times = coeffs, [], np.zeros(1)
    if times is None or not u or not axes:
        raise ValueError(f"expected arrays of fields and the coordinate x in {path}, found {sorted(arrays)}; add them")
    layout = []
    for letter, points in axes.items():
        step_of(f"{letter} of {path}", points)
        layout.append(layout_of(f"{letter} of {path}", points, None, None))
    frames = np.shape(times)[-1]
    problem = Problem(
        grid_from(str(path), axes, layout),
        tuple(field for block in u for field in block.fields),
        step_of(f"t of {path}", np.atleast_2d(times)[0]) if frames > 1 else None,
        frames,
        coeffs=tuple(field for block in coeffs for field in block.fields),
        params=tuple(params),
    )
    table = np.stack(list(params.values()), 1) if params else None
    return {WHOLE: Blocked(ArrayStore(path, arrays), problem, u, times, coeffs, table)}


def _coordinate(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "fiu":
        raise ValueError(f"expected real coordinates in {name} of {path}, found {values.dtype}; convert them")
    return values


def _block(name: str, axes: str, fields: list[str], arrays: dict[str, np.ndarray]) -> Block:
    """Return the channels of an array; one of complex values is replaced by its real and imaginary parts."""
    if not np.iscomplexobj(arrays[name]):
        return Block(name, axes, tuple(map(Field, fields)))
    channel = axes.find("c") if "c" in axes else axes.index("x")  # before the axes of space
    array = arrays[name] if "c" in axes else np.expand_dims(arrays[name], channel)
    arrays[name] = split_complex(array, channel)
    parts = tuple(part for field in fields for part in pair(field))
    return Block(name, axes if "c" in axes else axes.replace("x", "cx"), parts)


FORMATS = (Format("NumPy (.npz)", _recognises, _open_file),)
