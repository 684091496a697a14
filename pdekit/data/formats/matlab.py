"""One array from a MATLAB file or a table of text, whatever its variable is called."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

SUFFIXES = (".mat", ".csv")
HDF5 = b"\x89HDF\r\n\x1a\n"


def array_in(path: Path) -> np.ndarray:
    """The only variable of a .mat file (any version, complex numbers included), or the numbers of a .csv file.

    Nothing in the file is executed: objects and function handles are refused.

    Raises:
        ValueError: if the file is damaged, or holds no array of numbers or several; the message names it.
    """
    try:
        if path.suffix == ".csv":
            return np.loadtxt(path, delimiter=",", ndmin=2)
        found = _hdf5(path) if _is_hdf5(path) else _classic(path)
    except (OSError, NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(f"expected an array in {path}, but it cannot be read ({error}); fetch it again") from None
    numeric = {name: array for name, array in found.items() if array.dtype.kind in "fiubc" and array.size}
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


def _classic(path: Path) -> dict[str, np.ndarray]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        return {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    except MatReadError as error:
        raise ValueError(error) from None


def _hdf5(path: Path) -> dict[str, np.ndarray]:
    """Arrays of MATLAB 7.3: stored with their axes reversed, complex ones as pairs."""
    found = {}
    with h5py.File(path, "r") as file:
        for name, item in file.items():
            if isinstance(item, h5py.Dataset):
                values = item[()].T
                pair = values.dtype.names == ("real", "imag")
                found[name] = values["real"] + 1j * values["imag"] if pair else values
    return found
