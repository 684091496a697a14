"""Making a dataset in chunks: interruptions lose at most a chunk, and processes and machines share the work.

<data dir>/<name>/<hash>/work/<split>-<first>.npz            a chunk, while the dataset is made
<data dir>/<name>/<hash>/work/<split>-<first>.claim-<n>      its claim, see `pdekit.recipes.claims`
<data dir>/<name>/<hash>/data/<split>/<name>.hdf5            when it is complete; the folder appears at once

Start the same command several times, also on machines that share the folder. The numbers are always the same.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import h5py
import numpy as np
import torch

from pdekit.data.layout import OURS
from pdekit.data.writer import SplitWriter, replacing
from pdekit.fields import Problem, Trajectory, n_values
from pdekit.plain import to_json
from pdekit.provenance import provenance
from pdekit.recipes.base import SPLITS, BaseRecipe, Tick
from pdekit.recipes.claims import Observer, claimed
from pdekit.recipes.resolved import unresolved
from pdekit.recipes.workers import Task, run_tasks

CHECK, MERGE = "check", "merge"
Say = Callable[[str], None]

SECONDS = "seconds"
STORED = ("u", "t", "coeffs", "mask", "params", "points", "point_mask", "cells")
"""Parts of a trajectory that a chunk keeps as arrays."""
PAUSE = 0.5
"""Seconds between two looks at the pieces that other processes make."""


@dataclass(frozen=True)
class Piece:
    """Unit of work that one process does: a chunk of trajectories, or the check of the reference.

    Args:
        name: name of its files in the work folder.
        work: units of work.
        make: ``make(tick)`` makes its file.
        traces: files or folders that exist when it is done: its own file, then those that follow from it, in the order
            in which they appear. Each appears before the one in front of it is removed.
    """

    name: str
    work: int
    make: Callable[[Tick], None]
    traces: tuple[Path, ...]

    @property
    def done(self) -> bool:
        """True if the file of the piece, or a file made of it, exists."""
        return any(path.exists() for path in self.traces)


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
        ValueError: if the solver gives NaN or Inf, or the recipe has none.
        OSError: if the disk is (or would become) full; finished chunks are kept.
    """
    if not recipe.solved:
        raise ValueError(
            f"expected a solver in the recipe {recipe.name}, found none: the problem is stated, and no reference "
            "solution of it can be generated; set solver in the recipe, or train model=pinn with evaluate=false"
        )
    folder = folder_of(recipe, base)
    if is_complete(folder):
        say(f"dataset {recipe.name} exists already: {folder}")
        _warn(recipe, folder, say)
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    _check_room(recipe, folder)
    made = _share(recipe, folder, workers, device, progress, say)
    shared = "" if made else ", completed by another process"
    say(f"generated {recipe.name} in {time.monotonic() - began:.0f} s{shared}: {folder}")
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


def _share(recipe: BaseRecipe, folder: Path, workers: int, device: str, progress: bool, say: Say) -> bool:
    """Make all pieces that no other process makes, until the dataset is complete; return whether it was merged here."""
    work, waiting = folder / "work", False
    pieces, observer = _pieces(recipe, folder, device), Observer(work)
    total = sum(piece.work for piece in pieces)
    done = total - sum(piece.work for piece in pieces if not piece.done)
    if done:
        say(f"going on with {recipe.name}: {100 * done / total:.0f} % are done")
    while not is_complete(folder):
        work.mkdir(exist_ok=True)
        missing = [piece for piece in pieces if not piece.done]
        free = observer.free([piece.name for piece in missing] or [MERGE])
        if MERGE in free:
            if _merged(recipe, folder, free[MERGE], {"workers": workers, "device": device}):
                return True
        elif free:
            tasks = [Task(make_piece, (piece, work, free[piece.name])) for piece in missing if piece.name in free]
            done = total - sum(piece.work for piece in missing)
            run_tasks(tasks, workers, progress, f"generating {recipe.name}", total, done)
        else:
            if not waiting:
                say(f"other processes make the rest of {recipe.name} in {folder}; waiting for them")
            waiting = True
            time.sleep(PAUSE)
    with suppress(OSError):  # not empty: another process removes it
        work.rmdir()
    return False


def _pieces(recipe: BaseRecipe, folder: Path, device: str) -> list[Piece]:
    work, end = folder / "work", folder / "data"
    found = []
    for split, numbers in chunks(recipe):
        traces = (_chunk_path(work, split, numbers.start), _split_path(work, recipe, split), end)
        make = partial(make_chunk, recipe, split, numbers, work, device)
        found.append(Piece(traces[0].stem, recipe.work(split, len(numbers)), make, traces))
    make = partial(make_check, recipe, work, device)
    return [*found, Piece(CHECK, recipe.check_work, make, (_check_path(work), end))]


def make_piece(tick: Tick, piece: Piece, work: Path, number: int) -> None:
    """Make a piece under a claim; nothing if another process has claimed or made it."""
    with claimed(work, piece.name, number) as mine:
        if piece.done:
            tick(piece.work)
        elif mine:
            piece.make(tick)


def _check_room(recipe: BaseRecipe, folder: Path) -> None:
    """Refuse to begin what cannot be finished: chunks and, for a moment, the largest file next to them."""
    sizes = [recipe.n_trajectories[split] * _bytes(recipe.problem(split)) for split in SPLITS]
    needed, free = sum(sizes) + max(sizes) - _size(folder / "work"), shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"expected {needed / 1e6:.0f} MB of free space for {recipe.name} in {folder}, found {free / 1e6:.0f} MB; "
            "free some, or set PDEKIT_DATA to a folder on another disk",
        )


def _size(folder: Path) -> int:
    """Bytes of all files of a folder, from which other processes may remove some meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += (Path(place) / name).stat().st_size
    return total


def _bytes(problem: Problem) -> int:
    """Bytes of the fields of one trajectory in a file."""
    channels = problem.n_frames * problem.n_channels + len(problem.coeffs) + problem.n_channels * problem.has_mask
    return 4 * channels * n_values(problem.grid)


def make_chunk(recipe: BaseRecipe, split: str, numbers: range, work: Path, device: str, tick: Tick) -> None:
    """Simulate some trajectories and write them with the time that it took; the file appears complete."""
    began = time.monotonic()
    batch = recipe.simulate(split, numbers, device, tick)
    parts = {name: getattr(batch, name) for name in STORED}
    arrays = {name: values.numpy() for name, values in parts.items() if values is not None}
    if batch.text is not None:
        arrays["text"] = np.array(batch.text)
    arrays[SECONDS] = np.array(time.monotonic() - began)
    with replacing(_chunk_path(work, split, numbers.start)) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def make_check(recipe: BaseRecipe, work: Path, device: str, tick: Tick) -> None:
    """Check the reference and write the result with the time that it took."""
    began = time.monotonic()
    found = recipe.check(device, tick)
    with replacing(_check_path(work)) as temporary:
        temporary.write_text(to_json({"found": found, SECONDS: time.monotonic() - began}))


def read_chunk(path: Path) -> Trajectory:
    """The trajectories of a chunk."""
    with np.load(path, allow_pickle=False) as file:
        parts = {name: torch.from_numpy(file[name]) for name in file.files if name not in ("text", SECONDS)}
        text = tuple(str(line) for line in file["text"]) if "text" in file else None
    return Trajectory(**parts, text=text)


def _split_path(work: Path, recipe: BaseRecipe, split: str) -> Path:
    return work / "data" / split / f"{recipe.name}.hdf5"


def _check_path(work: Path) -> Path:
    return work / f"{CHECK}.json"


def _merged(recipe: BaseRecipe, folder: Path, claim: int, made_with: dict[str, Any]) -> bool:
    """Merge all pieces under a claim; return whether this process has done it."""
    with claimed(folder / "work", MERGE, claim) as mine:
        if not mine or is_complete(folder):
            return False
        try:
            _merge(recipe, folder, made_with)
        except FileNotFoundError:
            if not is_complete(folder):
                raise
            return False  # this process was suspended, and another one has taken over
    return True


def _merge(recipe: BaseRecipe, folder: Path, made_with: dict[str, Any]) -> None:
    """Chunks into one file for each split, then the whole folder into its place."""
    work = folder / "work"
    record = provenance(**made_with, seconds=_seconds(recipe, work, made_with["workers"]))
    check = json.loads(_check_path(work).read_text())["found"]
    documents = {**recipe.document(), "self_convergence": check, "provenance": record}
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
    for left in (work / "data").rglob(".*.part"):  # of a process that was killed while it merged
        left.unlink()
    os.replace(work / "data", folder / "data")
    rest = folder / f".{work.name}-{uuid4().hex}"  # under this name no process adds a claim
    os.replace(work, rest)
    shutil.rmtree(rest)


def _seconds(recipe: BaseRecipe, work: Path, workers: int) -> float:
    """Time that all pieces take with so many processes; it is kept, because merging removes the chunks.

    Raises:
        ValueError: if an older version of pdekit made a piece, which does not state its time.
    """
    path = work / "cost.json"
    if not path.exists():
        try:
            total = json.loads(_check_path(work).read_text())[SECONDS]
            for split, numbers in chunks(recipe):
                with np.load(_chunk_path(work, split, numbers.start), allow_pickle=False) as file:
                    total += float(file[SECONDS])
        except KeyError:
            raise ValueError(
                f"expected the time of each piece in {work}, found a piece of an older version of "
                "pdekit without; remove this folder, and run the same command again"
            ) from None
        with replacing(path) as temporary:
            temporary.write_text(to_json({SECONDS: total}))
    return round(json.loads(path.read_text())[SECONDS] / workers, 1)
