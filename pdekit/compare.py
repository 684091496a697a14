"""Lay evaluated runs side by side.

python -m pdekit.compare runs='[runs/A,runs/B]' folder=comparison
"""

from __future__ import annotations

import glob
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pdekit.cli.command_line import HELP, did_you_mean, take
from pdekit.cli.sentences import sentences
from pdekit.cli.stored import read_config

USAGE = """\
Compare evaluated runs of one dataset: one table, overlaid curves, tables for Markdown and LaTeX.

  python -m pdekit.compare runs='[PATH,PATH,...]' [folder=comparison]
  python -m pdekit.compare runs='runs/*-ks'

Writes scores.nc, forecasts.nc, report.html, table.md and table.tex into the folder. Baselines and solvers are those
of the run that has most of them, the first one of such. Runs that differ in their seed only get a row of their own:
the median and the best and worst seed; a copy of a run is no further seed. Runs are compared over the shortest of
their horizons. A run that was not evaluated on the test trajectories and grid of the first one is named and left out.
"""


APART = ("seed", "runs_dir", "data_dir", "evaluation")
"""Settings that may differ between runs of one method."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare the runs that the arguments name.

    Args:
        arguments: as typed; those of the process if None.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with sentences():
        if not arguments or HELP & set(arguments):
            print(USAGE)
            return
        patterns, folder = take(arguments, "runs"), take(arguments, "folder")
        if arguments:
            known = did_you_mean(arguments[0].partition("=")[0], ["runs", "folder"])
            raise ValueError(f"expected runs=[...] and folder=PATH, got {arguments[0]!r}; {known}")
        print(compare(found(patterns), Path(folder[-1] if folder else "comparison")))


def found(patterns: list[str]) -> list[Path]:
    """Folders of runs: each pattern in alphabetical order, none twice.

    Raises:
        FileNotFoundError: if a pattern matches no folder.
    """
    runs: dict[Path, None] = {}
    for pattern in patterns:
        matching = [Path(path) for path in sorted(glob.glob(pattern)) if Path(path).is_dir()]
        if not matching:
            raise FileNotFoundError(f"expected folders of runs at {pattern!r}, found none; correct runs=[...]")
        runs |= dict.fromkeys(matching)
    if not runs:
        raise FileNotFoundError("expected runs=[PATH,...], got none; give the folders of evaluated runs")
    return list(runs)


def compare(runs: list[Path], folder: Path) -> str:
    """Merge the scores of runs, write report and tables into a folder; the closing lines, runs left out first."""
    import xarray as xr

    from pdekit.evaluation.merging import merge
    from pdekit.report.page import write_report
    from pdekit.report.summary import closing_lines, summarise
    from pdekit.report.tables import latex, markdown

    left_out = merge(runs, folder, methods_of(runs))
    with xr.open_dataset(folder / "scores.nc", engine="h5netcdf") as scores:
        table = summarise(scores)
        (folder / "table.md").write_text(markdown(table), encoding="utf-8")
        (folder / "table.tex").write_text(latex(table), encoding="utf-8")
        lines = [f"left out {run}: {reason}" for run, reason in left_out.items()]
        return "\n".join([*lines, closing_lines(table, scores), f"report: {write_report(folder)}"])


def methods_of(runs: list[Path]) -> dict[Path, dict[str, Any] | None]:
    """The configuration of each run without its seeds and folders.

    It is None of a run that stores none, and of a copy or repetition with the configuration and seed of an earlier run:
    that one is no further seed, and has a row of its own.
    """
    made: dict[Path, dict[str, Any] | None] = {}
    known: list[tuple[Any, dict[str, Any]]] = []
    for run in runs:
        path = run / "config.yaml"
        made[run] = None
        if path.is_file():
            found = read_config(path)
            loading = {key: value for key, value in (found.get("loading") or {}).items() if key != "seed"}
            method = {key: value for key, value in found.items() if key not in APART} | {"loading": loading}
            if (found.get("seed"), method) not in known:
                known.append((found.get("seed"), method))
                made[run] = method
    return made


if __name__ == "__main__":
    main()
