"""Arrays of numbers in MATLAB files of versions 4 to 7.2, read with every length checked against the file.

scipy.io.loadmat is compiled code that some damaged files crash. This reader takes full arrays of numbers only; cells,
structures, sparse matrices, texts and objects are named but not read.
Source: The MathWorks, "MAT-File Format" (R2024a), sections on level 4 and level 5 files.
"""

from __future__ import annotations

import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

# data type of an element -> NumPy (table "MAT-File Data Types")
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MATRIX, COMPRESSED = 14, 15
# class of an array -> NumPy (table "MATLAB Array Types (Classes)")
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
COMPLEX = 0x0800
LEVEL_4 = ("f8", "f4", "i4", "i2", "u2", "u1")
LARGEST = 1 << 31  # bytes of one variable in these versions
RATIO = 1100  # largest ratio of DEFLATE is 1032


def read_arrays(path: Path) -> dict[str, np.ndarray | None]:
    """The variables of a file by name: arrays of numbers, and None for every other kind.

    Raises:
        ValueError: if the file is damaged, or of another version; the message does not name the file.
    """
    content = memoryview(path.read_bytes())
    if len(content) < 20:
        raise ValueError(f"a header is expected, {len(content)} bytes are found")
    if 0 in content[:4]:
        return _level_4(content)
    if len(content) < 128 or bytes(content[126:128]) not in (b"IM", b"MI"):
        raise ValueError("the header of a MATLAB file is expected, another is found")
    order = "<" if bytes(content[126:128]) == b"IM" else ">"
    found, place = {}, 128
    while place < len(content):
        kind, data, place = _element(content, place, order)
        if kind == COMPRESSED:
            kind, data, _ = _element(_inflate(data, order), 0, order)
        if kind == MATRIX and len(data):
            name, array = _matrix(data, order)
            found[name] = array
    return found


def _element(content: memoryview, place: int, order: str) -> tuple[int, memoryview, int]:
    """Type and data of the element at a place, and the place of the next."""
    if place + 8 > len(content):
        raise ValueError(f"an element is expected at byte {place}, the end is found")
    kind, size = struct.unpack_from(f"{order}II", content, place)
    if kind >> 16:  # small element: type and size in one word, data in the next
        kind, size, start, after = kind & 0xFFFF, kind >> 16, place + 4, place + 8
        if size > 4:
            raise ValueError(f"a small element of at most 4 bytes is expected at byte {place}, {size} are found")
    else:
        start = place + 8
        after = start + size if kind == COMPRESSED else start + size + -size % 8
    if start + size > len(content):
        raise ValueError(f"{size} bytes are expected at byte {place}, {len(content) - start} are found")
    return kind, content[start : start + size], after


def _inflate(data: memoryview, order: str) -> memoryview:
    unpacker = zlib.decompressobj()
    try:
        head = unpacker.decompress(data, 8)
        if len(head) < 8:
            raise ValueError("a compressed variable is expected, its start is missing")
        kind, size = struct.unpack(f"{order}II", head)
        if kind != MATRIX or size > min(LARGEST, RATIO * len(data)):
            raise ValueError(f"a compressed array is expected, type {kind} of {size} bytes is found")
        return memoryview(head + unpacker.decompress(unpacker.unconsumed_tail, max(size, 1)))
    except zlib.error as error:
        raise ValueError(f"compressed data are expected, {error}") from None


def _matrix(data: memoryview, order: str) -> tuple[str, np.ndarray | None]:
    _, flags, place = _element(data, 0, order)
    if len(flags) != 8:
        raise ValueError(f"array flags of 8 bytes are expected, {len(flags)} are found")
    (word,) = struct.unpack_from(f"{order}I", flags, 0)
    kind, sizes, place = _element(data, place, order)
    shape = tuple(_numbers(kind, sizes, order).tolist())
    _, label, place = _element(data, place, order)
    name = bytes(label).decode("latin-1")
    if word & 0xFF not in CLASSES:
        return name, None
    if len(shape) < 2 or len(shape) > 32 or min(shape) < 0:
        raise ValueError(f"a shape of two axes or more is expected for {name!r}, {shape[:8]} is found")
    parts = []
    for _ in range(2 if word & COMPLEX else 1):
        kind, numbers, place = _element(data, place, order)
        part = _numbers(kind, numbers, order)
        if len(part) != prod(shape):
            raise ValueError(f"{prod(shape)} numbers are expected for {name!r} of shape {shape}, {len(part)} are found")
        parts.append(part.astype(CLASSES[word & 0xFF]).reshape(shape, order="F"))
    return name, parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1]


def _numbers(kind: int, data: memoryview, order: str) -> np.ndarray:
    if kind not in TYPES or len(data) % int(TYPES[kind][1]):
        raise ValueError(f"numbers are expected, an element of type {kind} with {len(data)} bytes is found")
    return np.frombuffer(data, order + TYPES[kind])


def _level_4(content: memoryview) -> dict[str, np.ndarray | None]:
    found, place = {}, 0
    order = "<" if struct.unpack_from("<i", content)[0] in range(5000) else ">"
    while place < len(content):
        if place + 20 > len(content):
            raise ValueError(f"a variable is expected at byte {place}, the end is found")
        kind, rows, columns, is_complex, length = struct.unpack_from(f"{order}5i", content, place)
        precision, matrix = kind // 10 % 10, kind % 10
        parts = 2 if is_complex else 1
        if min(rows, columns, length) < 0 or precision >= len(LEVEL_4) or kind // 100 % 10 or kind not in range(5000):
            raise ValueError(f"a variable of level 4 is expected at byte {place}, type {kind} is found")
        dtype = np.dtype(order + LEVEL_4[precision])
        start, count = place + 20 + length, rows * columns
        place = start + parts * count * dtype.itemsize
        if place > len(content):
            raise ValueError(f"{parts * count} numbers are expected at byte {start}, the end is found")
        name = bytes(content[start - length : start]).rstrip(b"\0").decode("latin-1")
        numbers = np.frombuffer(content, dtype, parts * count, start).reshape(parts, count)
        array = numbers[0] if parts == 1 else numbers[0] + 1j * numbers[1]
        found[name] = array.reshape((rows, columns), order="F") if matrix == 0 else None
    return found
