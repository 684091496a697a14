"""A dataset of a user's own meshes and point clouds, whose points may differ from trajectory to trajectory."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree

from pdekit.data.arrays import module_of
from pdekit.data.given import real
from pdekit.data.inputs import check_fields, field_of, narrowed
from pdekit.data.loading import Loading
from pdekit.data.module import SPLITS, DataModule
from pdekit.data.texts import with_texts
from pdekit.fields import Field, Points, Problem, Trajectory

MOVED = 1e-3  # of the distance of neighbours, by which rounding to float32 may move a point


@dataclass(frozen=True)
class Clouds:
    """Trajectories on points, an entry for each; entries may have different numbers of points.

    Args:
        u: fields "time channel point" of each trajectory; one frame for steady data.
        points: coordinates "point dim" of each trajectory; one array if all have the same.
        cells: numbers of the corners of each cell, "cell corner"; None for a cloud without cells.
        coeffs: inputs fixed in time by name, "point" for each trajectory.
        params: scalars by name, "sample".
        text: a caption for each trajectory, in all splits or in none.
    """

    u: Any
    points: Any
    cells: Any = None
    coeffs: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    text: Sequence[str] | None = None


@dataclass(frozen=True)
class _Cloud:
    """One trajectory, its points in order."""

    u: np.ndarray
    points: np.ndarray
    cells: np.ndarray | None
    coeffs: np.ndarray


def from_points(
    train: Clouds,
    valid: Clouds | None = None,
    test: Clouds | None = None,
    *,
    dt: float | None = None,
    fields: Sequence[str | Field] | None = None,
    folder: str | Path | None = None,
    name: str = "points",
    loading: Loading | None = None,
) -> DataModule:
    """Return a data module of trajectories on points; samples of several resolutions are one dataset.

    Points are sorted along x, then y and z, corners of cells follow them, and all trajectories are padded to the
    largest number of points.

    Args:
        train, valid, test: trajectories. Without ``valid`` the last tenth of train is taken from it; without ``test``
            the validation trajectories are used for the test too, with a warning.
        dt: time between frames; None for steady data.
        fields: names of the channels, or `Field`s.
        folder: folder to write the dataset to; None keeps it in memory.
        name: name of the dataset.
        loading: batch sizes, workers, seed.

    Raises:
        ValueError: on shapes that do not fit each other, corners that are no points, NaN or Inf.

    >>> import numpy as np
    >>> clouds = [np.random.default_rng(n).uniform(size=(n, 2)) for n in (5, 7, 6)]
    >>> u = [np.sin(points[:, 0])[None, None] for points in clouds]
    >>> data = from_points(Clouds(u[:1], clouds[:1]), Clouds(u[1:2], clouds[1:2]), Clouds(u[2:], clouds[2:]))
    >>> data.problem.grid, data.train.trajectories([0]).point_mask.sum().item()
    (Points(ndim=2, max_points=7), 5)
    """
    given = {split: part for split, part in zip(SPLITS, (train, valid, test), strict=True) if part is not None}
    found = {split: _clouds(split, part) for split, part in given.items()}
    every = [cloud for part in found.values() for cloud in part]
    channels = _channels(every[0].u.shape[1], fields)
    _check_alike(every, channels)
    names = list(train.coeffs), list(train.params)
    if any((list(part.coeffs), list(part.params)) != names for part in given.values()):
        raise ValueError(f"expected coeffs {names[0]} and params {names[1]} in all splits; give the same inputs")
    problem = Problem(
        Points(every[0].points.shape[1], max(len(cloud.points) for cloud in every)),
        channels,
        dt,
        len(every[0].u),
        coeffs=tuple(Field(key) for key in train.coeffs),
        params=tuple(train.params),
    )
    corners = max((len(cloud.cells) for cloud in every if cloud.cells is not None), default=0)
    pairs = {split: (problem, _batch(part, given[split].params, problem, corners)) for split, part in found.items()}
    if any(part.text is not None for part in given.values()):
        pairs = with_texts(pairs, {split: part.text for split, part in given.items()})
    return module_of({split: [pair] for split, pair in pairs.items()}, folder, name, loading)


def _clouds(split: str, part: Clouds) -> list[_Cloud]:
    """The trajectories of one split, checked one by one."""
    n = len(part.u)
    if not n or not len(part.points):
        raise ValueError(f"expected trajectories and their points in the {split} split, found none; add some")
    shared = np.ndim(part.points[0]) == 1  # one array "point dim" for all
    places = [part.points] * n if shared else part.points
    cells = [part.cells] * n if part.cells is None or shared else part.cells
    lengths = {"points": len(places), "cells": len(cells)} | {key: len(column) for key, column in part.coeffs.items()}
    wrong = {key: length for key, length in lengths.items() if length != n}
    if wrong or not n:
        raise ValueError(
            f"expected an entry for each of the {n} trajectories in the {split} split, found {wrong}; add some"
        )
    return [
        _cloud(
            f"{split} trajectory {i}", part.u[i], places[i], cells[i], [column[i] for column in part.coeffs.values()]
        )
        for i in range(n)
    ]


def _cloud(where: str, u: Any, points: Any, cells: Any, coeffs: Sequence[Any]) -> _Cloud:
    u, points = _whole(u, f"u of {where}"), _whole(points, f"points of {where}")
    columns = [_whole(column, f"coeffs of {where}") for column in coeffs]
    if points.ndim != 2 or not 1 <= points.shape[1] <= 3 or u.ndim != 3 or u.shape[2] != len(points):
        raise ValueError(
            f'expected u "time channel point" and points "point dim" in {where}, found {u.shape} and {points.shape}; '
            "correct the axes"
        )
    if any(column.shape != (len(points),) for column in columns):
        raise ValueError(f"expected coeffs of {len(points)} points in {where}, found other shapes; correct them")
    if not all(np.isfinite(part).all() for part in (u, points, *columns)):
        raise ValueError(f"expected finite values in {where}, found NaN or Inf; repair or remove it")
    order = np.lexsort(points.T[::-1])
    corners = None
    if cells is not None:
        corners = _unmasked(cells, f"cells of {where}")
        shaped = corners.ndim == 2 and corners.size and corners.dtype.kind in "iu"
        if not shaped or corners.min() < 0 or corners.max() >= len(points):
            raise ValueError(
                f'expected cells "cell corner" of numbers from 0 to {len(points) - 1} in {where}, found others; '
                "correct them"
            )
        place = np.empty(len(points), np.int64)
        place[order] = np.arange(len(points))
        corners = place[corners]
    still = np.stack(columns)[:, order] if columns else np.zeros((0, len(points)))
    return _Cloud(u[:, :, order], points[order], corners, still)


def _whole(data: Any, name: str) -> np.ndarray:
    """An array of real numbers without a mask."""
    return _unmasked(real(data, name), name)


def _unmasked(data: Any, name: str) -> np.ndarray:
    if np.ma.is_masked(data):
        raise ValueError(
            f"expected values everywhere in {name}, found masked ones; leave out these points, or fill them"
        )
    return np.asarray(np.ma.getdata(data))


def _channels(n: int, fields: Sequence[str | Field] | None) -> tuple[Field, ...]:
    check_fields(fields)
    return tuple(map(field_of, fields or [f"u{i}" for i in range(n)]))


def _check_alike(every: Sequence[_Cloud], channels: Sequence[Field]) -> None:
    """Raise ValueError if trajectories differ in more than their points."""
    first = every[0]
    shape = (len(first.u), len(channels))
    for cloud in every:
        if cloud.u.shape[:2] != shape or cloud.points.shape[1] != first.points.shape[1]:
            raise ValueError(
                f"expected {shape[0]} frames of {shape[1]} fields on points of {first.points.shape[1]} coordinates in "
                f"all trajectories, found u {cloud.u.shape} and points {cloud.points.shape}; correct them"
            )
        if (cloud.cells is None) != (first.cells is None):
            raise ValueError("expected cells of all trajectories or of none, found some; add the others")
        if cloud.cells is not None and first.cells is not None and cloud.cells.shape[1] != first.cells.shape[1]:
            raise ValueError("expected cells of one number of corners, found several; split the larger ones")


def _batch(part: Sequence[_Cloud], params: Mapping[str, Any], problem: Problem, corners: int) -> Trajectory:
    """The trajectories of one split, padded."""
    n, size = len(part), problem.grid.shape[0]
    u = np.zeros((n, problem.n_frames, problem.n_channels, size))
    points, there = np.zeros((n, size, problem.ndim)), np.zeros((n, size), bool)
    coeffs = np.zeros((n, len(problem.coeffs), size))
    cells = None
    if part[0].cells is not None:
        cells = np.full((n, corners, part[0].cells.shape[1]), -1)
    for i, cloud in enumerate(part):
        m = len(cloud.points)
        u[i, :, :, :m], points[i, :m], coeffs[i, :, :m], there[i, :m] = cloud.u, cloud.points, cloud.coeffs, True
        if cells is not None and cloud.cells is not None:
            cells[i, : len(cloud.cells)] = cloud.cells
    columns = [_whole(values, f"params[{key!r}]") for key, values in params.items()]
    if any(column.shape != (n,) or not np.isfinite(column).all() for column in columns):
        raise ValueError(f"expected a finite number for each of {n} trajectories in params, found others; correct them")
    t = np.broadcast_to((problem.dt or 0.0) * np.arange(problem.n_frames), (n, problem.n_frames))
    whole = Trajectory(
        u=torch.from_numpy(narrowed(u, there)),
        t=torch.from_numpy(t.copy()),
        points=torch.from_numpy(_narrowed_points(points, part)),
        point_mask=torch.from_numpy(there),
        index=torch.arange(n),
    )
    return dataclasses.replace(
        whole,
        coeffs=torch.from_numpy(narrowed(coeffs[:, None], there)[:, 0]) if problem.coeffs else None,
        cells=None if cells is None else torch.from_numpy(cells),
        params=torch.from_numpy(np.stack(columns, 1)) if columns else None,
    )


def _narrowed_points(points: np.ndarray, part: Sequence[_Cloud]) -> np.ndarray:
    """Coordinates "sample point dim" in float32 if that moves no point by more than `MOVED` of the distance from its
    nearest neighbour; else as they are."""
    with np.errstate(over="ignore"):
        single = points.astype(np.float32)
    for cloud, rounded in zip(part, single, strict=True):
        n = len(cloud.points)
        nearest = cKDTree(cloud.points).query(cloud.points, k=min(2, n))[0].reshape(n, -1)[:, -1]
        moved = np.linalg.norm(rounded[:n] - cloud.points, axis=1)
        if n > 1 and not (moved <= MOVED * nearest).all():
            return points
    return single if np.isfinite(single).all() else points
