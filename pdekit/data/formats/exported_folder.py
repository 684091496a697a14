"""Folders of exports of pdekit, a file or folder for each split: ``train.nc``, ``valid.nc``, ``test.nc``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pdekit.data.formats import exported, exported_vtk, pdebench
from pdekit.data.formats.contract import WHOLE, Format
from pdekit.data.formats.stated import states_problem
from pdekit.data.hdf5 import open_hdf5
from pdekit.data.windows import Source

SPLITS = ("train", "valid", "test", WHOLE)


def _pdebench_of_pdekit(path: Path, known: Format) -> bool:
    if not known.recognises(path):
        return False
    with open_hdf5(path) as file:
        return states_problem(file)


def _layout(path: Path) -> Format | None:
    """Return the layout of one split that pdekit exported; None for anything else."""
    if path.suffix == ".hdf5":
        return next((known for known in pdebench.FORMATS if _pdebench_of_pdekit(path, known)), None)
    others = (*exported.FORMATS, *exported_vtk.FORMATS)
    return next((known for known in others if known.recognises(path)), None)


def _parts(path: Path) -> Iterator[tuple[str, Path, Format]]:
    """Yield split, file or folder, and layout of what a folder holds."""
    for place in sorted(path.iterdir()) if path.is_dir() else ():
        known = _layout(place) if place.stem in SPLITS and place.suffix in ("", ".nc", ".zarr", ".hdf5") else None
        if known is not None:
            yield place.stem, place, known


def _recognises(path: Path) -> bool:
    return next(_parts(path), None) is not None


def _open_folder(path: Path, trust: Sequence[str] = ()) -> dict[str, Source]:
    """Open the splits of a folder.

    Raises:
        ValueError: if a split is there twice, or one is damaged.
    """
    found: dict[str, Source] = {}
    for split, place, known in _parts(path):
        if split in found:
            raise ValueError(
                f"expected one export of the split {split} in {path}, found two; remove one, or name a file"
            )
        assert known.open_trusting is not None, "exports hold equations"
        found[split] = known.open_trusting(place, trust)[WHOLE]
    return found


FORMATS = (Format("exports of pdekit, by split", _recognises, _open_folder, open_trusting=_open_folder),)
