"""NetCDF files that are written piece by piece and appear whole or not at all."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr

TEXT = h5py.string_dtype()
CHUNK = 2**16
"""Values that are compressed together."""


class Archive:
    """A netCDF-4 file under construction. It is called ``<path>.part`` until `finish`; xarray reads it.

    Args:
        path: of the finished file; one that exists is replaced at the end.
        coords: one-dimensional coordinates; their names and lengths are the dimensions.
        attrs: of the file; text and numbers.

    Use as a context manager: an exception inside leaves no file behind.
    """

    def __init__(self, path: Path, coords: Mapping[str, Any], attrs: Mapping[str, Any]):
        self.path = Path(path)
        self.partial = self.path.with_name(self.path.name + ".part")
        self.partial.parent.mkdir(parents=True, exist_ok=True)
        self._file = h5netcdf.File(self.partial, "w")
        for name, values in coords.items():
            self.coordinate(name, values)
        for name, value in attrs.items():
            self._file.attrs[name] = value

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind, value, traceback) -> None:
        if kind is None:
            self.finish()
        else:
            self._file.close()
            self.partial.unlink(missing_ok=True)

    def coordinate(self, name: str, values: Any) -> None:
        """One more dimension, and its values."""
        self._file.dimensions[name] = len(values)
        self.put(name, (name,), values)

    def put(self, name: str, dims: Sequence[str], values: Any, attrs: Mapping[str, Any] | None = None) -> None:
        """A variable that is known whole."""
        values = np.asarray(values)
        dtype = TEXT if values.dtype.kind in "UO" else values.dtype
        variable = self._file.create_variable(name, tuple(dims), dtype)
        variable[...] = values.astype(object) if dtype is TEXT else values
        for key, value in (attrs or {}).items():
            variable.attrs[key] = value

    def put_all(self, data: xr.Dataset) -> None:
        """Variables that are known whole, along dimensions of the file."""
        for dim, size in data.sizes.items():
            if dim not in self._file.dimensions:
                self._file.dimensions[dim] = size
        for name, variable in data.data_vars.items():
            self.put(str(name), [str(dim) for dim in variable.dims], variable.values, variable.attrs)

    def declare(
        self,
        name: str,
        dims: Sequence[str],
        attrs: Mapping[str, Any],
        together: tuple[int, int] | None = None,
        kind: str = "f4",
    ) -> None:
        """A variable of numbers that `write` fills; NaN where it never does. Trailing dimensions are stored together.

        Args:
            name, dims, attrs: of the variable.
            together: samples and times that are written at once, and so compressed at once.
            kind: of its numbers, "f4" or "f8".
        """
        limits = dict(zip(("sample", "time"), together, strict=True)) if together else {}
        chunks: list[int] = []
        for dim in reversed(dims):
            size = min(len(self._file.dimensions[dim]), limits.get(dim, CHUNK))
            chunks.insert(0, max(1, min(size, CHUNK // max(1, math.prod(chunks)))))
        variable = self._file.create_variable(
            name, tuple(dims), kind, fillvalue=np.dtype(kind).type(np.nan), chunks=tuple(chunks), compression="gzip",
            compression_opts=1,
        )  # fmt: skip
        for key, value in attrs.items():
            variable.attrs[key] = value

    def write(self, name: str, where: tuple[int | slice, ...], values: np.ndarray) -> None:
        """Part of a declared variable: an integer or slice for each of the leading dimensions, all of the others."""
        variable = self._file[name]
        variable[(*where, *(slice(None),) * (len(variable.dimensions) - len(where)))] = values

    def __contains__(self, name: str) -> bool:
        return name in self._file.variables

    def read(self, name: str) -> np.ndarray:
        """What has been written of a variable so far."""
        return self._file[name][...]

    def finish(self) -> None:
        """Close, and move into place in one step."""
        self._file.close()
        os.replace(self.partial, self.path)
