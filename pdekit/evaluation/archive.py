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
from torch import Tensor

from pdekit.data.given import in_memory
from pdekit.data.sink import Sink

TEXT = h5py.string_dtype()
CHUNK = 2**16
"""Values that are compressed together."""
PARTIAL = ".part"
"""Ending of the name of a file under construction."""


class Archive:
    """A netCDF-4 file under construction. It is called ``<path>.part`` until `finish`; xarray reads it.

    Args:
        path: path of the finished file; one that exists is replaced at the end.
        coords: one-dimensional coordinates; their names and lengths are the dimensions.
        attrs: attributes of the file; text and numbers.

    Use as a context manager: an exception inside leaves no file behind.

    Raises:
        OSError: from every method, if the disk is full or the folder may not be written.
    """

    def __init__(self, path: Path, coords: Mapping[str, Any], attrs: Mapping[str, Any]):
        self.path = Path(path)
        self.partial = self.path.with_name(self.path.name + PARTIAL)
        self.partial.parent.mkdir(parents=True, exist_ok=True)
        self._sink = Sink(self.partial)
        self._file = h5netcdf.File(self._sink, "w")
        try:
            for name, values in coords.items():
                self.coordinate(name, values)
            for name, value in attrs.items():
                self._file.attrs[name] = value
            self._check()
        except BaseException:
            self._discard()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind, value, traceback) -> None:
        if kind is None:
            self.finish()
        else:
            self._discard()

    def _check(self) -> None:
        """Raise the error of the disk, if there was one."""
        self._sink.check()

    def _close(self) -> None:
        self._file.close()
        self._sink.close()

    def _discard(self) -> None:
        """Close and remove the file under construction."""
        self._close()
        self.partial.unlink(missing_ok=True)

    def coordinate(self, name: str, values: Any) -> None:
        """One more dimension, and its values; nothing if it is there, with as many values.

        Raises:
            ValueError: if it has another number of values.
        """
        if name in self._file.dimensions:
            if len(self._file.dimensions[name]) != len(values):
                raise ValueError(
                    f"expected {len(self._file.dimensions[name])} values of the coordinate {name!r}, which is there "
                    f"already, got {len(values)}; give it another name"
                )
            return
        self._file.dimensions[name] = len(values)
        self.put(name, (name,), values)

    def say(self, name: str, value: str | float) -> None:
        """One more attribute of the file."""
        self._file.attrs[name] = value

    def put(self, name: str, dims: Sequence[str], values: Any, attrs: Mapping[str, Any] | None = None) -> None:
        """A variable that is known whole."""
        values = np.asarray(values)
        dtype = TEXT if values.dtype.kind in "UO" else values.dtype
        variable = self._file.create_variable(name, tuple(dims), dtype)
        variable[...] = values.astype(object) if dtype is TEXT else values
        for key, value in (attrs or {}).items():
            variable.attrs[key] = value
        self._check()

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
            name, dims, attrs: name, dimensions and attributes of the variable.
            together: samples and times that are written at once, and so compressed at once.
            kind: type of its numbers, "f4" or "f8".
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

    def write(self, name: str, where: tuple[int | slice, ...], values: np.ndarray | Tensor) -> None:
        """Part of a declared variable: an integer or slice for each of the leading dimensions, all of the others."""
        variable = self._file[name]
        values = np.asarray(in_memory(values))
        with np.errstate(over="ignore"):  # beyond the numbers of a file a score is as good as infinite
            values = values.astype(variable.dtype)
        variable[(*where, *(slice(None),) * (len(variable.dimensions) - len(where)))] = values
        self._check()

    def __contains__(self, name: str) -> bool:
        return name in self._file.variables

    def read(self, name: str, where: tuple[int | slice, ...] = ()) -> np.ndarray:
        """Return the values of a variable that have been written so far, or a part of them, named as in `write`."""
        return self._file[name][(*where, ...)]

    def finish(self) -> None:
        """Close, and move into place in one step; a file that cannot be completed is removed."""
        try:
            self._close()
            self._check()
            os.replace(self.partial, self.path)
        except BaseException:
            self.partial.unlink(missing_ok=True)
            raise
