"""Running tasks one after the other or in processes, with a bar that shows the time left."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

Tick = Callable[[int], None]
# read by numerical libraries when they are loaded
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """A function of a module and its arguments; it is called as ``function(tick, *arguments)``."""

    function: Callable[..., None]
    arguments: tuple[Any, ...]


def run_tasks(tasks: Sequence[Task], workers: int, progress: bool, title: str, total: int, done: int = 0) -> None:
    """Run all tasks, one torch thread each; the first error ends the others and is raised.

    Processes are spawned, not forked (finite element and HDF5 libraries may hang in a forked process), and end with
    the process that started them, even if that is killed.

    Args:
        tasks: functions to call.
        workers: processes; 1 works in this one.
        progress: whether to show a bar.
        title: title of the bar.
        total, done: units of work that the tasks report through ``tick``, in all and before.
    """
    if workers < 1:
        raise ValueError(f"expected workers >= 1, got {workers}; 1 works in this process")
    with _bar(progress, title, total, done) as show:
        if workers == 1:
            _run_here(tasks, show)
        else:
            _run_in_processes(tasks, workers, show)


def _run_here(tasks: Sequence[Task], show: Tick) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the order of sums, and so the last digit, may depend on it
    try:
        for task in tasks:
            task.function(show, *task.arguments)
    finally:
        torch.set_num_threads(threads)


def _run_in_processes(tasks: Sequence[Task], workers: int, show: Tick) -> None:
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    shown = 0
    n = min(workers, max(1, len(tasks)))
    with _one_thread(), concurrent.futures.ProcessPoolExecutor(n, context, _begin, (counter,)) as pool:
        waiting = {pool.submit(_run, task) for task in tasks}
        try:
            while waiting:
                finished, waiting = concurrent.futures.wait(
                    waiting, timeout=0.2, return_when=concurrent.futures.FIRST_COMPLETED
                )
                now = counter.value
                show(now - shown)
                shown = now
                for future in finished:
                    future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that are started meanwhile use one thread each, in every library that they load."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_counter: Any = None  # of a worker process: shared with the one that started it


def _begin(counter: Any) -> None:
    """Set up a worker process."""
    global _counter
    _counter = counter
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(task: Task) -> None:
    task.function(_count, *task.arguments)


def _count(units: int) -> None:
    with _counter.get_lock():
        _counter.value += units


@contextmanager
def _bar(progress: bool, title: str, total: int, done: int) -> Iterator[Tick]:
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not progress) as bar:
        task = bar.add_task(title, total=total, completed=done)
        yield lambda units: bar.advance(task, units)
