"""Long work in one thread, so that a page stays responsive: jobs wait, run one at a time, and keep their result."""

from __future__ import annotations

import queue
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
MOST_WAITING = 4
MOST_KEPT = 8
"""Jobs whose results are kept; older ones are forgotten."""

Report = Callable[[float, str], None]
"""report(share, line): how much of a job is done, 0 to 1, and what is done now."""


@dataclass
class QueuedJob:
    """One piece of work and what became of it.

    Args:
        number: counted from 1.
        work: returns the result; is given a `Report`.
        state: `WAITING`, `RUNNING`, `DONE` or `FAILED`.
        share: done so far, 0 to 1.
        line: what is done now, or why it failed.
        result: of a job that is done.
        ended: set when it is done or failed.
    """

    number: int
    work: Callable[[Report], Any]
    state: str = WAITING
    share: float = 0.0
    line: str = ""
    result: Any = None
    ended: threading.Event = field(default_factory=threading.Event)

    def report(self, share: float, line: str) -> None:
        """Record the progress."""
        self.share, self.line = share, line


class Worker:
    """A thread that does jobs in their order. It ends with the process."""

    def __init__(self):
        self._jobs: dict[int, QueuedJob] = {}
        self._waiting: queue.Queue[QueuedJob] = queue.Queue(MOST_WAITING)
        self._lock, self._last = threading.Lock(), 0
        threading.Thread(target=self._run, name="worker", daemon=True).start()

    def submit(self, work: Callable[[Report], Any]) -> QueuedJob | None:
        """Let a piece of work wait for its turn; None if too much is waiting."""
        with self._lock:
            job = QueuedJob(self._last + 1, work)
            try:
                self._waiting.put_nowait(job)
            except queue.Full:
                return None
            self._last = job.number
            self._jobs[job.number] = job
            for old in [number for number in self._jobs if number <= job.number - MOST_KEPT]:
                del self._jobs[old]
        return job

    def job(self, number: int) -> QueuedJob | None:
        """Return a job that is not forgotten."""
        with self._lock:
            return self._jobs.get(number)

    def _run(self) -> None:
        while True:
            job = self._waiting.get()
            job.state = RUNNING
            try:
                job.result = job.work(job.report)
                job.share, job.state = 1.0, DONE
            except (ValueError, FloatingPointError) as error:  # the page shows the sentence
                job.line, job.state = str(error), FAILED
            except Exception:  # a defect: the thread goes on, and the terminal has the trace
                traceback.print_exc(file=sys.stderr)
                job.line, job.state = "failed unexpectedly; the terminal shows where", FAILED
            job.ended.set()
