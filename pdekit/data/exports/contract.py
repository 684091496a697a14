"""Contract of an export: one layout of other programs, written trajectory by trajectory."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch

from pdekit.data.windows import Source
from pdekit.data.writer import disk_full, out_of_room

Tick = Callable[[int], None]
"""Called with the number of trajectories that are written."""


@dataclass(frozen=True)
class Target:
    """One layout that data are written to.

    Args:
        name: name for people.
        suffix: of what is written for each split; "" for a folder without suffix.
        check: raises ValueError, with a remedy, for a source that the layout cannot hold; reads no fields.
        write: writes a source to a path that does not exist; the path appears when all is written.
        read: the source of what was written, to see whether a path holds the same, given the packages that its equation
            may come from; it returns None if something else is there.
    """

    name: str
    suffix: str
    check: Callable[[Source], None]
    write: Callable[[Source, Path, Tick], None]
    read: Callable[[Path, Sequence[str]], Source | None]


ELSEWHERE = "give a path on another disk"
"""Remedy for an export that the disk cannot take."""


@contextlib.contextmanager
def folder_in_place(path: Path) -> Iterator[Path]:
    """Yield a temporary folder next to ``path`` that takes its place when the block ends without an error.

    Raises:
        OSError: with a sentence, if the disk or a quota is full; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.part")  # processes of two hosts may have one number
    try:
        temporary.mkdir()
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if disk_full(error):
            raise out_of_room(path, ELSEWHERE) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def present(part: torch.Tensor | None) -> torch.Tensor:
    """Return a part of a trajectory that its problem has."""
    assert part is not None, "a source reads all parts of its problem"
    return part


def refuse(source: Source, layout: str, parts: dict[str, Any]) -> None:
    """Raise ValueError if a source has one of some parts that a layout has no place for.

    Args:
        source: the trajectories.
        layout: name of the layout.
        parts: for each part, whether the source has it.
    """
    found = [name for name, there in parts.items() if there]
    if found:
        raise ValueError(
            f"expected no {', '.join(found)} for {layout}, which has no place for them, found "
            f"{source.problem.n_channels} fields with them; export with to=netcdf, which holds everything"
        )
