"""Readers of published layouts, recognised by what a file contains and not by its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from pdekit.data.formats import (
    apebench,
    exported,
    exported_folder,
    exported_vtk,
    mapped_hdf5,
    matlab_files,
    mesh_files,
    mesh_flows,
    multiphysics_bench,
    named_files,
    numpy_files,
    pdearena,
    pdearena_weather,
    pdebench,
    pdebench_folder,
    poseidon,
    realpdebench,
    staggered_flow,
    torch_files,
    wdno_smoke,
)
from pdekit.data.formats.contract import WHOLE, Format, all_splits, is_address, root_names
from pdekit.data.formats.the_well import TheWell, fit_together, is_the_well, on_each_grid
from pdekit.data.hdf5 import names, open_hdf5
from pdekit.data.layout import OURS
from pdekit.data.natural_order import by_number
from pdekit.data.probe import check_readable
from pdekit.data.resolutions import together
from pdekit.data.store import Split
from pdekit.data.windows import Source

SPLITS = ("train", "valid", "test")
GROUP = "pdekit.formats"  # entry points of other packages


def _ours_or_the_well(path: Path) -> bool:
    found = root_names(path)
    if not found or OURS in found:
        return bool(found)
    with open_hdf5(path) as file:
        return is_the_well(file)


def split_files(folder: Path) -> dict[str, list[Path]]:
    """Return the HDF5 files in ``<folder>/data/{train,valid,test}`` by split, for the splits that have some."""
    places = {split: folder / "data" / split for split in SPLITS}
    found = {
        split: by_number(file for pattern in ("*.hdf5", "*.h5") for file in place.glob(pattern))
        for split, place in places.items()
    }
    return {split: files for split, files in found.items() if files}


def open_folder(folder: Path, trust: Sequence[str] = ()) -> dict[str, Source]:
    """Return the splits in ``<folder>/data/{train,valid,test}``, in pdekit's layout or The Well's.

    Args:
        folder: folder of the dataset.
        trust: packages in addition to pdekit that a stored equation may come from.

    Raises:
        FileNotFoundError, ValueError: if a file is damaged or of an unknown layout, or files do not fit together.
    """
    parts = {split: _on_each_grid(files, trust) for split, files in split_files(folder).items()}
    foreign = [part for found in parts.values() for part in found if isinstance(part, TheWell)]
    if len(foreign) == sum(map(len, parts.values())) > 1:
        fit_together(foreign)
    return {split: together(found) for split, found in parts.items()}


def _open_file(path: Path, trust: Sequence[str] = ()) -> dict[str, Source]:
    return {WHOLE: open_source([path], trust)}


FORMATS: tuple[Format, ...] = (
    Format("pdekit or The Well", _ours_or_the_well, _open_file, None, _open_file),
    Format("pdekit or The Well, by split", lambda path: bool(split_files(path)), open_folder, None, open_folder),
    *exported_folder.FORMATS,
    *pdebench.FORMATS,
    *pdebench_folder.FORMATS,
    *pdearena.FORMATS,
    *pdearena_weather.FORMATS,
    *wdno_smoke.FORMATS,
    *mesh_flows.FORMATS,
    *multiphysics_bench.FORMATS,
    *realpdebench.FORMATS,
    *poseidon.FORMATS,
    *staggered_flow.FORMATS,
    *apebench.FORMATS,
    *torch_files.FORMATS,
    *matlab_files.FORMATS,
    *mapped_hdf5.FORMATS,
    *numpy_files.FORMATS,
    *exported.FORMATS,
    *named_files.FORMATS,
    *exported_vtk.FORMATS,
    *mesh_files.FORMATS,
)
"""All formats of pdekit, in the order in which they are asked."""


def formats(trust: Sequence[str] = ()) -> Iterator[Format]:
    """Yield the formats of pdekit, and those that trusted packages add by entry points of the group pdekit.formats.

    Args:
        trust: packages whose entry points may be loaded, which runs their code.
    """
    yield from FORMATS
    for point in entry_points(group=GROUP) if trust else ():
        if point.value.partition(":")[0].split(".")[0] in trust:
            yield point.load()


def recognised(path: str | Path, trust: Sequence[str] = ()) -> Format:
    """Return the format of a file or folder.

    Args:
        path: path of the file or folder, or an address of Zarr that fsspec opens.
        trust: as in `formats`, and packages that a stored equation may come from.

    Raises:
        FileNotFoundError, ValueError: if nothing is there, or its layout is unknown; the message says what it contains.
    """
    if is_address(path):
        return Format("Zarr at an address", lambda _: False, lambda _: named_files.open_named(str(path)))
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"expected a file or folder of data at {path}, found none; correct the path")
    known = list(formats(trust))
    found = next((item for item in known if item.recognises(path)), None)
    if found is None:
        content = sorted(root_names(path)) or "no HDF5 file"
        if path.is_dir():
            content = sorted(item.name for item in path.iterdir())[:8]
        read = ", ".join(item.name for item in known)
        raise ValueError(
            f"expected a layout that pdekit reads ({read}), found {content} in {path}; load the arrays yourself and "
            "give them to pdekit.data.from_arrays"
        )
    opened = found.open_trusting
    return found if not trust or opened is None else dataclasses.replace(found, open=lambda place: opened(place, trust))


def open_path(path: str | Path, trust: Sequence[str] = ()) -> dict[str, Source]:
    """Return the splits train, valid and test of a published file or folder.

    Args:
        path: path of the file or folder, or an address of Zarr that fsspec opens.
        trust: as in `formats`.

    Raises:
        FileNotFoundError, ValueError: as `recognised`, or if the file is damaged or holds too few trajectories.
    """
    known = recognised(path, trust)
    found: Mapping[str, Source] = known.open(Path(path))
    return all_splits(found, known.test)


def open_source(files: str | Path | Sequence[str | Path], trust: Sequence[str] = ()) -> Source:
    """The trajectories of the files of one split.

    Args:
        files: one file, or several, of ours or of The Well, whose grids may differ in the number of points.
        trust: packages in addition to pdekit that a stored equation may come from.

    Raises:
        FileNotFoundError, ValueError: if a file is absent, damaged, or of an unknown layout; the message says what
            it contains.
    """
    parts = _on_each_grid([files] if isinstance(files, (str, Path)) else files, trust)
    foreign = [part for part in parts if isinstance(part, TheWell)]
    if len(foreign) > 1:
        fit_together(foreign)
    return together(parts)


def _on_each_grid(files: Sequence[str | Path], trust: Sequence[str]) -> Sequence[Source]:
    """Return sources of one grid each, in the order in which their trajectories are numbered."""
    paths = [Path(file) for file in files]
    check_readable(paths[0])
    with open_hdf5(paths[0]) as file:
        found = names(file)
        ours = OURS in found
        the_well = is_the_well(file)
    if ours:
        return [Split(path, trust) for path in paths]
    if the_well:
        return on_each_grid(paths)
    raise ValueError(
        f"expected a layout that pdekit reads (its own, The Well), found {found} in {paths[0]}; "
        "load the arrays yourself and give them to pdekit.data.from_arrays"
    )


__all__ = [
    "FORMATS",
    "SPLITS",
    "Format",
    "TheWell",
    "fit_together",
    "formats",
    "open_folder",
    "open_path",
    "open_source",
    "recognised",
    "split_files",
]
