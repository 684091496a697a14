"""Conversion of published files to pdekit's own store, split by split; finished splits are kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pdekit.data.finite import check_written
from pdekit.data.formats import open_path
from pdekit.data.formats.contract import field_tensors
from pdekit.data.module import DataModule
from pdekit.data.store import Split
from pdekit.data.windows import Source, grids_of, trajectories_on
from pdekit.data.writer import SplitWriter

Progress = Callable[[str, int, int], None]


def convert(
    path: str | Path,
    out: str | Path,
    name: str = "converted",
    trust: Sequence[str] = (),
    progress: Progress | None = None,
) -> Path:
    """Write the splits of a file or folder to ``out/data/{train,valid,test}/NAME.hdf5``, pdekit's own store included.

    Trajectories on several grids go to a file for each grid, ``NAME_16x12.hdf5``.

    Values are those of the source: float64 stays float64. A split appears when it is complete; one that is there
    already, of the same problem, number of trajectories, and values of the first and the last one, is kept, so that the
    same command continues an interrupted conversion.

    Args:
        path: path of the file or folder.
        out: folder to write to.
        name: name of the dataset.
        trust: packages that formats may come from.
        progress: called with the split, the trajectories written, and all of them.

    Returns:
        The folder, for ``path=FOLDER`` and `DataModule.from_folder`.

    Raises:
        FileNotFoundError, ValueError: if nothing is there, the layout is unknown, the file is damaged, or another
            dataset is in the way.
    """
    found = open_path(path, trust)
    for split, whole in DataModule(found["train"], found["valid"], found["test"]).sources.items():
        folder, grids, before = Path(out) / "data" / split, grids_of(whole), 0
        for grid in grids:
            source = trajectories_on(whole, grid)
            size = f"_{'x'.join(map(str, grid.shape))}" if len(grids) > 1 else ""
            target = folder / f"{name}{size}.hdf5"
            if not target.exists():
                made = {"converted_from": {"file": Path(path).name, "split": split}}
                tick = partial(_tick, progress, split, before, whole.n_trajectories)
                _write(source, target, name, made, f"{split} trajectory {{}} of {path}", tick)
            elif not holds(Split(target, trust), source):
                raise ValueError(f"expected no other dataset at {target}, found one; give another folder or name")
            before += source.n_trajectories
    return Path(out)


def _tick(progress: Progress | None, split: str, before: int, total: int, done: int) -> None:
    if progress is not None:
        progress(split, before + done, total)


def _write(
    source: Source, target: Path, name: str, made: dict[str, Any], where: str, tick: Callable[[int], None]
) -> None:
    """Write the trajectories of one grid to one file, in float64 if one of their parts is."""
    parts = field_tensors(source.read(0, slice(0, 1))).values()
    dtype = "f8" if any(part.dtype == torch.float64 for part in parts) else "f4"
    with SplitWriter(target, source.problem, source.n_trajectories, name, made, dtype) as writer:
        for i in range(source.n_trajectories):
            batch = source.read(i)
            check_written(batch, where.format(i))
            check_written(dataclasses.replace(batch, mask=None, coeffs=None), where.format(i))  # u is stored everywhere
            writer.put(batch, i)
            tick(i + 1)


def holds(found: Source, source: Source) -> bool:
    """Return whether trajectories are those of a source: problem, number, and the fields of the first and last one."""
    if (found.problem, found.n_trajectories) != (source.problem, source.n_trajectories):
        return False
    for i in {0, source.n_trajectories - 1}:
        one, other = found.read(i), source.read(i)
        inside = torch.ones_like(other.u) if other.mask is None else other.mask[:, None].expand_as(other.u)
        a, b = (torch.where(inside > 0, batch.u.double(), 0.0).nan_to_num() for batch in (one, other))
        if not torch.equal(a, b):
            return False
    return True
