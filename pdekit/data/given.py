"""The arrays of one split as a user gives them, in one form: NumPy, masked arrays, tensors and files of NumPy."""

from __future__ import annotations

import dataclasses
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pdekit.data.hdf5 import FAULTS
from pdekit.fields import Field
from pdekit.plain import mapping_or_empty

ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError)


@dataclass(frozen=True)
class Given:
    """Content of the arrays of one split.

    Args:
        values: "sample time channel *space"; zero outside the mask.
        mask: "sample channel *space", True where a field exists; None for everywhere.
        fields: names and units of the channels, None if the arrays have none.
        times: "time" or "sample time".
        axes: coordinates of each spatial axis.
        layout: layout of each axis, as the coordinates state it; None where they do not.
        pairs: whether channels are real and imaginary parts of complex fields, in turn, that have no names yet.
        coeffs, params, forcing: "sample *space", "sample" and "sample time *space" by name.
    """

    values: np.ndarray
    mask: np.ndarray | None = None
    fields: tuple[Field, ...] | None = None
    times: np.ndarray | None = None
    axes: tuple[np.ndarray, ...] | None = None
    layout: tuple[str | None, ...] = ()
    pairs: bool = False
    coeffs: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    forcing: Mapping[str, Any] = field(default_factory=dict)


def read_split(data: Any) -> Given:
    """The split in an array, a tensor, or a ``.npy`` or ``.npz`` file (several arrays of an archive are the fields).

    Raises:
        ValueError: if the values are not real numbers, have too few axes, or a mask changes in time.
    """
    if is_path(data):
        data = load_numpy(data)
        fields = mapping_or_empty(data)
        if len(fields) > 1:
            return read_archive(fields)
        data = next(iter(fields.values()), data)
    if is_complex(data):
        return dataclasses.replace(read_split(split_complex(data)), pairs=True)
    values = _deep_enough(real(data))
    if not np.ma.isMaskedArray(values):
        return Given(values)
    absent = np.ma.getmaskarray(values)
    return Given(np.where(absent, 0, values.data), mask=None if not absent.any() else steady_mask(~absent))


def read_archive(data: Mapping[str, np.ndarray]) -> Given:
    """Return the split in arrays "sample time *space" by the names of their fields.

    Raises:
        ValueError: if their shapes differ, or they are splits.
    """
    if splits := sorted({"train", "valid", "test"} & set(data)):
        raise ValueError(
            f"expected an archive of the fields of one split, found the splits {splits}; load it by np.load and give "
            "its arrays as from_arrays(train, valid, test)"
        )
    shapes = {name: part.shape for name, part in data.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f'expected fields "sample time *space" of one shape in the archive, found {shapes}; '
            "save them with the same shape"
        )
    fields = tuple(item for name, part in data.items() for item in (pair(name) if is_complex(part) else (Field(name),)))
    columns = [one for part in data.values() for one in ((part.real, part.imag) if is_complex(part) else (part,))]
    stacked = np.stack([real(one, item.name) for item, one in zip(fields, columns, strict=True)], 2)
    return Given(_deep_enough(stacked), fields=fields)


def is_path(data: Any) -> bool:
    """Return whether data are given as a path, or as the address of a file."""
    return isinstance(data, (str, Path))


def in_memory(data: Any) -> Any:
    """Return a tensor as an array, bfloat16 in float32, and everything else as it is."""
    if not isinstance(data, torch.Tensor):
        return data
    data = data.detach().cpu().resolve_conj()
    return (data.float() if data.dtype == torch.bfloat16 else data).numpy()


def is_complex(data: Any) -> bool:
    """Return whether an array or a tensor has complex values."""
    return np.iscomplexobj(in_memory(data))


def split_complex(data: Any, axis: int = 2) -> np.ndarray:
    """Return real and imaginary parts as channels that follow each other.

    >>> split_complex(np.array([[[1 + 2j, 3 - 4j]]])).tolist()
    [[[1.0, 2.0, 3.0, -4.0]]]
    """
    array = np.ma.asanyarray(data) if np.ma.isMaskedArray(data) else np.asarray(in_memory(data))
    axis = axis % _deep_enough(array).ndim
    stack = np.ma.stack if np.ma.isMaskedArray(array) else np.stack
    both = stack([array.real, array.imag], axis + 1)
    return both.reshape(*array.shape[:axis], 2 * array.shape[axis], *array.shape[axis + 1 :])


def pair(name: str, unit: str = "1") -> tuple[Field, Field]:
    """Return the two channels of a complex field."""
    return Field(f"{name}_real", unit, complex=name), Field(f"{name}_imag", unit, complex=name)


def is_numpy_file(path: str | Path) -> bool:
    """Return whether a file is a ``.npy`` array, or an archive of such arrays without coordinates."""
    try:
        with open(path, "rb") as file:
            if file.read(6) == b"\x93NUMPY":
                return True
        with zipfile.ZipFile(path) as archive:
            found = archive.namelist()
    except (*FAULTS, *ZIP_FAULTS):
        return False
    return bool(found) and all(name.endswith(".npy") for name in found) and "x.npy" not in found


def load_numpy(path: str | Path) -> Any:
    """The content of a ``.npy`` file, or the arrays of a ``.npz`` file by name; pickled objects are refused."""
    try:
        loaded = np.load(path, allow_pickle=False)
        return dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else loaded
    except FileNotFoundError:
        raise FileNotFoundError(f"expected a .npy or .npz file at {path}, found none; correct the path") from None
    except (*FAULTS, *ZIP_FAULTS) as error:
        raise ValueError(
            f"expected a .npy or .npz file of numbers at {path}, found another or a damaged one ({error}); "
            "load it yourself and pass the array"
        ) from None


def real(data: Any, name: str = "the array") -> np.ndarray:
    """An array of real numbers, masked if it was; integers become float64, bfloat16 becomes float32."""
    data = in_memory(load_numpy(data) if is_path(data) else data)
    array = np.ma.asanyarray(data) if np.ma.isMaskedArray(data) else np.asarray(data)
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"expected real numbers in {name}, got dtype {array.dtype}; convert them, and split complex fields in two"
        )
    native = np.float32 if array.dtype.kind == "f" and array.dtype.itemsize <= 4 else np.float64
    return array.astype(native)


def steady_mask(there: np.ndarray) -> np.ndarray:
    """The mask "sample channel *space" of one that is given for every frame.

    Raises:
        ValueError: if it changes in time, or nothing of a field is left.
    """
    changes = (there != there[:, :1]).any(axis=tuple(range(1, there.ndim)))
    if changes.any():
        raise ValueError(
            f"expected a mask that is the same in all frames, found one that changes in sample "
            f"{int(changes.argmax())}; fill the gaps, or remove these frames"
        )
    mask = there[:, 0]
    empty = ~mask.reshape(*mask.shape[:2], -1).any(-1)
    if empty.any():
        sample, channel = (int(i) for i in np.argwhere(empty)[0])
        raise ValueError(f"expected values in channel {channel} of sample {sample}, found none; remove the sample")
    return mask


def _deep_enough(array: np.ndarray) -> np.ndarray:
    if array.ndim < 3:
        raise ValueError(
            f'expected an array "sample time channel *space", got shape {array.shape}; add missing axes of length 1'
        )
    return array
