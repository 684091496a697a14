"""Windows of an HDF5 dataset that is stored as one block of numbers, read from its place in the file.

The library needs about 10 us to select and read a small window. A dataset without chunks, filters or external files is
one run of bytes, and whole frames of one trajectory are one run within it: they are read with one seek and one read.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np

LARGEST = 1 << 30  # bytes for one read; more are left to the library


class ContiguousArray:
    """A dataset whose leading axes are indexed; other selections are left to the library.

    Args:
        column: the dataset; `first_byte` is not None.
        place: first byte of its values in the file.
        path: path of the file.
    """

    def __init__(self, column: h5py.Dataset, place: int, path: Path):
        self._column, self._place, self.shape, self.dtype = column, place, column.shape, column.dtype
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 (open as long as the dataset)
        self._sizes = [prod(self.shape[axis + 1 :]) * self.dtype.itemsize for axis in range(len(self.shape))]

    def __del__(self):
        self._file.close()

    def __getitem__(self, where: Any) -> np.ndarray:
        """Return the selected values.

        Raises:
            OSError: if the file became shorter.
        """
        if type(where) is tuple and len(where) == 2:  # a trajectory and a slice of its frames, without a loop
            row, part = where
            if type(row) is int and type(part) is slice and part.step in (None, 1) and 0 <= row < self.shape[0]:
                first, stop, _ = part.indices(self.shape[1])
                place = self._place + row * self._sizes[0] + first * self._sizes[1]
                return self._values(where, place, (max(stop - first, 0), *self.shape[2:]))
        parts = where if type(where) is tuple else (where,)
        place, last = self._place, len(parts) - 1
        shape = self.shape[len(parts) :]
        for axis, part in enumerate(parts):
            if type(part) is int and 0 <= part < self.shape[axis]:
                place += part * self._sizes[axis]
            elif type(part) is slice and axis == last and part.step in (None, 1):
                first, stop, _ = part.indices(self.shape[axis])
                place, shape = place + first * self._sizes[axis], (max(stop - first, 0), *shape)
            else:
                return self._column[where]
        return self._values(where, place, shape)

    def _values(self, where: Any, place: int, shape: tuple[int, ...]) -> np.ndarray:
        """Return the values of a run of bytes that begins at a place."""
        values = np.empty(shape, self.dtype)
        size = values.nbytes
        if size > LARGEST:
            return self._column[where]
        self._file.seek(place)
        if size and self._file.readinto(values.data) != size:
            raise OSError(f"expected {size} bytes at {place}, the file became shorter")
        return values


def first_byte(column: h5py.Dataset) -> int | None:
    """Return the first byte of the values of a dataset; None if they are not one run of plain numbers."""
    if column.chunks is not None or column.dtype.kind not in "fiu" or column.file.userblock_size:
        return None
    return column.id.get_offset()
