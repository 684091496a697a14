"""Making a dataset: in chunks that survive an interruption, by any number of processes, always the same numbers.

<data dir>/<name>/<hash>/work/<split>-<first>.npz      while it is made
<data dir>/<name>/<hash>/data/<split>/<name>.hdf5      when it is complete; the folder appears at once
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch

from pdekit.data.convergence import self_convergence
from pdekit.data.convergence import work as convergence_work
from pdekit.data.recipe import SPLITS, Recipe
from pdekit.data.simulation import Tick, simulate
from pdekit.data.workers import Task, run_tasks
from pdekit.data.writer import SplitWriter, replacing
from pdekit.fields import Trajectory
from pdekit.provenance import provenance

CHECK = "self_convergence.json"
Say = Callable[[str], None]


def data_dir() -> Path:
    """Where datasets lie: ``$PDEKIT_DATA``, else ``datasets`` under the working directory."""
    return Path(os.environ.get("PDEKIT_DATA") or "datasets")


def folder_of(recipe: Recipe, base: Path | None = None) -> Path:
    """The folder of a recipe's dataset, whether it exists or not."""
    return (base or data_dir()) / recipe.name / recipe.hash


def generate(
    recipe: Recipe,
    base: Path | None = None,
    workers: int = 1,
    device: str = "cpu",
    progress: bool = True,
    say: Say = print,
) -> Path:
    """The dataset of a recipe: generated, or completed, if it is not there.

    Args:
        recipe: what to make.
        base: the data directory, see `data_dir`.
        workers: processes, each with one thread. The numbers do not depend on it.
        device: "cpu" or "cuda"; numbers of different devices agree until predictability ends.
        progress: whether to show a bar with the time left.
        say: told in a sentence what happens.

    Returns:
        The folder, for `DataModule.from_folder`.

    Raises:
        ValueError: if the solver gives NaN or Inf.
        OSError: if the disk is (or would become) full; finished chunks are kept.
    """
    folder = folder_of(recipe, base)
    if is_complete(folder):
        say(f"dataset {recipe.name} exists already: {folder}")
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(recipe, folder, say):
        if not is_complete(folder):
            began = time.monotonic()
            _generate_chunks(recipe, folder, workers, device, progress, say)
            seconds = time.monotonic() - began
            _merge(recipe, folder, {"seconds": round(seconds, 1), "workers": workers, "device": device})
            say(f"generated {recipe.name} in {seconds:.0f} s: {folder}")
    return folder


@contextmanager
def _alone(recipe: Recipe, folder: Path, say: Say) -> Iterator[None]:
    """Hold the lock of a folder; the system lets go of it if this process is killed."""
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        say(f"another process generates {recipe.name} in {folder}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def is_complete(folder: Path) -> bool:
    """Whether a dataset is there: its files appear together."""
    return (folder / "data").is_dir()


def chunks(recipe: Recipe) -> list[tuple[str, range]]:
    """Split and numbers of the trajectories that are advanced together: fixed by the recipe alone."""
    return [
        (split, range(first, min(first + recipe.chunk, recipe.n_trajectories[split])))
        for split in SPLITS
        for first in range(0, recipe.n_trajectories[split], recipe.chunk)
    ]


def _chunk_path(work: Path, split: str, first: int) -> Path:
    return work / f"{split}-{first:06d}.npz"


def _generate_chunks(recipe: Recipe, folder: Path, workers: int, device: str, progress: bool, say: Say) -> None:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    for left in work.glob(".*.part"):  # of a process that was killed; the lock says that none is writing
        left.unlink()
    _check_room(recipe, folder)
    tasks, total, done = [], 0, 0
    warmup = round(recipe.warmup / recipe.dt * recipe.substeps)
    for split, numbers in chunks(recipe):
        steps = len(numbers) * (warmup + recipe.substeps * (recipe.n_frames[split] - 1))
        total += steps
        if _chunk_path(work, split, numbers.start).exists() or _split_path(work, recipe, split).exists():
            done += steps
        else:
            tasks.append(Task(make_chunk, (recipe, split, numbers, work, device)))
    total += convergence_work(recipe)
    if (work / CHECK).exists():
        done += convergence_work(recipe)
    else:
        tasks.append(Task(make_check, (recipe, work, device)))
    if done:
        say(f"going on with {recipe.name}: {100 * done / total:.0f} % were done before")
    run_tasks(tasks, workers, progress, f"generating {recipe.name}", total, done)


def _check_room(recipe: Recipe, folder: Path) -> None:
    """Refuse to begin what cannot be finished: chunks and, for a moment, the largest file beside them."""
    frame = 4 * len(recipe.pde.fields) * int(np.prod(recipe.grid.shape))
    sizes = [recipe.n_trajectories[split] * recipe.n_frames[split] * frame for split in SPLITS]
    there = sum(file.stat().st_size for file in (folder / "work").rglob("*") if file.is_file())
    needed, free = sum(sizes) + max(sizes) - there, shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"expected {needed / 1e6:.0f} MB of free space for {recipe.name} in {folder}, found {free / 1e6:.0f} MB; "
            "free some, or set PDEKIT_DATA to a folder on another disk",
        )


def make_chunk(tick: Tick, recipe: Recipe, split: str, numbers: range, work: Path, device: str) -> None:
    """Simulate some trajectories and write them; the file appears complete."""
    batch = simulate(recipe, split, numbers, device, tick)
    parts: dict[str, Any] = {"u": batch.u.numpy(), "t": batch.t.numpy()}
    if batch.params is not None:
        parts["params"] = batch.params.numpy()
    if batch.text is not None:
        parts["text"] = np.array(batch.text)
    with replacing(_chunk_path(work, split, numbers.start)) as temporary, open(temporary, "wb") as file:
        np.savez(file, **parts)


def make_check(tick: Tick, recipe: Recipe, work: Path, device: str) -> None:
    """Check the reference and write what was found."""
    found = self_convergence(recipe, device, tick)
    with replacing(work / CHECK) as temporary:
        temporary.write_text(json.dumps(found))


def read_chunk(path: Path) -> Trajectory:
    """The trajectories of a chunk."""
    with np.load(path, allow_pickle=False) as parts:
        params = torch.from_numpy(parts["params"]) if "params" in parts else None
        text = tuple(str(line) for line in parts["text"]) if "text" in parts else None
        return Trajectory(torch.from_numpy(parts["u"]), torch.from_numpy(parts["t"]), params=params, text=text)


def _split_path(work: Path, recipe: Recipe, split: str) -> Path:
    return work / "data" / split / f"{recipe.name}.hdf5"


def _merge(recipe: Recipe, folder: Path, cost: dict[str, Any]) -> None:
    """Chunks into one file for each split, then the whole folder into its place."""
    work = folder / "work"
    documents = {
        **recipe.document(),
        "self_convergence": json.loads((work / CHECK).read_text()),
        "provenance": provenance(**cost),
    }
    for split in SPLITS:
        mine = [numbers for name, numbers in chunks(recipe) if name == split]
        path = _split_path(work, recipe, split)
        if not path.exists():
            count = recipe.n_trajectories[split]
            with SplitWriter(path, recipe.problem(split), count, recipe.name, documents) as writer:
                for numbers in mine:
                    writer.put(read_chunk(_chunk_path(work, split, numbers.start)), numbers.start)
        for numbers in mine:
            _chunk_path(work, split, numbers.start).unlink(missing_ok=True)
    os.replace(work / "data", folder / "data")
    shutil.rmtree(work)
