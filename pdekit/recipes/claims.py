"""Claims on the parts of a dataset, by which processes and machines share the work in one folder.

A claim on PART is the file ``PART.claim-N``, created atomically. The largest N holds. The claimant sets the
modification time of its file every `BEAT` seconds. A claim is dead if its process on this machine has ended (Linux),
or if its time has not changed for `STALE` seconds on the clock of the observer; clocks of machines need not agree.
A dead claim N is taken over by creating claim N + 1: of several processes that try, one succeeds.

Limits: a claimant that is suspended for longer than `STALE` loses its claim and may finish the part as well. Both
results have the same bytes and appear whole, so only time is lost.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pdekit.data.writer import disk_full, out_of_room
from pdekit.plain import to_json

BEAT = 10.0
"""Seconds between two signs of life of a claimant."""

STALE = 150.0
"""Seconds without a sign of life after which a claim is dead; network file systems show new times a minute late."""

MARK = ".claim-"
PROCESSES = Path("/proc")
ENDED = ("Z", "X")


@contextmanager
def claimed(folder: Path, part: str, number: int) -> Iterator[bool]:
    """Hold claim ``number`` on a part during the block.

    Yields:
        True if this process has the claim. False if another one was faster, or the folder no longer exists.

    Raises:
        OSError: if the disk is full.
    """
    path = folder / f"{part}{MARK}{number}"
    try:
        with open(path, "x") as file:
            file.write(to_json(_owner()))
    except (FileExistsError, FileNotFoundError):
        yield False
        return
    except OSError as error:
        path.unlink(missing_ok=True)
        if disk_full(error):
            raise out_of_room(path) from error
        raise
    ended = threading.Event()
    heart = threading.Thread(target=_beat, args=(path, ended), daemon=True)
    heart.start()
    try:
        yield True
    finally:
        ended.set()
        heart.join()
        with suppress(FileNotFoundError):
            path.unlink()


def _beat(path: Path, ended: threading.Event) -> None:
    while not ended.wait(BEAT):
        with suppress(OSError):  # without a sign of life the claim is lost, not the part
            os.utime(path)


class Observer:
    """Finds the parts in a folder that may be claimed.

    Args:
        folder: folder of the claims.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._seen: dict[Path, tuple[int, float]] = {}

    def free(self, parts: Iterable[str]) -> dict[str, int]:
        """Return the parts that may be claimed, each with the number of the claim that takes it."""
        last: dict[str, int] = {}
        for path in self.folder.glob(f"*{MARK}*"):
            part, _, number = path.name.partition(MARK)
            if number.isdecimal():
                last[part] = max(last.get(part, 0), int(number))
        return {part: last.get(part, -1) + 1 for part in parts if part not in last or self._is_dead(part, last[part])}

    def _is_dead(self, part: str, number: int) -> bool:
        path = self.folder / f"{part}{MARK}{number}"
        try:
            changed, owner = path.stat().st_mtime_ns, path.read_text()
        except FileNotFoundError:  # given back a moment ago
            return True
        now = time.monotonic()
        before, since = self._seen.setdefault(path, (changed, now))
        if before != changed:
            self._seen[path] = (changed, since := now)
        return now - since > STALE or _has_ended(owner)


def left_behind(folder: Path, part: str) -> int | None:
    """Return the number that takes over a claim without a sign of life for `STALE` seconds; None if it is not dead.

    Other than an `Observer`, it need not have waited so long itself: it compares the times of two files on the clock of
    the file system.
    """
    texts = [path.name.partition(MARK)[2] for path in folder.glob(f"{part}{MARK}*")]
    numbers = [int(text) for text in texts if text.isdecimal()]
    if not numbers:
        return None
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".now-") as probe, suppress(FileNotFoundError):
        sign = (folder / f"{part}{MARK}{max(numbers)}").stat().st_mtime
        return max(numbers) + 1 if os.fstat(probe.fileno()).st_mtime - sign > STALE else None
    return None


def _owner() -> dict[str, Any]:
    """Machine, process number and start of this process."""
    return {"machine": _machine(), "pid": os.getpid(), "start": _start(os.getpid())}


def _has_ended(text: str) -> bool:
    """True if the text of a claim names a process of this machine that has ended."""
    try:
        owner = json.loads(text)
        machine, pid, start = owner["machine"], int(owner["pid"]), owner["start"]
    except (ValueError, LookupError, TypeError):  # it is being written, or is no claim of pdekit
        return False
    return machine == _machine() and start is not None and _start(pid) != start


def _start(pid: int) -> str | None:
    """Start time of a process that runs, which its number alone does not identify; None if it has ended or no /proc."""
    try:
        state, *rest = (PROCESSES / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in ENDED else rest[18]  # field 22 of proc_pid_stat(5)


def _machine() -> str:
    """Name of the machine and, on Linux, of the space in which its process numbers count."""
    space = PROCESSES / "self/ns/pid"
    return f"{socket.gethostname()} {os.readlink(space) if space.is_symlink() else ''}"
