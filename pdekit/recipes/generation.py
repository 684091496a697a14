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
import h5py
import numpy as np
import torch

from pdekit.data.layout import OURS
from pdekit.data.writer import SplitWriter, replacing
from pdekit.fields import Problem, Trajectory, n_values
from pdekit.provenance import provenance
from pdekit.recipes.base import SPLITS, BaseRecipe, Tick
from pdekit.recipes.resolved import unresolved
from pdekit.recipes.workers import Task, run_tasks

CHECK = "self_convergence.json"
Say = Callable[[str], None]


def data_dir() -> Path:
    """Folder of all datasets: ``$PDEKIT_DATA``, else ``datasets`` under the working directory."""
    return Path(os.environ.get("PDEKIT_DATA") or "datasets")


def folder_of(recipe: BaseRecipe, base: Path | None = None) -> Path:
    """The folder of a recipe's dataset, whether it exists or not."""
    return (base or data_dir()) / recipe.name / recipe.hash


def generate(
    recipe: BaseRecipe,
    base: Path | None = None,
    workers: int = 1,
    device: str = "cpu",
    progress: bool = True,
    say: Say = print,
) -> Path:
    """The dataset of a recipe: generated, or completed, if it is not there.

    Args:
        recipe: recipe of the dataset.
        base: the data directory, see `data_dir`.
        workers: processes, each with one thread. The numbers do not depend on it.
        device: "cpu" or "cuda"; numbers of different devices agree until predictability ends.
        progress: whether to show a bar with the time left.
        say: called with a sentence at each stage.

    Returns:
        The folder, for `DataModule.from_folder`.

    Raises:
        ValueError: if the solver gives NaN or Inf.
        OSError: if the disk is (or would become) full; finished chunks are kept.
    """
    folder = folder_of(recipe, base)
    if is_complete(folder):
        say(f"dataset {recipe.name} exists already: {folder}")
        _warn(recipe, folder, say)
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(recipe, folder, say):
        if not is_complete(folder):
            began = time.monotonic()
            _generate_chunks(recipe, folder, workers, device, progress, say)
            seconds = time.monotonic() - began
            _merge(recipe, folder, {"seconds": round(seconds, 1), "workers": workers, "device": device})
            say(f"generated {recipe.name} in {seconds:.0f} s: {folder}")
    _warn(recipe, folder, say)
    return folder


def _warn(recipe: BaseRecipe, folder: Path, say: Say) -> None:
    """Say it if the stored check does not confirm the reference."""
    with h5py.File(_split_path(folder, recipe, "test")) as file:
        check = json.loads(file[f"{OURS}/self_convergence"].asstr()[()])
    problem = recipe.problem("test")
    pde = problem.pde
    warning = unresolved(check, recipe.name, pde.lyapunov_exponent(problem), pde.smoothing)
    if warning:
        say(f"warning: {warning}")


@contextmanager
def _alone(recipe: BaseRecipe, folder: Path, say: Say) -> Iterator[None]:
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
    """Return whether a dataset is complete: its files appear together."""
    return (folder / "data").is_dir()


def chunks(recipe: BaseRecipe) -> list[tuple[str, range]]:
    """Split and numbers of the trajectories that are advanced together: fixed by the recipe alone."""
    return [
        (split, range(first, min(first + recipe.chunk, recipe.n_trajectories[split])))
        for split in SPLITS
        for first in range(0, recipe.n_trajectories[split], recipe.chunk)
    ]


def _chunk_path(work: Path, split: str, first: int) -> Path:
    return work / f"{split}-{first:06d}.npz"


def _generate_chunks(recipe: BaseRecipe, folder: Path, workers: int, device: str, progress: bool, say: Say) -> None:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    for left in work.glob(".*.part"):  # of a process that was killed; the lock says that none is writing
        left.unlink()
    _check_room(recipe, folder)
    tasks, total, done = [], 0, 0
    for split, numbers in chunks(recipe):
        needed = recipe.work(split, len(numbers))
        total += needed
        if _chunk_path(work, split, numbers.start).exists() or _split_path(work, recipe, split).exists():
            done += needed
        else:
            tasks.append(Task(make_chunk, (recipe, split, numbers, work, device)))
    total += recipe.check_work
    if (work / CHECK).exists():
        done += recipe.check_work
    else:
        tasks.append(Task(make_check, (recipe, work, device)))
    if done:
        say(f"going on with {recipe.name}: {100 * done / total:.0f} % were done before")
    run_tasks(tasks, workers, progress, f"generating {recipe.name}", total, done)


def _check_room(recipe: BaseRecipe, folder: Path) -> None:
    """Refuse to begin what cannot be finished: chunks and, for a moment, the largest file next to them."""
    sizes = [recipe.n_trajectories[split] * _bytes(recipe.problem(split)) for split in SPLITS]
    there = sum(file.stat().st_size for file in (folder / "work").rglob("*") if file.is_file())
    needed, free = sum(sizes) + max(sizes) - there, shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"expected {needed / 1e6:.0f} MB of free space for {recipe.name} in {folder}, found {free / 1e6:.0f} MB; "
            "free some, or set PDEKIT_DATA to a folder on another disk",
        )


def _bytes(problem: Problem) -> int:
    """Bytes of the fields of one trajectory in a file."""
    channels = problem.n_frames * problem.n_channels + len(problem.coeffs) + problem.n_channels * problem.has_mask
    return 4 * channels * n_values(problem.grid)


def make_chunk(tick: Tick, recipe: BaseRecipe, split: str, numbers: range, work: Path, device: str) -> None:
    """Simulate some trajectories and write them; the file appears complete."""
    batch = recipe.simulate(split, numbers, device, tick)
    parts = {name: getattr(batch, name) for name in ("u", "t", "coeffs", "mask", "params")}
    arrays = {name: values.numpy() for name, values in parts.items() if values is not None}
    if batch.text is not None:
        arrays["text"] = np.array(batch.text)
    with replacing(_chunk_path(work, split, numbers.start)) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def make_check(tick: Tick, recipe: BaseRecipe, work: Path, device: str) -> None:
    """Check the reference and write what was found."""
    found = recipe.check(device, tick)
    with replacing(work / CHECK) as temporary:
        temporary.write_text(json.dumps(found))


def read_chunk(path: Path) -> Trajectory:
    """The trajectories of a chunk."""
    with np.load(path, allow_pickle=False) as file:
        parts = {name: torch.from_numpy(file[name]) for name in file.files if name != "text"}
        text = tuple(str(line) for line in file["text"]) if "text" in file else None
    return Trajectory(**parts, text=text)


def _split_path(work: Path, recipe: BaseRecipe, split: str) -> Path:
    return work / "data" / split / f"{recipe.name}.hdf5"


def _merge(recipe: BaseRecipe, folder: Path, cost: dict[str, Any]) -> None:
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
