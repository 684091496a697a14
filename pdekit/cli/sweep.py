"""Do the jobs of a command one by one: a single one, or all of a sweep (``-m``) with one table at the end."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pdekit.cli.command_line import REFUSALS, sentence, tell

DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class Job:
    """A job of a sweep that has ended.

    Args:
        overrides: what was typed for it.
        outcome: DONE or FAILED.
        result: what it returned, or the first line of the error.
    """

    overrides: str
    outcome: str
    result: str


class Sweep:
    """The jobs of one command. A job that fails does not end the sweep."""

    def __init__(self):
        self.jobs: list[Job] = []
        self.process = os.getpid()

    def do(self, work: Callable[[], Any]) -> None:
        """Do the work of one Hydra job.

        A single job ends the command with a sentence if it fails. A job of a sweep prints the sentence and is recorded.
        A launcher that does the jobs in other processes is given the error.
        """
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        known = HydraConfig.get()
        if known.mode != RunMode.MULTIRUN:
            tell(work)
            return
        overrides = " ".join(override.lstrip("+") for override in known.overrides.task)
        try:
            result = work()
        except KeyboardInterrupt as stop:
            self.jobs.append(Job(overrides, FAILED, str(stop) or "stopped"))
            raise
        except Exception as error:
            if os.getpid() != self.process:
                raise
            if not isinstance(error, REFUSALS) or os.environ.get("PDEKIT_FULL_ERROR") == "1":
                traceback.print_exception(error)
            said = sentence(error) or type(error).__name__
            print(f"error: {said}\n(the sweep goes on)", file=sys.stderr)
            self.jobs.append(Job(overrides, FAILED, said.splitlines()[0]))
        else:
            self.jobs.append(Job(overrides, DONE, "" if result is None else str(result)))

    def end(self) -> None:
        """Print the table of a sweep; exit with 1 if a job failed."""
        if not self.jobs:
            return
        failed = sum(job.outcome == FAILED for job in self.jobs)
        width = max(len(job.overrides) for job in self.jobs)
        print(f"{len(self.jobs)} jobs, {failed} failed:")
        for job in self.jobs:
            print(f"  {job.overrides:<{width}}  {job.outcome:<6}  {job.result}".rstrip())
        if failed:
            sys.exit(1)
