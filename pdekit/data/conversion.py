"""Conversion of published files to pdekit's own store, split by split; finished splits are kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from pdekit.data.finite import check_written
from pdekit.data.formats import open_path
from pdekit.data.module import SPLITS
from pdekit.data.store import Split
from pdekit.data.windows import Source, on_one_grid
from pdekit.data.writer import SplitWriter

Progress = Callable[[str, int, int], None]


def convert(
    path: str | Path,
    out: str | Path,
    name: str = "converted",
    trust: Sequence[str] = (),
    progress: Progress | None = None,
) -> Path:
    """Write the splits of a published file or folder to ``out/data/{train,valid,test}/NAME.hdf5``.

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
    splits = open_path(path, trust)
    for split in SPLITS:
        source, target = on_one_grid(splits[split], "to convert"), Path(out) / "data" / split / f"{name}.hdf5"
        if target.exists():
            found = Split(target, trust)
            if not holds(found, source):
                raise ValueError(f"expected no other dataset at {target}, found one; give another folder or name")
            continue
        dtype = "f8" if source.read(0, slice(0, 1)).u.dtype == torch.float64 else "f4"
        made = {"converted_from": {"file": Path(path).name, "split": split}}
        with SplitWriter(target, source.problem, source.n_trajectories, name, made, dtype) as writer:
            for i in range(source.n_trajectories):
                batch = source.read(i)
                where = f"{split} trajectory {i} of {path}"
                check_written(batch, where)
                check_written(dataclasses.replace(batch, mask=None, coeffs=None), where)  # the store has u everywhere
                writer.put(batch, i)
                if progress is not None:
                    progress(split, i + 1, source.n_trajectories)
    return Path(out)


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
