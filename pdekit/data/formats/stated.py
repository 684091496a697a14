"""Problems that a file of pdekit states itself (JSON), next to a layout that other programs read."""

from __future__ import annotations

from collections.abc import Sequence

import h5py

from pdekit.data.hdf5 import FAULTS, FileFault, reading, texts
from pdekit.data.layout import problem_from_plain
from pdekit.fields import Problem
from pdekit.plain import from_json

ATTRIBUTE = "pdekit"


def stated_problem(document: str, place: str, trust: Sequence[str] = ()) -> Problem:
    """Return the problem of a document.

    Args:
        document: JSON, as `pdekit.data.layout.problem_to_plain` makes it.
        place: file and key, for messages.
        trust: packages in addition to pdekit that its equation may come from.

    Raises:
        ValueError: if it is damaged, or the equation is of another package.
    """
    try:
        return problem_from_plain(from_json(document), trust)
    except FAULTS as error:
        raise FileFault(f"expected a problem in {place}, found {error}; export it again") from None


def states_problem(file: h5py.File) -> bool:
    """Return whether an HDF5 file has the attribute of a problem."""
    with reading(file, f"@{ATTRIBUTE}"):
        return ATTRIBUTE in file.attrs


def as_stated(file: h5py.File, found: Problem, trust: Sequence[str] = ()) -> Problem:
    """Return the problem that an HDF5 file states in its attribute, or the one that its arrays were read as.

    Args:
        file: open for reading.
        found: problem of the arrays.
        trust: as in `stated_problem`.

    Raises:
        ValueError: as `stated_problem`, or if the arrays are of other sizes.
    """
    if not states_problem(file):
        return found
    place = f"the attribute {ATTRIBUTE!r} of {file.filename}"
    stated = stated_problem("".join(texts(file, "", ATTRIBUTE)), place, trust)
    sizes = [
        (tuple(item.grid.shape), item.n_frames, item.n_channels, len(item.coeffs), len(item.forcing), len(item.params))
        for item in (stated, found)
    ]
    if sizes[0] != sizes[1] or stated.has_mask or stated.has_text or not stated.on_box:
        raise FileFault(
            f"expected {place} to state the grid, frames, fields, inputs and parameters {sizes[1]} of the arrays, "
            f"found {sizes[0]}; export it again"
        )
    return stated
