"""The data module: the three splits of a dataset, cut into the windows that a method declares."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from lightning import LightningDataModule

from pdekit.data.formats import SPLITS, open_folder, split_files
from pdekit.data.loader import EpochSampler, ResumableLoader
from pdekit.data.loading import Loading
from pdekit.data.windows import Source, Windows, grids_of, trajectories_on
from pdekit.fields import Field, Grid, Points, Problem, Trajectory
from pdekit.same_box import rounded_as, same_box, same_points


class DataModule(LightningDataModule):
    """Three splits by trajectory, and loaders that yield `Trajectory` batches.

    Args:
        train, valid, test: sources of trajectories of one problem; the number of frames may differ.
        loading: batch sizes, workers, seed.
        window: (history, target) until a method asks for its own with `set_window`; (0, 1) for a steady problem and
            (1, 1) for others if None.

    Raises:
        ValueError: if the splits are not of one problem.
    """

    def __init__(
        self,
        train: Source,
        valid: Source,
        test: Source,
        loading: Loading | None = None,
        window: tuple[int, int | Literal["all"]] | None = None,
    ):
        super().__init__()
        self.problem: Problem = train.problem
        for name, source in (("valid", valid), ("test", test)):
            _same_problem(name, _on_a_common_grid(source, train), self.problem)
        self.sources = {"train": train, "valid": valid, "test": test}
        self.loading = loading or Loading()
        self.folder: Path | None = None  # of the files, if they lie in one
        self.set_window(*(window or ((0, 1) if self.problem.steady else (1, 1))))

    @classmethod
    def from_folder(cls, folder: str | Path, loading: Loading | None = None, trust: Sequence[str] = ()) -> DataModule:
        """The dataset in ``<folder>/data/{train,valid,test}``, ours or in a published layout that is recognised.

        Args:
            folder: as `pdekit.recipes.generation.generate` returns it.
            loading: batch sizes, workers, seed.
            trust: packages in addition to pdekit that the stored equation may come from.
        """
        present = split_files(Path(folder))
        for split in SPLITS:
            if split not in present:
                raise FileNotFoundError(
                    f"expected HDF5 files in {Path(folder) / 'data' / split}, found none; generate the data with "
                    "`python -m pdekit.generate data=NAME` or correct the folder"
                )
        sources = open_folder(Path(folder), trust)
        module = cls(sources["train"], sources["valid"], sources["test"], loading)
        module.folder = Path(folder).resolve()
        return module

    @property
    def grids(self) -> tuple[Grid | Points, ...]:
        """The grids of all splits, that of the problem first."""
        found = [self.problem.grid]
        for grid in (grid for source in self.sources.values() for grid in grids_of(source)):
            if not any(same_points(grid, other) for other in found):
                found.append(grid)
        return tuple(found)

    def on(self, grid: Grid | Points) -> DataModule:
        """Return the same data on one of the grids of the test split.

        Raises:
            ValueError: if the training split has none there, from which baselines are calibrated.
        """
        found = ((split, source, own_grid(source, grid)) for split, source in self.sources.items())
        there = {split: (source, own) for split, source, own in found if own is not None}
        if "train" not in there or "test" not in there:
            raise ValueError(
                f"expected training and test trajectories on the grid {grid.shape}, found them in {list(there)} only; "
                "add some"
            )
        parts = {split: trajectories_on(source, own) for split, (source, own) in there.items()}
        return DataModule(parts["train"], parts.get("valid", parts["train"]), parts["test"], self.loading)

    def set_window(self, history: int, target: int | Literal["all"]) -> None:
        """Cut all splits into windows of so many history and target frames ("all": every later frame)."""
        window = (history, target)
        self.train = Windows(self.sources["train"], window, self.loading.n_trajectories)
        self.valid = Windows(self.sources["valid"], window)
        self.test = Windows(self.sources["test"], window)

    @property
    def _eval_batch_size(self) -> int:
        return self.loading.eval_batch_size or self.loading.batch_size

    def calibration_batches(self) -> Iterator[Trajectory]:
        """The training trajectories once, in order and whole, one at a time: what a method takes its statistics from.

        Every frame counts once; reading windows that overlap would take a hundred times longer.
        """
        return (self.train.trajectories([i]) for i in range(self.train.n_trajectories))

    def param_ranges(self) -> dict[str, list[float]]:
        """Return the smallest and the largest value of each parameter in the training trajectories."""
        names = self.problem.params
        rows = [self.train.source.read(i, slice(0, 1)).params for i in range(self.train.n_trajectories if names else 0)]
        columns = torch.cat([row for row in rows if row is not None]).double().unbind(1) if rows else ()
        return {name: [float(c.min()), float(c.max())] for name, c in zip(names, columns, strict=bool(rows))}

    def train_dataloader(self) -> ResumableLoader:
        return self._loader(self.train, self.loading.batch_size, shuffle=True)

    def val_dataloader(self) -> ResumableLoader:
        return self._loader(self.valid, self._eval_batch_size, shuffle=False)

    def test_dataloader(self) -> ResumableLoader:
        return self._loader(self.test, self._eval_batch_size, shuffle=False)

    def _loader(self, windows: Windows, batch_size: int, shuffle: bool) -> ResumableLoader:
        rank, world, gpu = 0, 1, False
        if self.trainer is not None:
            rank, world = self.trainer.global_rank, self.trainer.world_size
            gpu = self.trainer.strategy.root_device.type == "cuda"
        sampler = EpochSampler(windows, self.loading.seed, shuffle, rank, world, windows.groups, batch_size)
        # A last, smaller batch is left out in training only, and only where it is not the only one.
        drop = shuffle and len(sampler) > batch_size
        return ResumableLoader(windows, batch_size, sampler, drop, self.loading.num_workers, gpu)


def own_grid(source: Source, grid: Grid | Points) -> Grid | Points | None:
    """Return the grid of a source that has the points of another one; None if there is none."""
    return next((own for own in grids_of(source) if same_points(own, grid)), None)


def _on_a_common_grid(source: Source, train: Source) -> Problem:
    """The problem of a split, with grid and step of train if they are the same, or one of several grids of its box."""
    problem, ours = rounded_as(source.problem, train.problem), train.problem.grid
    several = len(grids_of(source)) > 1 or len(grids_of(train)) > 1
    return dataclasses.replace(problem, grid=ours) if several and same_box(problem.grid, ours) else problem


def _same_problem(name: str, found: Problem, expected: Problem) -> None:
    """Raise ValueError if a split is not of the problem of train, naming what differs."""
    for part in ("fields", "coeffs", "forcing"):
        _same_channels(name, part, getattr(found, part), getattr(expected, part))
    parts = ("params", "has_text", "has_mask", "dt")
    pairs = [(part, getattr(found, part), getattr(expected, part)) for part in parts]
    kinds = (type(found.grid), type(expected.grid))
    pairs.append(("kind of grid", kinds[0].__name__, kinds[1].__name__))
    if kinds == (Grid, Grid):
        of_grid = ("shape", "extent", "origin", "layout")
        pairs += [(f"{part} of the grid", getattr(found.grid, part), getattr(expected.grid, part)) for part in of_grid]
    else:
        pairs.append(("points", found.grid.shape, expected.grid.shape))
    pairs += [("boundary", found.boundary, expected.boundary), ("equation", found.pde, expected.pde)]
    for part, theirs, ours in pairs:
        if theirs != ours:
            raise ValueError(
                f"expected the {part} {ours} of train in the {name} split, found {theirs}; give splits of one problem, "
                "or resample or convert one of them"
            )


def _same_channels(name: str, part: str, found: Sequence[Field], expected: Sequence[Field]) -> None:
    names = [item.name for item in found], [item.name for item in expected]
    if names[0] != names[1]:
        raise ValueError(f"expected the {part} {names[1]} of train in the {name} split, found {names[0]}; rename some")
    for theirs, ours in zip(found, expected, strict=True):
        for what in ("unit", "vector", "complex"):
            if getattr(theirs, what) != getattr(ours, what):
                raise ValueError(
                    f"expected the {what} {getattr(ours, what)!r} of {ours.name} in the {name} split, as in train, "
                    f"found {getattr(theirs, what)!r}; convert it"
                )
