"""Contents of a file or folder of data: layout, problem, splits, ranges, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from pdekit.command_words import override
from pdekit.data.ends import JUMP, jump
from pdekit.data.formats import open_path, recognised
from pdekit.data.formats.contract import is_address
from pdekit.data.module import DataModule
from pdekit.data.windows import Source, grids_of
from pdekit.fields import Field, Grid, Points, Problem, Trajectory

LOOKED_AT = 32  # trajectories of each split whose values are read


@dataclass(frozen=True)
class Range:
    """Values of one field or input in the trajectories that were read.

    Args:
        name, unit: name and unit of the field.
        least, most, mean, deviation: over all finite values.
        missing: number of values that are NaN or Inf.
    """

    name: str
    unit: str
    least: float
    most: float
    mean: float
    deviation: float
    missing: int


@dataclass(frozen=True)
class Inspection:
    """Contents of a file or folder.

    Args:
        path: the file or folder.
        layout: name of the format.
        problem: the problem of the training trajectories.
        counts: number of trajectories of each split.
        read: number of trajectories that were read.
        ranges: smallest and largest value of each field, then of each input.
        faults: one sentence for each fault or doubt.
        params: smallest and largest value of each parameter.
        caption: text of the first training trajectory, if there are texts.
        grids: grids of the training trajectories.
    """

    path: Path | str
    layout: str
    problem: Problem
    counts: Mapping[str, int]
    read: int
    ranges: tuple[Range, ...]
    faults: tuple[str, ...]
    params: tuple[Range, ...] = ()
    caption: str | None = None
    grids: tuple[Grid | Points, ...] = ()

    @property
    def command(self) -> str:
        """The command line that trains on it."""
        return training_command(self.path, PurePath(str(self.path)).stem, self.problem)

    def __str__(self) -> str:
        problem, grid = self.problem, self.problem.grid
        lines = [f"{self.path}: {self.layout}"]
        lines.append(f"  trajectories  {', '.join(f'{n} {split}' for split, n in self.counts.items())}")
        frames = "steady" if problem.steady else f"{problem.n_frames} frames, {problem.dt:.6g} apart"
        lines.append(f"  time          {frames}{' (nominal: dt varies)' if 'dt' in problem.params else ''}")
        lines.append(f"  space         {_described(grid)}")
        others = ["x".join(map(str, other.shape)) for other in self.grids if other != grid]
        lines += [f"  other grids   {', '.join(others)} points"] * bool(others)
        ends = [
            f"{letter}: {lower} to {upper}" for letter, (lower, upper) in zip("xyz", problem.boundary, strict=False)
        ]
        lines += [f"  boundary      {', '.join(ends)}"] * bool(ends)
        lines.append(f"  equation      {problem.pde if problem.pde is not None else 'unknown to pdekit'}")
        stated = ", ".join(f"{item.name} {item.least:.4g} to {item.most:.4g}" for item in self.params)
        lines += [f"  parameters    {stated}"] * bool(stated)
        lines += [f"  captions      {self.caption!r} is the first"] * (self.caption is not None)
        lines.append(f"  values of {self.read} trajectories")
        for item in self.ranges:
            unit = "" if item.unit == "1" else f" {item.unit}"
            lines.append(
                f"    {item.name:<16} {item.least:.4g} to {item.most:.4g}{unit}, mean {item.mean:.4g}, deviation "
                f"{item.deviation:.4g}"
            )
        lines += [f"  doubtful      {fault}" for fault in self.faults] or ["  no faults found"]
        return "\n".join([*lines, f"  train on it   {self.command}"])


def training_command(path: Path | str, name: str, problem: Problem) -> str:
    """Return the command line that trains on data, which a shell reads as it is meant whatever the path contains.

    Args:
        path: the file or folder.
        name: name of the dataset; signs other than letters, numbers and ``_.-`` are replaced.
        problem: problem of the data.

    >>> from pdekit.fields import Grid
    >>> training_command("my data", "my data", Problem(Grid((8,), (1.0,)), (Field("u"),)))
    "python -m pdekit.train 'path=my data' name=my_data model=fno"
    """
    name = re.sub(r"[^\w.-]", "_", name) or "mine"
    model = "fno" if problem.grid.uniform else "latent_grid"
    return f"python -m pdekit.train {override('path', path)} name={name} model={model}"


def inspect_path(path: str | Path, trust: Sequence[str] = ()) -> Inspection:
    """Return the contents of a file or folder; values of at most `LOOKED_AT` trajectories of each split are read.

    Args:
        path: a published file or folder, a folder with ``data/{train,valid,test}``, or an address of Zarr.
        trust: packages that formats and equations may come from.

    Raises:
        FileNotFoundError, ValueError: if nothing is there, the layout is unknown, or the file is damaged.
    """
    path = path if is_address(path) else Path(path)
    layout, found = recognised(path, trust).name, open_path(path, trust)
    splits = DataModule(found["train"], found["valid"], found["test"]).sources
    ranges, params, faults, read = _values(splits)
    problem = splits["train"].problem
    counts = {split: source.n_trajectories for split, source in splits.items()}
    texts = splits["train"].read(0, slice(0, 1)).text or (None,)
    grids = grids_of(splits["train"])
    return Inspection(path, layout, problem, counts, read, ranges, tuple(faults), params, texts[0], grids)


def _described(grid: object) -> str:
    if not grid.uniform:
        return f"{grid.shape[0]} points at most, their places differ"
    axes = [
        f"{letter}: {n} {layout} points from {lower:.6g}, length {length:.6g}"
        for letter, n, layout, lower, length in zip(
            grid.axes, grid.shape, grid.layout, grid.origin, grid.extent, strict=True
        )
    ]
    return "; ".join(axes) or "none"


def _values(splits: Mapping[str, Source]) -> tuple[tuple[Range, ...], tuple[Range, ...], list[str], int]:
    """Ranges of channels and of parameters, what is doubtful about them, and how many trajectories were read."""
    problem = splits["train"].problem
    channels = (*problem.fields, *problem.coeffs, *problem.forcing)
    columns: list[list[tuple[float, ...]]] = [[] for _ in (*channels, *problem.params)]
    faults, count = [], 0
    for split, source in splits.items():
        for i in np.unique(np.linspace(0, source.n_trajectories - 1, LOOKED_AT).astype(int)).tolist():
            batch, count = source.read(i), count + 1
            for column, values in zip(columns, _parts_of(batch), strict=True):
                column.append(_summary(values))
            if not i and split == "train":
                faults += _doubts(problem, batch.u.numpy())
    names = [*channels, *(Field(name) for name in problem.params)]
    ranges = [_range(field, np.array(column)) for field, column in zip(names, columns, strict=True)]
    for item in ranges[: len(channels)]:
        if item.missing:
            faults.append(f"{item.missing} values of {item.name} are NaN or Inf; training refuses them")
        if item.deviation <= 1e-7 * abs(item.mean):
            faults.append(f"{item.name} is constant: leave it out, or give it as a parameter")
    return tuple(ranges[: len(channels)]), tuple(ranges[len(channels) :]), faults, count


def _parts_of(batch: Trajectory) -> Iterator[np.ndarray]:
    """Yield the values of each channel where it exists, then those of each parameter."""
    there = None if batch.point_mask is None else batch.point_mask[0].numpy() > 0
    for number, field in enumerate(batch.u[0].transpose(0, 1).numpy()):
        mask = there if batch.mask is None else batch.mask[0, number].numpy() > 0
        yield field if mask is None else field[:, mask]
    for part in (batch.coeffs, None if batch.forcing is None else batch.forcing.transpose(1, 2)):
        for values in () if part is None else part[0].numpy():
            yield values if there is None else values[..., there]
    yield from () if batch.params is None else batch.params[0].numpy()[:, None]


def _range(field: Field, table: np.ndarray) -> Range:
    """Range of one channel from the summaries of trajectories."""
    weights = table[:, 5] / max(table[:, 5].sum(), 1)
    mean = float((weights * table[:, 2]).sum())
    deviation = float(np.sqrt((weights * (table[:, 3] ** 2 + (table[:, 2] - mean) ** 2)).sum()))
    least, most, missing = float(table[:, 0].min()), float(table[:, 1].max()), int(table[:, 4].sum())
    return Range(field.name, field.unit, least, most, mean, deviation, missing)


def _summary(values: np.ndarray) -> tuple[float, ...]:
    """Least, most, mean, deviation, number of values that are not finite, number of others."""
    exact = values.astype(np.float64).ravel()
    finite = exact[np.isfinite(exact)]
    missing = exact.size - finite.size
    if not finite.size:
        return np.inf, -np.inf, 0.0, 0.0, missing, 0
    return finite.min(), finite.max(), finite.mean(), finite.std(), missing, finite.size


def _doubts(problem: Problem, u: np.ndarray) -> list[str]:
    """Doubts about the box and the frames of the first trajectory, one sentence each."""
    found = []
    if problem.grid.uniform and np.isfinite(u).all():
        for axis, (letter, layout) in enumerate(zip(problem.grid.axes, problem.grid.layout, strict=True)):
            leap = jump(u, axis) if problem.grid.shape[axis] > 2 else 1.0
            if layout == "periodic" and leap > JUMP:
                found.append(
                    f"{letter} is periodic, but values at its ends differ {leap:.3g} times as much as neighbours do"
                )
    if u.shape[1] > 1 and (u[:, 1:] == u[:, :-1]).all((0, 2, *range(3, u.ndim))).any():
        found.append("frames of the first trajectory repeat the frame before them")
    return found
