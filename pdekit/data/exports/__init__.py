"""Layouts of other programs that data are written to, one file each, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pdekit.data.conversion import holds
from pdekit.data.exports import named, pdebench, vtk
from pdekit.data.exports.contract import Target
from pdekit.data.formats import recognised
from pdekit.data.formats.contract import WHOLE
from pdekit.data.windows import Source, on_one_grid

TARGETS: Mapping[str, Target] = {
    "netcdf": named.NETCDF,
    "zarr": named.ZARR,
    "pdebench": pdebench.TARGET,
    "vtk": vtk.TARGET,
}
"""Layouts by the word after ``to=``."""
OURS = ("pdekit", "the_well")
"""Words for pdekit's own store, which is a file of The Well's layout."""

Report = Callable[[str, int, int], None]
"""Called with the split, the trajectories that are written, and all of them."""


def target_of(out: str | Path, to: str | None = None) -> Target | None:
    """Return the layout to write, from its word or from the suffix of the path; None for pdekit's own store.

    Raises:
        ValueError: on an unknown word, or one that contradicts the suffix.

    >>> target_of("folder", "zarr").name, target_of("waves.nc").name, target_of("folder")
    ('Zarr', 'NetCDF', None)
    """
    suffix = Path(out).suffix
    stated = next((name for name, target in TARGETS.items() if target.suffix == suffix and suffix), None)
    if to is not None and to not in (*TARGETS, *OURS):
        raise ValueError(f"expected to= one of {', '.join([*OURS, *TARGETS])}, got {to!r}; correct it")
    if to is not None and stated not in (None, to):
        suffix = TARGETS[to].suffix if to in TARGETS else ""
        raise ValueError(f"expected the suffix {suffix!r} with to={to}, found {out}; correct one of them")
    return TARGETS.get(to or stated or "")


def export(
    path: str | Path,
    out: str | Path,
    target: Target,
    split: str | None = None,
    trust: Sequence[str] = (),
    report: Report | None = None,
) -> list[Path]:
    """Write the splits of any data that pdekit reads in the layout of another program.

    Each split appears when it is complete. One that is there already, with the same problem, number of trajectories,
    and values of the first and the last one, is kept, so that the same command continues an interrupted export.

    Args:
        path: a file or folder that pdekit reads, its own included.
        out: a folder, in which each split gets a file or folder; or with the suffix of the layout the path of the
            only split.
        target: layout to write.
        split: the only split to write; None for all of them.
        trust: packages that formats and equations may come from.
        report: called after each trajectory.

    Returns:
        The paths that were written or kept.

    Raises:
        FileNotFoundError, ValueError: if nothing is there to read, the layout cannot hold it, or something else is in
            the way.
    """
    splits, out = stored_splits(path, trust), Path(out)
    if split is not None:
        if split not in splits:
            raise ValueError(f"expected a split among {sorted(splits)} in {path}, got split={split}; correct it")
        splits = {split: splits[split]}
    single = bool(target.suffix) and out.suffix == target.suffix
    if single and len(splits) > 1:
        raise ValueError(f"expected one split for the path {out}, found {sorted(splits)}; give split=NAME, or a folder")
    for source in splits.values():
        target.check(on_one_grid(source, "to export"))
    written = []
    for name, source in splits.items():
        place = out if single else out / f"{name}{target.suffix}"
        if not _there(place, source, target, trust):
            _write(target, name, source, place, report)
        written.append(place)
    return written


def _write(target: Target, name: str, source: Source, place: Path, report: Report | None) -> None:
    def tick(done: int) -> None:
        if report is not None:
            report(name, done, source.n_trajectories)

    target.write(source, place, tick)


def _there(place: Path, source: Source, target: Target, trust: Sequence[str]) -> bool:
    """True if a path holds what would be written to it.

    Raises:
        ValueError: if it holds something else.
    """
    if not place.exists():
        return False
    try:
        found = target.read(place, trust)
    except ValueError:
        found = None
    if found is None or not holds(found, source):
        raise ValueError(
            f"expected nothing or the same data at {place}, found something else; remove it or give another path"
        )
    return True


def stored_splits(path: str | Path, trust: Sequence[str] = ()) -> dict[str, Source]:
    """Return the splits that a file or folder has itself; "all" if it has none.

    Raises:
        FileNotFoundError, ValueError: if nothing is there, its layout is unknown, or it is damaged.
    """
    return dict(recognised(path, trust).open(Path(path)))


__all__ = ["OURS", "TARGETS", "WHOLE", "export", "stored_splits", "target_of"]
