"""Files of one NumPy array (.npy), mapped to memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pdekit.data.given import ZIP_FAULTS
from pdekit.data.hdf5 import FAULTS, FileFault

OPEN = 64  # files that stay mapped


def mapped(path: Path) -> np.ndarray:
    """Return the array of a file, mapped to memory; objects (pickles) are refused.

    Raises:
        ValueError: if it is no file of numbers, or a damaged one.
    """
    try:
        with open(path, "rb") as file:
            if file.read(6) != b"\x93NUMPY":
                raise ValueError("it does not begin as a .npy file")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (*FAULTS, *ZIP_FAULTS, SyntaxError) as error:
        said = " ".join(str(error).split())[:160]
        raise FileFault(f"expected a .npy file of numbers at {path}, but: {said}; fetch it again") from None
    if array.dtype.kind not in "fiub":
        raise FileFault(f"expected real numbers in {path}, found {array.dtype}; fetch it again")
    return array


class ArrayFiles:
    """Arrays of .npy files under a folder, by their path without the suffix; some stay mapped in each process.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self._found: dict[str, np.ndarray] = {}

    def __getstate__(self) -> Mapping[str, Any]:
        return {"path": self.path, "_found": {}}

    def array(self, key: str) -> Any:
        """Return an array, read where it is indexed."""
        if key not in self._found:
            if len(self._found) >= OPEN:
                self._found.pop(next(iter(self._found)))
            self._found[key] = mapped(self.path / f"{key}.npy")
        return self._found[key]
