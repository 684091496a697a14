"""Make a dataset of a user's own arrays; an option that contradicts their names, units or coordinates is refused."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pdekit.data.assembly import batches_of
from pdekit.data.description import Description, described
from pdekit.data.loading import Loading
from pdekit.data.module import SPLITS, DataModule
from pdekit.data.resolutions import together
from pdekit.data.several_grids import is_several, on_several_grids
from pdekit.data.texts import with_texts
from pdekit.data.writer import check_batch, write_split
from pdekit.fields import Problem, Trajectory


class Arrays:
    """Trajectories in memory, as a source of windows.

    Args:
        problem: problem of the arrays.
        batch: all of them, "sample time channel *space" in ``u``.

    Raises:
        ValueError: on a shape that is not the problem's, or NaN or Inf in fields, coeffs or params.
    """

    def __init__(self, problem: Problem, batch: Trajectory):
        check_batch(batch, problem)
        self.problem = problem
        self.n_trajectories = len(batch)
        finite = torch.isfinite(batch.u.flatten(1)).all(1)
        if not finite.all():
            bad = (~finite).nonzero()[:, 0].tolist()
            raise ValueError(
                f"expected finite values, got NaN or Inf in {len(bad)} trajectories, first in number {bad[0]}; remove "
                "or repair them (values outside a geometry belong under a mask)"
            )
        for part in ("coeffs", "params", "forcing", "t"):
            values = getattr(batch, part)
            if values is not None and not torch.isfinite(values).all():
                number = int((~torch.isfinite(values.flatten(1))).any(1).nonzero()[0])
                raise ValueError(
                    f"expected finite {part}, got NaN or Inf in trajectory {number}; supply the value or remove it"
                )
        self._batch = batch

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        return self._batch.samples(slice(trajectory, trajectory + 1)).frames(frames)

    def later(self, time: float) -> Arrays:
        """Return the same trajectories with times that are later by so much."""
        return Arrays(self.problem, dataclasses.replace(self._batch, t=self._batch.t + time))


def from_arrays(
    train: Any,
    valid: Any = None,
    test: Any = None,
    about: Description | None = None,
    *,
    folder: str | Path | None = None,
    name: str = "arrays",
    loading: Loading | None = None,
    **options: Any,
) -> DataModule:
    """Return a data module of arrays shaped "sample time channel *space".

    Args:
        train, valid, test: NumPy arrays, tensors, xarray objects, or paths of ``.npy`` and ``.npz`` files, see
            `pdekit.data.given` and `pdekit.data.from_xarray`. A list of them holds the same problem on several grids of
            one box (an array for each grid); its coeffs, params, forcing and masks are lists, too. Coordinates give dt,
            extent and origin; options that contradict them are refused. Without ``valid`` the last tenth of train (at
            least one trajectory) is taken from it for validation; without ``test`` the validation trajectories are used
            for the test too, with a warning.
        about: description of what the arrays do not state themselves.
        folder: folder to write the dataset to, in pdekit's layout; None keeps it in memory.
        name: name of the dataset.
        loading: batch sizes, workers, seed.
        options: parts of a `Description` by name, in place of those of ``about``: dt, extent, fields, layout, origin,
            boundary, coeffs, params, forcing, mask, pde, text.

    Values in float64 become float32 where this changes no channel by more than 1e-5 of its deviation. Others stay in
    float64, in memory and on disk, until the normaliser has subtracted the mean.

    Raises:
        ValueError: on shapes, names, coordinates, masks or splits that do not fit, NaN or Inf.

    >>> import numpy as np
    >>> waves = np.sin(np.linspace(0, 6, 9 * 5 * 1 * 16)).reshape(9, 5, 1, 16)
    >>> data = from_arrays(waves[:7], waves[7:8], waves[8:], dt=0.1, extent=(1.0,), layout=["nodes"], fields=["u"])
    >>> data.problem.grid.shape, len(data.train), len(data.valid)
    ((16,), 28, 4)
    """
    given = {split: part for split, part in zip(SPLITS, (train, valid, test), strict=True) if part is not None}
    description = described(about, options)
    if any(is_several(part) for part in given.values()):
        return module_of(on_several_grids(given, description), folder, name, loading)
    batches = with_texts(batches_of(given, description), description.text)
    return module_of({split: [pair] for split, pair in batches.items()}, folder, name, loading)


def module_of(
    batches: dict[str, list[tuple[Problem, Trajectory]]],
    folder: str | Path | None,
    name: str,
    loading: Loading | None,
) -> DataModule:
    """Return a data module of the splits that were given; the others are made of them, the test with a warning.

    Args:
        batches: problem and trajectories by split, one pair for each grid; "train" is one of the splits.
        folder: folder to write the dataset to; None keeps it in memory.
        name: name of the dataset.
        loading: batch sizes, workers, seed.
    """
    if "valid" not in batches:
        parts = [_split_off(*pair) for pair in batches["train"]]
        batches["train"], batches["valid"] = [rest for rest, _ in parts], [taken for _, taken in parts]
    if "test" not in batches:
        warnings.warn(
            "no test split was given: the validation trajectories are the test, too, and its scores are optimistic; "
            "give test=",
            stacklevel=3,
        )
        batches["test"] = batches["valid"]
    sources = {split: together([Arrays(*pair) for pair in pairs]) for split, pairs in batches.items()}
    if folder is None:
        return DataModule(sources["train"], sources["valid"], sources["test"], loading)
    files = {split: _files(Path(folder) / "data" / split, name, pairs) for split, pairs in batches.items()}
    for split, pairs in batches.items():
        for path, (problem, batch) in zip(files[split], pairs, strict=True):
            write_split(path, problem, batch, name)
    pde = sources["train"].problem.pde  # an object of the caller's own code may be read again
    trust = () if pde is None else (type(pde).__module__.partition(".")[0],)
    return DataModule.from_folder(folder, loading, trust=trust)


def _files(place: Path, name: str, pairs: Sequence[tuple[Problem, Trajectory]]) -> list[Path]:
    """Return the file of each pair of a split.

    Raises:
        ValueError: if the folder of the split holds other files, which would be read together with these.
    """
    sizes = ["x".join(map(str, problem.grid.shape)) for problem, _ in pairs]
    again = [sizes[:number].count(size) for number, size in enumerate(sizes)]
    ends = [f"-{size}" + f"-{n + 1}" * (n > 0) for size, n in zip(sizes, again, strict=True)]
    found = [place / f"{name}{end}.hdf5" for end in (ends if len(pairs) > 1 else [""])]
    others = sorted({path for end in ("*.hdf5", "*.h5") for path in place.glob(end)} - {*found})
    if others:
        raise ValueError(
            f"expected no other data in {place}, found {others[0].name}; give another folder, or remove it"
        )
    return found


def _split_off(problem: Problem, batch: Trajectory) -> tuple[tuple[Problem, Trajectory], tuple[Problem, Trajectory]]:
    n = len(batch)
    if n < 2:
        raise ValueError(f"expected at least 2 training trajectories to take validation from, got {n}; give valid=")
    n_train = n - max(1, n // 10)
    return (problem, batch.samples(slice(0, n_train))), (problem, batch.samples(slice(n_train, n)))
