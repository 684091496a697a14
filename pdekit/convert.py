"""Convert data between layouts: ``python -m pdekit.convert PATH OUT``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pdekit.cli.command_line import HELP, take
from pdekit.cli.mapping import take_mapping, written
from pdekit.cli.sentences import sentences

if TYPE_CHECKING:
    from pdekit.data.exports.contract import Target

Report = Callable[[str, int, int], None]
Work = Callable[[Report], str]

USAGE = """Convert a file or folder that pdekit reads, its own included, to another layout. The same command continues
an interrupted conversion.

    python -m pdekit.convert PATH OUT [to=LAYOUT] [split=NAME] [name=NAME] [trust=PACKAGE]

  to=pdekit    pdekit's store, which is The Well's layout (so is to=the_well). OUT/data/{train,valid,test}/NAME.hdf5
  to=netcdf    NetCDF with the names of xarray and CF; everything is held. OUT/SPLIT.nc, or OUT=FILE.nc for one split
  to=zarr      the same as Zarr (pip install pdekit[zarr]). OUT/SPLIT.zarr, or OUT=FOLDER.zarr
  to=pdebench  a layout of PDEBench, where one fits. OUT/SPLIT.hdf5, or OUT=FILE.hdf5
  to=vtk       series for ParaView (pip install pdekit[meshio]). OUT/SPLIT/TRAJECTORY.pvd

Without to= the suffix of OUT decides; without a suffix it is pdekit's store. Train on that with path=OUT name=NAME."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if HELP & set(arguments):
        print(USAGE)
        return
    taken = {key: found[-1] if (found := take(arguments, key)) else None for key in ("name", "to", "split")}
    trust = take(arguments, "trust")
    with sentences():
        mapping = take_mapping(arguments)
        if len(arguments) != 2:
            sys.exit(f"error: expected PATH and OUT, got {arguments}; see python -m pdekit.convert --help")
        path, out = arguments
        from pdekit.data.exports import target_of

        target = target_of(out, taken["to"])
        path = written(path, mapping) if mapping else path
        if target is not None:
            _shown(_export(path, out, target, taken["split"], trust))
        elif taken["split"] is not None:
            raise ValueError(
                "expected no split= for pdekit's store, which has all three; give to=LAYOUT, or leave it out"
            )
        else:
            _shown(_convert(path, out, taken["name"] or Path(path).stem, trust))


def _convert(path: str, out: str, name: str, trust: list[str]) -> Work:
    from pdekit.data.conversion import convert
    from pdekit.data.inspection import training_command
    from pdekit.data.module import DataModule

    def work(report: Report) -> str:
        folder = convert(path, out, name, trust, report)
        problem = DataModule.from_folder(folder, trust=trust).problem
        return f"converted {path} to {folder}; train on it with\n  {training_command(folder, name, problem)}"

    return work


def _export(path: str, out: str, target: Target, split: str | None, trust: list[str]) -> Work:
    from pdekit.data.exports import export

    return lambda report: "\n".join(f"wrote {place}" for place in export(path, out, target, split, trust, report))


def _shown(work: Work) -> None:
    """Do the work with a bar for each split, and print what it says."""
    from rich.progress import Progress

    with Progress(disable=not sys.stdout.isatty()) as bars:
        tasks: dict[str, int] = {}

        def report(split: str, done: int, total: int) -> None:
            if split not in tasks:
                tasks[split] = bars.add_task(split, total=total)
            bars.update(tasks[split], completed=done)

        said = work(report)
    print(said)


if __name__ == "__main__":
    main()
