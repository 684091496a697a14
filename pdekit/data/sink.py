"""A file for HDF5 to write through, which survives a full disk."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

File = TypeVar("File")


class Sink(io.FileIO):
    """File that HDF5 writes through: an error of the disk is kept in `error` instead of being raised into HDF5.

    HDF5 cannot close a file after a failed write, prints raw text and may crash the process when it tries. After the
    first error nothing is written any more, HDF5 goes on undisturbed, and the owner of the file raises the error.
    """

    def __init__(self, path: Path):
        super().__init__(path, "w+")
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._keeping_error(lambda: self._write_whole(memoryview(data).cast("B")))
        return size

    def truncate(self, size: int | None = None) -> int:
        self._keeping_error(lambda: io.FileIO.truncate(self, size))
        return self.tell()

    def _write_whole(self, data: memoryview) -> None:
        while len(data):
            data = data[io.FileIO.write(self, data) :]

    def _keeping_error(self, work: Callable[[], Any]) -> None:
        if self.error is None:
            try:
                work()
            except OSError as error:
                self.error = error

    def check(self) -> None:
        """Raise the error of the disk, if there was one."""
        if self.error is not None:
            raise self.error


@contextmanager
def through_sink(
    path: Path, library: Callable[[Sink, str], AbstractContextManager[File]]
) -> Iterator[tuple[File, Callable[[], None]]]:
    """Yield a new file of HDF5, and a function that raises the error of the disk, if there was one.

    Args:
        path: of the file.
        library: ``h5py.File`` or ``h5netcdf.File``.

    Raises:
        OSError: at the end, if the disk was full.
    """
    with Sink(path) as sink:
        with library(sink, "w") as file:
            yield file, sink.check
        sink.check()
