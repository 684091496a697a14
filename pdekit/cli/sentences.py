"""End a command with one sentence instead of a stack trace."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

REFUSALS = (ValueError, OSError, FloatingPointError)
"""Errors that the person who typed can correct: wrong values, files, a training that diverged."""
FULL_ERROR = "PDEKIT_FULL_ERROR"
STOPPED = "stopped; the same command starts again, and keeps what is generated"
STATUS_OF_CTRL_C = 130


@contextmanager
def sentences(status: int = 1) -> Iterator[None]:
    """Turn an error that the person who typed can correct, or Ctrl-C, into a sentence and an exit status.

    Args:
        status: exit status of such an error.

    Every other error is a defect of pdekit and keeps its trace. PDEKIT_FULL_ERROR=1 in the environment shows all of
    them.
    """
    try:
        yield
    except REFUSALS as error:
        if os.environ.get(FULL_ERROR) == "1":
            raise
        said = f"error: {sentence_of(error)}\n({FULL_ERROR}=1 shows where)"
        if status == 1:
            sys.exit(said)
        print(said, file=sys.stderr)
        sys.exit(status)
    except KeyboardInterrupt as stop:
        if str(stop):
            print(stop, flush=True)
        else:
            print(STOPPED, file=sys.stderr)
        sys.exit(STATUS_OF_CTRL_C)


def sentence_of(error: Exception) -> str:
    """Return the message of an error, without the number that the system gives it.

    >>> sentence_of(OSError(28, "No space left on device", "runs/last.ckpt"))
    'No space left on device: runs/last.ckpt; free some, or choose another disk, and go on with resume=RUN'
    """
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    where = "".join(f": {name}" for name in (error.filename2 or error.filename,) if name)
    own = str(error.strerror).startswith("expected")  # states the remedy already
    full = error.errno == errno.ENOSPC and not own
    return f"{error.strerror}{where}" + full * "; free some, or choose another disk, and go on with resume=RUN"
