"""Program that reads the metadata of an HDF5 file: ``python -P hdf5_walk.py FILE...``.

It visits every object once. It reads each attribute, each short text and where each dataset is stored, and writes one
byte for each object, so that its parent sees progress. On damaged files libhdf5 can loop or crash in these calls;
therefore `pdekit.data.probe` runs them in a child process. Errors are ignored: the reader in the parent process meets
them again and explains them.
"""

import contextlib
import sys
from math import prod

import h5py

LARGEST = 1 << 20  # bytes of an attribute or a text that a reader would take


def visit(item: h5py.Group | h5py.Dataset) -> None:
    """Read what a reader of headers reads of one object."""
    for name in sorted(item.attrs):
        with contextlib.suppress(Exception):
            stored = item.attrs.get_id(name)
            if prod(stored.shape or ()) * max(stored.dtype.itemsize, 1) <= LARGEST:
                item.attrs[name]
    if isinstance(item, h5py.Dataset):
        for call in (find_storage, count_scales, read_text):  # an error in one must not hide a hang in another
            with contextlib.suppress(Exception):
                call(item)


def find_storage(item: h5py.Dataset) -> None:
    """Read where a dataset is stored."""
    item.id.get_storage_size()
    if item.chunks is not None:
        item.id.get_num_chunks()


def count_scales(item: h5py.Dataset) -> None:
    """Read the scales of each dimension of a dataset."""
    for scales in item.dims:
        len(scales)


def read_text(item: h5py.Dataset) -> None:
    """Read a dataset of variable length, if it is short."""
    if item.dtype.hasobject and item.size <= LARGEST // 16:
        item[()]


def main() -> None:
    """Visit every object of the files that the command line names; exit without an error if all can be read."""
    for path in sys.argv[1:]:
        with contextlib.suppress(Exception):
            walk(path)


def walk(path: str) -> None:
    """Visit every object of one file."""
    with h5py.File(path, "r") as file:
        visit(file)

        def each(name: str) -> None:
            with contextlib.suppress(Exception):
                visit(file[name])
            sys.stdout.write(".")
            sys.stdout.flush()

        file.visit(each)


if __name__ == "__main__":
    main()
