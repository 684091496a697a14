"""Readers of published layouts, recognised by what a file contains and not by its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pdekit.data.formats.the_well import TheWell, fit_together, is_the_well
from pdekit.data.hdf5 import names, open_hdf5
from pdekit.data.layout import OURS
from pdekit.data.store import Split
from pdekit.data.windows import Source


def open_source(files: Sequence[str | Path], trust: Sequence[str] = ()) -> Source:
    """The trajectories of the files of one split.

    Args:
        files: one file of ours, or one or more files of a published layout.
        trust: packages beside pdekit that a stored equation may come from.

    Raises:
        FileNotFoundError, ValueError: if a file is absent, damaged, or of an unknown layout; the message says what
            it contains.
    """
    paths = [Path(file) for file in files]
    with open_hdf5(paths[0]) as file:
        found = names(file)
        ours = OURS in found
        the_well = is_the_well(file)
    if ours and len(paths) == 1:
        return Split(paths[0], trust)
    if ours:
        raise ValueError(
            f"expected one file of pdekit in a split, got {len(paths)} in {paths[0].parent}; remove the others"
        )
    if the_well:
        return TheWell(paths)
    raise ValueError(
        f"expected a layout that pdekit reads (its own, The Well), found {found} in {paths[0]}; "
        "load the arrays yourself and give them to pdekit.data.from_arrays"
    )


__all__ = ["TheWell", "fit_together", "open_source"]
