"""The jobs of a command: a single one, or all of a sweep (``-m``) with one table at the end."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pdekit.cli.sentences import FULL_ERROR, REFUSALS, sentence_of

DONE, FAILED = "done", "failed"


@dataclass
class Job:
    """A job of a sweep.

    Args:
        overrides: settings of the job from the command line.
        outcome: DONE or FAILED.
        result: the value that the job returned, or the first line of its error.
    """

    overrides: str
    outcome: str = DONE
    result: str = ""


class Sweep:
    """The jobs of one command. A job that fails does not end a sweep.

    Args:
        several: whether this is a sweep; the error of a single job is raised.
    """

    def __init__(self, several: bool):
        self.several = several
        self.jobs: list[Job] = []

    @contextmanager
    def job(self, overrides: Sequence[str]) -> Iterator[Job]:
        """Record the outcome of the block; print the error of a job of a sweep and go on."""
        job = Job(" ".join(overrides))
        if not self.several:
            yield job
            return
        self.jobs.append(job)
        try:
            yield job
        except KeyboardInterrupt as stop:
            job.outcome, job.result = FAILED, str(stop) or "stopped"
            self.end()
            raise
        except Exception as error:
            if not isinstance(error, REFUSALS) or os.environ.get(FULL_ERROR) == "1":
                traceback.print_exception(error)
            message = sentence_of(error) or type(error).__name__
            print(f"error: {message}\n(the sweep goes on)", file=sys.stderr)
            job.outcome, job.result = FAILED, message.splitlines()[0]

    def end(self) -> int:
        """Print the table of a sweep; return the number of jobs that failed."""
        failed = sum(job.outcome == FAILED for job in self.jobs)
        if self.jobs:
            width = max(len(job.overrides) for job in self.jobs)
            print(f"{len(self.jobs)} jobs, {failed} failed:")
            for job in self.jobs:
                print(f"  {job.overrides:<{width}}  {job.outcome:<6}  {job.result}".rstrip())
        return failed
