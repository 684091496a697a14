"""Folders of results: their files appear together, and those of another request are not overwritten."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import h5netcdf
import xarray as xr
from xarray.backends import H5NetCDFStore

from pdekit.data.sink import through_sink
from pdekit.data.writer import disk_full

Stored = Callable[[Path], Mapping[str, Any] | None]
"""Returns the request whose results a folder holds, {} if it holds results without one, None if it holds none."""


def folder_for(folder: Path, request: Mapping[str, Any], stored: Stored, named: bool) -> Path:
    """Return the folder for the results of a request; results of the same request are replaced.

    Args:
        folder: the folder that was asked for, or the usual one.
        request: plain values.
        stored: reads the request of earlier results.
        named: whether a person named the folder; else a number follows the name of one that is taken.

    Raises:
        ValueError: if a person named a folder that holds results of another request.
    """
    for number in itertools.count(1):
        place = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        found = stored(place)
        if found is None or found == request:
            return place
        if named:
            differing = [key for key, value in request.items() if found.get(key, "") != value]
            other = differing[0] if differing else "request"
            raise ValueError(
                f"expected no other results in {place}, found some with another {other}; give another folder, or "
                "remove them"
            )
    raise AssertionError("unreachable: counting does not end")


@contextmanager
def appearing_in(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder whose files move to ``folder`` when the block ends without an error.

    Raises:
        OSError: with a sentence, if the disk is full; nothing has changed then.
    """
    folder = folder.resolve()  # "." has no name
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex}.part")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        folder.mkdir(exist_ok=True)
        for path in sorted(temporary.iterdir()):
            os.replace(path, folder / path.name)
    except OSError as error:
        if disk_full(error):
            raise OSError(
                errno.ENOSPC,
                f"expected room for the results in {folder}, but the disk is full; free some, or give a folder on "
                "another disk",
            ) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_results(data: xr.Dataset, path: Path) -> None:
    """Write a NetCDF file; a full disk raises an OSError and does not disturb HDF5."""
    with through_sink(path, h5netcdf.File) as (file, _):
        data.dump_to_store(H5NetCDFStore(file))
