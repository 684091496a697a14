"""Published files of a dataset in place of generated ones: ``data=NAME path=FOLDER``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pdekit.data.formats import open_path
from pdekit.data.formats.archives import unpack
from pdekit.data.formats.contract import is_address
from pdekit.data.formats.multiphysics_bench import TESTING, TRAINING, splits_of
from pdekit.data.formats.multiphysics_layouts import LAYOUTS
from pdekit.data.loading import Loading
from pdekit.data.module import DataModule


def open_published(
    path: str | Path, name: str, loading: Loading | None = None, trust: Sequence[str] = ()
) -> DataModule:
    """The splits of a published dataset, recognised by what lies in the folder.

    Args:
        path: a folder with ``training`` and ``testing`` (or these as .tar.gz, unpacked there as far as needed) in
            the layout of Multiphysics Bench; one with ``data/{train,valid,test}`` in The Well's layout or ours; or a
            file or folder in one of the layouts of `pdekit.data.formats`; or an address of Zarr that fsspec opens.
        name: name of the dataset.
        loading: batch sizes, workers, seed.
        trust: packages in addition to pdekit that a stored equation may come from.

    Raises:
        FileNotFoundError, ValueError: if nothing known is there; the message says what was found.
    """
    if is_address(path):
        found = open_path(path, trust)
        return DataModule(found["train"], found["valid"], found["test"], loading)
    root = Path(path)
    if root.is_file() and root.name.startswith(TRAINING):
        root = root.parent
    if not root.exists():
        raise FileNotFoundError(f"expected published files at {root}, found none; correct path=")
    if (root / "data" / "train").is_dir():
        return DataModule.from_folder(root, loading, trust)
    if name not in LAYOUTS or root.is_file():
        return _recognised(root, name, loading, trust)
    folder = LAYOUTS[name].folder
    for split in (TRAINING, TESTING):
        archive = next((file for file in (root / f"{split}.tar.gz", root / f"{split}.tar") if file.is_file()), None)
        if archive is not None and not (root / split / folder).is_dir():
            try:
                unpack(archive, f"{split}/{folder}", root)
            except FileNotFoundError:
                if split == TRAINING:
                    raise  # a test split may be missing: it is taken from the training
    splits = splits_of(root, name)
    return DataModule(splits["train"], splits["valid"], splits["test"], loading)


def _recognised(root: Path, name: str, loading: Loading | None, trust: Sequence[str]) -> DataModule:
    """The splits of files in a layout that is recognised."""
    try:
        splits = open_path(root, trust)
    except ValueError as error:
        if not root.is_dir():
            raise
        raise ValueError(
            f"expected data/train, data/valid and data/test with HDF5 files in {root} for data={name}, or published "
            f"files; the layout of Multiphysics Bench is read for {', '.join(LAYOUTS)}. {error}"
        ) from None
    return DataModule(splits["train"], splits["valid"], splits["test"], loading)
