"""Metadata of foreign HDF5 files, read once in a child process before they are read here.

libhdf5 can loop forever, or crash, while it reads damaged metadata, for example a string attribute whose heap is
damaged. A child process that reads the same things (`pdekit.data.hdf5_walk`) either ends, and then they can be read
here, too; or it makes no progress, and the file is refused. It takes about 0.2 s, once for each content; the files of
one dataset share a child process.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pdekit.data import hdf5_walk
from pdekit.data.hdf5 import FileFault

SECONDS = 10.0  # without progress
LONGEST = 600.0
TOGETHER = 256  # files for one child process


def check_readable(path: Path) -> None:
    """Check that the metadata of a file can be read.

    Raises:
        FileNotFoundError: if there is no file.
        FileFault: if libhdf5 hangs or crashes on them.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"expected a dataset at {path}, found none; generate it or correct the path")
    state = os.stat(path)
    found = _outcome(str(Path(path).resolve()), state.st_size, state.st_mtime_ns)
    if found:
        raise FileFault(f"expected readable metadata in {path}, but libhdf5 {found}; fetch the damaged file again")


def check_all_readable(paths: Sequence[Path]) -> None:
    """Check that the metadata of several files can be read, as `check_readable` does, with few child processes.

    Raises:
        FileNotFoundError, FileFault: as `check_readable`, for the first file at fault.
    """
    for first in range(0, len(paths), TOGETHER):
        some = [str(Path(path).resolve()) for path in paths[first : first + TOGETHER]]
        if len(some) == 1 or _walked(some):
            for path in paths[first : first + TOGETHER]:
                check_readable(path)


@lru_cache(maxsize=4096)
def _outcome(path: str, size: int, changed: int) -> str:
    """Return what goes wrong in the child process, "" if nothing; a changed file is looked at again."""
    return _walked([path])


def _walked(paths: Sequence[str]) -> str:
    """Return what goes wrong in a child process that reads the metadata of some files, "" if nothing."""
    command = [sys.executable, "-S", "-P", hdf5_walk.__file__, *paths]
    # without site, whose hooks take as long as the walk itself; packages come from the same places as here
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    output, end = child.stdout, time.monotonic() + LONGEST
    assert output is not None  # a pipe
    try:
        while time.monotonic() < end:
            ready, _, _ = select.select([output], [], [], SECONDS)
            if not ready:
                return f"made no progress for {SECONDS:g} s"
            if not output.read1(1 << 16):
                code = child.wait(SECONDS)
                return "" if code >= 0 else f"crashed (signal {-code})"
        return f"was not through after {LONGEST:g} s"
    finally:
        child.kill()
        child.wait()
        output.close()
