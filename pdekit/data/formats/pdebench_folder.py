"""Several files of PDEBench in one folder as one dataset, e.g. all advection speeds, or the parts of the incompressible
flow. Each file is split as it is published, and the splits follow each other. Files named train, test and, if there is
one, valid are these splits.

A coefficient of the equation that differs from file to file becomes a parameter of each trajectory. Where files have
different numbers of frames, those of the shortest are used. Grids may differ in the
number of points; those of other boxes are refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from pdekit.data.formats import pdebench
from pdekit.data.formats.contract import WHOLE, Format, all_splits, is_hdf5
from pdekit.data.natural_order import by_number
from pdekit.data.resolutions import together
from pdekit.data.windows import Source, on_one_grid
from pdekit.fields import Problem, Trajectory
from pdekit.same_box import rounded_as


class Parametrised:
    """Trajectories of a source with parameters that are the same for all of them.

    Args:
        source: source of the trajectories, without parameters.
        problem: problem of the source with the names of the parameters.
        values: one for each parameter.
    """

    def __init__(self, source: Source, problem: Problem, values: Sequence[float]):
        self.source, self.problem, self.n_trajectories = source, problem, source.n_trajectories
        self._params = torch.tensor([values], dtype=torch.float32)

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one."""
        frames = slice(*frames.indices(self.problem.n_frames))
        return dataclasses.replace(self.source.read(trajectory, frames), params=self._params)


def _format_of(path: Path) -> Format | None:
    """Return the layout of PDEBench that all HDF5 files of a folder have; None if there is none, or other files."""
    files = _files(path)
    if not files:
        return None
    return next((known for known in pdebench.FORMATS if all(map(known.recognises, files))), None)


def _files(path: Path) -> list[Path]:
    return by_number(file for file in path.iterdir() if is_hdf5(file)) if path.is_dir() else []


def _recognises(path: Path) -> bool:
    return _format_of(path) is not None


def _open_folder(path: Path) -> Mapping[str, Source]:
    """Open all files of a folder.

    Raises:
        ValueError: if a file is damaged, or grids, fields or steps differ.
    """
    known = _format_of(path)
    if known is None:
        raise ValueError(f"expected files of one layout of PDEBench in {path}, found none; name one file")
    parts = [known.open(file)[WHOLE] for file in _files(path)]
    base, columns = _common([part.problem for part in parts])
    parts = [
        Parametrised(part, base, row) if row else _shortened(part, base)
        for part, row in zip(parts, columns, strict=True)
    ]
    names = [file.stem.lower() for file in _files(path)]
    if {"train", "test"} <= set(names) <= {"train", "valid", "test"} and len(set(names)) == len(names):
        return dict(zip(names, parts, strict=True))
    if min(part.n_trajectories for part in parts) < 3:
        whole = on_one_grid(together(parts), "in files of fewer than three trajectories")
        return all_splits({WHOLE: whole}, known.test)
    splits = [all_splits({WHOLE: part}, known.test) for part in parts]
    return {split: together([found[split] for found in splits]) for split in splits[0]}


def _shortened(part: Source, problem: Problem) -> Source:
    """Return a source with the frames of the shortest one."""
    if dataclasses.replace(part.problem, n_frames=problem.n_frames) == problem:
        part.problem = problem
    return part


def _common(problems: Sequence[Problem]) -> tuple[Problem, list[tuple[float, ...]]]:
    """Return the problem of all files, and the parameters of each: coefficients of the equation that differ."""
    frames = min(problem.n_frames for problem in problems)
    base = dataclasses.replace(problems[0], n_frames=frames)
    problems = [rounded_as(problem, base) for problem in problems]
    pdes = [problem.pde for problem in problems]
    if base.pde is None or len({type(pde) for pde in pdes}) > 1:
        return base, [()] * len(problems)
    names = [item.name for item in dataclasses.fields(base.pde)]
    varying = [name for name in names if len({getattr(pde, name) for pde in pdes}) > 1]
    table = [tuple(float(getattr(pde, name)) for name in varying) for pde in pdes]
    bases = {dataclasses.replace(problem, pde=base.pde, n_frames=frames) for problem in problems} if varying else {base}
    if len(bases) > 1 or not varying:
        return base, [()] * len(problems)
    return dataclasses.replace(base, params=tuple(varying)), table


FORMATS = (Format("PDEBench (folder of files)", _recognises, _open_folder),)
