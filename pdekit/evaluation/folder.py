"""The folder of an evaluation: one evaluation at a time, and one sentence if it cannot be written."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from pdekit.data.writer import disk_full
from pdekit.evaluation.archive import PARTIAL

LOCK = ".evaluation.lock"
FILES = ("scores.nc", "forecasts.nc", "reconstruction.nc")


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder while an evaluation is written to it; the system releases it if the process is killed.

    Partial files of an evaluation that was killed, or that fails, are removed.

    Raises:
        ValueError: if another evaluation writes to the folder.
        OSError: if the folder may not be written, or the disk is full; no partial file is left.
    """
    folder = Path(folder)
    lock = filelock.FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ValueError(
            f"expected one evaluation at a time in {folder}, found another one running; wait for it, or give "
            "folder=PATH for this one"
        ) from None
    except OSError as error:
        raise OSError(
            error.errno,
            f"expected a folder for the evaluation that can be written, found {folder}: {error.strerror}; give "
            "folder=PATH with another one",
        ) from None
    try:
        remove_partial_files(folder)
        yield
    except (OSError, RuntimeError) as error:
        if disk_full(error):
            raise OSError(
                errno.ENOSPC,
                f"expected room for the evaluation in {folder}, but the disk is full; free some, or give folder=PATH "
                "on another disk, and evaluate again",
            ) from error
        raise
    finally:
        remove_partial_files(folder)
        lock.release()


def remove_partial_files(folder: Path) -> None:
    """Remove files that an evaluation has not completed; other files of such a suffix belong to the user and stay."""
    for name in FILES:
        (folder / f"{name}{PARTIAL}").unlink(missing_ok=True)
