"""One array from a MATLAB file or a table of text, whatever its variable is called."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np

from pdekit.data.formats.mat5 import read_arrays
from pdekit.data.hdf5 import FAULTS, dataset, member, names, open_hdf5, reading

SUFFIXES = (".mat", ".csv")
HDF5 = b"\x89HDF\r\n\x1a\n"


def array_in(path: Path) -> np.ndarray:
    """The only variable of a .mat file (any version, complex numbers included), or the numbers of a .csv file.

    Nothing in the file is executed: objects and function handles are refused.

    Raises:
        FileNotFoundError: if it is absent.
        ValueError: if the file is damaged, or holds no array of numbers or several; the message names it.
    """
    try:
        if path.suffix == ".csv":
            with warnings.catch_warnings(action="ignore", category=UserWarning):  # an empty file is refused below
                return np.loadtxt(path, delimiter=",", ndmin=2)
        found = _hdf5(path) if _is_hdf5(path) else read_arrays(path)
    except FileNotFoundError:
        raise
    except FAULTS as error:
        raise ValueError(f"expected an array in {path}, but it cannot be read ({error}); fetch it again") from None
    numeric = {name: array for name, array in found.items() if array is not None and array.size}
    if len(numeric) != 1:
        raise ValueError(
            f"expected one array of numbers in {path}, found {sorted(numeric) or sorted(found)}; "
            "give the file as it was published"
        )
    (array,) = numeric.values()
    return array


def _is_hdf5(path: Path) -> bool:
    """MATLAB 7.3 writes HDF5 behind a block of 512 bytes."""
    with open(path, "rb") as file:
        head = file.read(520)
    return HDF5 in (head[:8], head[512:520])


def _hdf5(path: Path) -> dict[str, np.ndarray | None]:
    """Arrays of MATLAB 7.3: stored with their axes reversed, complex ones as pairs."""
    found: dict[str, np.ndarray | None] = {}
    with open_hdf5(path) as file:
        for name in names(file):
            item = member(file, name)
            if not isinstance(item, h5py.Dataset):
                continue
            with reading(file, name):
                pair = item.dtype.names == ("real", "imag")
                plain = item.dtype.kind in "fiub" and item.size
            if not pair and not plain:
                found[name] = None
                continue
            with reading(file, name):
                stored = dataset(file, name, kinds="fiubV")[()].T
                found[name] = stored["real"] + 1j * stored["imag"] if pair else stored
    return found
