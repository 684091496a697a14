"""HDF5 files of unknown origin: every part is checked before it is read, and every fault names file and key.

Links to other files, soft links, raw storage outside the file and virtual datasets are refused: a data file holds its
own data. A dataset is read only if the file stores as many bytes as its declared shape and type need, so that a small
file cannot claim gigabytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from math import ceil, prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pdekit.plain import are_texts

# What h5py raises on damaged metadata, depending on the structure that is hit.
FAULTS = (OSError, RuntimeError, LookupError, TypeError, ValueError, ArithmeticError, MemoryError, SystemError)
COMPRESSION = 1100  # largest ratio of DEFLATE is 1032 (zlib, "Technical details")
ATTRIBUTE_BYTES = 1 << 20


class FileFault(ValueError):
    """A part of a file that is absent, damaged, or contradicts another part."""


def open_hdf5(path: Path) -> h5py.File:
    """Open a file for reading.

    Raises:
        FileNotFoundError, ValueError: if it is not there, or is no HDF5 file or a truncated one.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"expected a dataset at {path}, found none; generate it or correct the path")
    try:
        return h5py.File(path, "r")
    except FAULTS as error:
        raise FileFault(
            f"expected an HDF5 file, but {path} is not one or is damaged ({error}); delete it and generate it again"
        ) from None


def fault(file: h5py.File, key: str, expected: str, found: object, remedy: str = "") -> FileFault:
    """The error for one part of a file."""
    remedy = remedy or "the file is damaged or was changed: fetch or generate it again"
    return FileFault(f"expected {expected} in {key or 'the root'} of {file.filename}, found {found}; {remedy}")


@contextlib.contextmanager
def reading(file: h5py.File, key: str) -> Iterator[None]:
    """Turn the errors of the HDF5 library into one sentence that names file and key.

    Raises:
        FileFault: on any error in the block that shows damage.
    """
    try:
        yield
    except FileFault:
        raise
    except FAULTS as error:
        raise fault(file, key, "readable data", f"damage ({' '.join(str(error).split())[:120]})") from None


def names(file: h5py.File, key: str = "") -> list[str]:
    """Names of the members of a group.

    Raises:
        FileFault: if it is no group, or a name is not text: h5py gives bytes for what is not UTF-8.
    """
    group = member(file, key)
    if not isinstance(group, h5py.Group):
        raise fault(file, key, "a group", "a dataset")
    with reading(file, key):
        found = list(group)
    if not are_texts(found):
        raise fault(file, key, "names in UTF-8", "other bytes")
    return sorted(found)


def member(file: h5py.File, key: str) -> h5py.Group | h5py.Dataset:
    """The group or dataset of a key, reached by hard links only; the root for an empty key.

    Raises:
        FileFault: if it is absent, or a link leads elsewhere.
    """
    place = file
    for part in key.split("/") if key else ():
        with reading(file, key):
            link = place.get(part, getlink=True) if isinstance(place, h5py.Group) and part not in ("", ".") else None
            if link is None:
                raise fault(file, key, "a dataset or group", "none")
            if not isinstance(link, h5py.HardLink):
                raise fault(file, key, "the data itself", f"a {type(link).__name__}", "copy the data into the file")
            place = place[part]
    if not isinstance(place, (h5py.Group, h5py.Dataset)):
        raise fault(file, key, "a dataset or group", "another object")
    return place


def dataset(file: h5py.File, key: str, shape: tuple[int, ...] | None = None, kinds: str = "fiub") -> h5py.Dataset:
    """A dataset whose values are all stored in this file, of a kind of type and, if given, of a shape.

    Args:
        file: open for reading.
        key: path of the dataset.
        shape: expected; any if None.
        kinds: NumPy's letters of the types that are accepted.

    Raises:
        FileFault: if one of these does not hold.
    """
    item = member(file, key)
    if not isinstance(item, h5py.Dataset):
        raise fault(file, key, "a dataset", "a group")
    with reading(file, key):
        found, kind = item.shape, item.dtype.kind
        if found is None or (shape is not None and found != shape):
            raise fault(file, key, f"shape {shape}", found)
        if kind not in kinds or not _plain(item.dtype):
            raise fault(file, key, "numbers" if "f" in kinds else f"a type of kind {kinds!r}", item.dtype)
        if item.external or item.is_virtual:
            raise fault(file, key, "the data itself", "a reference to other files", "copy the data into the file")
        _check_stored(file, key, item)
    return item


def _plain(dtype: np.dtype) -> bool:
    """Return whether a type is a number, a text or a record; libhdf5 crashes on damaged sequences of any length."""
    return not dtype.hasobject or h5py.check_string_dtype(dtype) is not None


def _check_stored(file: h5py.File, key: str, item: h5py.Dataset) -> None:
    size = Path(file.filename).stat().st_size
    declared = prod(item.shape) * item.dtype.itemsize
    stored = item.id.get_storage_size()
    if item.chunks is None:
        whole = stored >= declared and (item.id.get_offset() or 0) + stored <= size
    else:
        count = prod(ceil(n / chunk) for n, chunk in zip(item.shape, item.chunks, strict=True))
        chunk = prod(item.chunks) * item.dtype.itemsize
        limit = stored * COMPRESSION
        whole = stored <= size and max(chunk if count else 0, declared) <= limit and item.id.get_num_chunks() == count
    if not whole:
        raise fault(file, key, f"{declared} bytes for shape {item.shape}", f"{stored} stored in {size}")


def values(file: h5py.File, key: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """The finite numbers of a whole dataset, in float64.

    Raises:
        FileFault: as `dataset`, or if a number is NaN or Inf.
    """
    column = dataset(file, key, shape)
    with reading(file, key):
        found = np.asarray(column[()], dtype=np.float64)
    if not np.isfinite(found).all():
        raise fault(file, key, "finite numbers", f"{int((~np.isfinite(found)).sum())} NaN or Inf")
    return found


def text(file: h5py.File, key: str) -> str:
    """A stored text."""
    column = dataset(file, key, (), "OSU")
    with reading(file, key):
        found = column[()]
        return str(_decoded(found))


def attribute(file: h5py.File, key: str, name: str) -> np.ndarray:
    """The value of an attribute as an array.

    Raises:
        FileFault: if it is absent, damaged or larger than 1 MiB.
    """
    item, place = member(file, key), f"{key}@{name}"
    with reading(file, place):
        if name not in item.attrs:
            raise fault(file, place, "an attribute", "none")
        stored = item.attrs.get_id(name)
        if not _plain(stored.dtype):
            raise fault(file, place, "numbers or text", stored.dtype)
        if prod(stored.shape or ()) * max(stored.dtype.itemsize, 1) > ATTRIBUTE_BYTES:
            raise fault(file, place, "an attribute of at most 1 MiB", f"shape {stored.shape}")
        value = item.attrs[name]
        return np.zeros(0) if isinstance(value, h5py.Empty) else np.asarray(value)


def _decoded(item: Any) -> Any:
    return item.decode() if isinstance(item, bytes) else item


def texts(file: h5py.File, key: str, name: str) -> tuple[str, ...]:
    """An attribute of names."""
    found = np.atleast_1d(attribute(file, key, name)).ravel()
    with reading(file, f"{key}@{name}"):
        items = [_decoded(item) for item in found.tolist()]
    if not are_texts(items):
        raise fault(file, f"{key}@{name}", "names", items[:8])
    return tuple(items)


def whole_number(file: h5py.File, key: str, name: str, least: int = 0) -> int:
    """An attribute that is one whole number."""
    found = attribute(file, key, name)
    if found.size != 1 or found.dtype.kind not in "iu" or int(found.ravel()[0]) < least:
        raise fault(file, f"{key}@{name}", f"a whole number >= {least}", found.tolist())
    return int(found.ravel()[0])


def flags(file: h5py.File, key: str, name: str, count: int) -> tuple[bool, ...]:
    """An attribute of truth values."""
    found = np.atleast_1d(attribute(file, key, name))
    if found.shape != (count,) or found.dtype.kind not in "biu" or not np.isin(found, (0, 1)).all():
        raise fault(file, f"{key}@{name}", f"{count} truth value(s)", found.tolist())
    return tuple(bool(item) for item in found)
