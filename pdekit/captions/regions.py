"""Regions of a field: connected points above a threshold, with their number, place, size and shape.

A region that crosses a periodic end goes on at the other one. Points are neighbours along axes, not along diagonals.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, prod
from typing import cast

import numpy as np
from scipy import ndimage
from torch import Tensor

from pdekit.captions.words import listed, place_name, plural, with_article
from pdekit.fields import Grid, Problem

SHARE = 0.5  # of the largest deviation from the background, above which a point belongs to a region
SMALLEST = 3  # points of a region that counts
LISTED = 4  # regions whose shapes and places are named one by one
ROUND, LONG = 1.5, 3.0  # aspect ratios below and above which a region is called round and long


@dataclass(frozen=True)
class Region:
    """Connected points of a field.

    Args:
        centre: mean position, in the box.
        size: length, area or volume.
        peak: largest value.
        aspect: ratio of the largest to the smallest standard deviation of the positions along principal axes.
    """

    centre: tuple[float, ...]
    size: float
    peak: float
    aspect: float

    @property
    def shape(self) -> str:
        """ "round", "oval" or "long", see `ROUND` and `LONG`."""
        return "round" if self.aspect < ROUND else "oval" if self.aspect < LONG else "long"


def regions(values: np.ndarray, grid: Grid, threshold: float) -> list[Region]:
    """Regions where values exceed a threshold, the largest first; those of fewer than `SMALLEST` points are left out.

    Args:
        values: "*space", on the points of the grid.
        grid: of one to three axes, each periodic or bounded.
        threshold: a value.
    """
    labels, n = _labelled(values > threshold, grid)
    spacing = np.array([float(h) for h in grid.spacing])
    coordinates = [grid.coordinates(axis).numpy() for axis in range(grid.ndim)]
    found = []
    for label in range(1, n + 1):
        where = np.nonzero(labels == label)
        if len(where[0]) < SMALLEST:
            continue
        positions = np.stack([_unwrapped(coordinates[a][where[a]], grid, a) for a in range(grid.ndim)], -1)
        spread = np.cov(positions, rowvar=False, bias=True).reshape(grid.ndim, grid.ndim) + np.diag(spacing**2 / 12)
        principal = np.linalg.eigvalsh(spread)
        centre = tuple(_inside(x, grid, a) for a, x in enumerate(positions.mean(0).tolist()))
        size, peak = len(where[0]) * prod(spacing.tolist()), float(values[where].max())
        found.append(Region(centre, size, peak, float(np.sqrt(principal[-1] / principal[0]))))
    return sorted(found, key=lambda region: -region.size)


def _labelled(inside: np.ndarray, grid: Grid) -> tuple[np.ndarray, int]:
    """Connected points with one label, across periodic ends too."""
    labels, n = ndimage.label(inside)
    same = np.arange(n + 1)
    for axis, layout in enumerate(grid.layout):
        if layout != "periodic":
            continue
        first, last = labels.take(0, axis).ravel(), labels.take(-1, axis).ravel()
        for a, b in zip(first, last, strict=True):
            if a and b and same[a] != same[b]:
                same[same == same[b]] = same[a]
    kept = np.unique(same[1:])
    renumbered = np.zeros(n + 1, dtype=int)
    renumbered[1:] = np.searchsorted(kept, same[1:]) + 1
    return renumbered[labels], len(kept)


def _unwrapped(x: np.ndarray, grid: Grid, axis: int) -> np.ndarray:
    """Positions along an axis without the jump of a region across a periodic end: counted from its circular mean."""
    if grid.layout[axis] != "periodic":
        return x
    length = float(grid.extent[axis])
    mean = np.angle(np.exp(2j * pi * x / length).mean()) * length / (2 * pi)
    return mean + (x - mean + length / 2) % length - length / 2


def _inside(x: float, grid: Grid, axis: int) -> float:
    """A position on the same point of the box."""
    low, length = grid.origin[axis], float(grid.extent[axis])
    return low + (x - low) % length if grid.layout[axis] == "periodic" else x


def describe_field(frame: Tensor, problem: Problem) -> str:
    """Words for the regions of a frame: vortices of a vorticity, plumes of smoke, fronts in one dimension, else "".

    Args:
        frame: "channel *space".
        problem: with a grid of one or two dimensions.
    """
    grid, names = problem.grid, [field.name for field in problem.fields]
    if not grid.uniform or grid.ndim not in (1, 2):
        return ""
    grid = cast(Grid, grid)  # a uniform one
    values = frame.detach().double().cpu().numpy()
    if "vorticity" in names:
        w = values[names.index("vorticity")]
        one, other = (regions(sign * w, grid, SHARE * np.abs(w).max()) for sign in (1, -1))
        left = plural(len(one), "vortex")
        return f"{left} counter-clockwise and {plural(len(other), 'vortex')} clockwise" if one or other else ""
    if grid.ndim == 1 and len(names) == 1:
        slope = -np.gradient(values[0], float(grid.spacing[0]))
        return plural(len(regions(slope, grid, SHARE * slope.max())), "falling front") if slope.max() > 0 else ""
    last = values[-1]
    background = np.median(last)
    deviation = last - background
    if grid.ndim != 2 or not deviation.max() > 0:
        return ""
    found = regions(deviation, grid, SHARE * deviation.max())
    extent = [float(length) for length in grid.extent]
    places = [place_name(region.centre[0], region.centre[1], grid.origin, extent) for region in found]
    counted = plural(len(found), f"region of high {names[-1].replace('_', ' ')}")
    if not 0 < len(found) <= LISTED:
        return counted if found else ""
    shapes = [f"{with_article(region.shape)} one in {where}" for region, where in zip(found, places, strict=True)]
    return f"{counted}: {listed(shapes)}"
