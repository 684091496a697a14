"""Geometry of kept forecasts: the planes in which they are shown, their axes, and the values on them.

A plane is drawn with its first axis to the right and its second one up. Two-dimensional boxes have one plane,
three-dimensional boxes three that meet in the middle. A mesh is drawn as a raster, linear in its triangles; points
without cells are drawn as discs. Values outside a mask or a mesh are NaN.

Variables of the forecasts, next to the fields (model, sample, time, *space*), are used if they are there: inputs
(sample, *space*), ``mask`` (sample, [field,] *space*), ``points`` (sample, point, dim), ``point_mask`` (sample, point)
and ``cells`` (sample, cell, corner).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from pdekit.report.charts.curves import power_of_ten, ticks
from pdekit.report.charts.formats import number, with_unit

GEOMETRY = {"mask", "points", "point_mask", "cells"}
PIXELS = 144
"""Of the longer side of the raster of a mesh."""

WIDEST = 4.0


@dataclass(frozen=True)
class SceneAxis:
    """An axis of a picture: its label, its ends, and its marks with their places in percent.

    Marks of very small and very large coordinates are in a power of 1000, which the label names.
    """

    label: str
    low: float
    high: float
    marks: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, label: str, low: float, high: float, n: int = 3) -> SceneAxis:
        span = high - low if high > low else 1.0
        most = max(abs(low), abs(high))
        power = 3 * math.floor(math.log10(most) / 3) if most and not 0.01 <= most < 1e4 else 0
        factor = 10.0**power
        marks = tuple((text, 100 * (v * factor - low) / span) for v, text in ticks(low / factor, high / factor, n=n))
        return cls(f"{label} · {power_of_ten(1 / factor)}" if power else label, float(low), float(high), marks)


@dataclass(frozen=True)
class Plane:
    """One picture's place: its title (empty if there is only one), its axes, and which of them are periodic."""

    title: str
    across: SceneAxis
    up: SceneAxis
    periodic: tuple[bool, bool]
    dims: tuple[str, str] = ("x", "y")
    cut: tuple[tuple[str, int], ...] = ()

    @property
    def aspect(self) -> float:
        """Width over height, within reason."""
        ratio = (self.across.high - self.across.low) / max(self.up.high - self.up.low, 1e-300)
        return float(np.clip(ratio, 1 / WIDEST, WIDEST))

    @property
    def width(self) -> float:
        """Width of the picture relative to a square one: the root of the aspect ratio, between 0.6 and 1.6."""
        return float(np.clip(np.sqrt(self.aspect), 0.6, 1.6))


class Scene:
    """The geometry of kept forecasts.

    Args:
        kept: ``forecasts.nc``.
        periodic: whether each axis is.
    """

    def __init__(self, kept: xr.Dataset, periodic: tuple[bool, ...]):
        self.kept, self.periodic = kept, periodic
        self.mesh = "point" in kept.sizes
        self.space = ["point"] if self.mesh else [dim for dim in ("x", "y", "z") if dim in kept.sizes]
        self._rasters: dict[tuple[int, int], _Raster] = {}

    @property
    def fields(self) -> list[str]:
        """Names of the forecast fields."""
        return [str(name) for name, data in self.kept.data_vars.items() if {"model", "time"} <= set(data.dims)]

    @property
    def inputs(self) -> list[str]:
        """Fields that are given, and do not vary in time."""
        return [
            str(name)
            for name, data in self.kept.data_vars.items()
            if name not in GEOMETRY and not {"model", "time"} & set(data.dims) and set(self.space) <= set(data.dims)
            and self.space
        ]  # fmt: skip

    @property
    def seen(self) -> bool:
        """True if maps can be drawn: two or three dimensions, or a mesh with known points."""
        return ("points" in self.kept) if self.mesh else len(self.space) >= 2

    def unit(self, name: str) -> str:
        """Of a field or an input."""
        return str(self.kept[name].attrs.get("units", "1"))

    @cached_property
    def planes(self) -> tuple[Plane, ...]:
        """All planes, the first two axes first."""
        if not self.seen:
            return ()
        if self.mesh:
            return tuple(self._mesh_plane(pair) for pair in self._pairs)
        axes = {dim: self.axis(dim) for dim in self.space}
        loops = dict(zip(self.space, self.periodic, strict=True))
        if len(self.space) == 2:
            x, y = self.space
            return (Plane("", axes[x], axes[y], (loops[x], loops[y])),)
        planes = []
        for pair, left in ((("x", "y"), "z"), (("x", "z"), "y"), (("y", "z"), "x")):
            middle = self.kept.sizes[left] // 2
            title = f"{left} = {number(float(self.kept[left][middle]))}"
            loop = (loops[pair[0]], loops[pair[1]])
            planes.append(Plane(title, axes[pair[0]], axes[pair[1]], loop, pair, ((left, middle),)))
        return tuple(planes)

    def values(self, data: xr.DataArray, plane: Plane, sample: int) -> np.ndarray:
        """Values "... x y" of one sample on a plane: NaN where the field does not exist, +inf where it has diverged.

        Other dimensions stay in the order of the data.
        """
        name = str(data.name)
        data = data.isel(sample=sample) if "sample" in data.dims else data
        if self.mesh:
            flat = data.transpose(..., "point").values.astype(np.float64)
            return self._raster(sample, self.planes.index(plane)).of(flat)
        data = data.isel(dict(plane.cut)).transpose(..., *plane.dims)
        return _held(data.values, self._outside(name, plane, sample))

    def line(self, data: xr.DataArray, sample: int) -> np.ndarray:
        """Values "... x" of one sample of a one-dimensional problem."""
        data = data.isel(sample=sample)
        return _held(data.transpose(..., "x").values, self._outside(str(data.name), None, sample))

    def _outside(self, name: str, plane: Plane | None, sample: int) -> np.ndarray:
        """True where a field does not exist: outside its mask, or where the reference (or an input) is NaN."""
        there = self.kept[name]
        if "model" in there.dims:
            there = there.sel(model="reference").isel({dim: 0 for dim in ("time", "member") if dim in there.dims})
        if "mask" in self.kept and ("field" not in self.kept["mask"].dims or name in self.kept["mask"].field.values):
            there = self.kept["mask"]
            there = (there.sel(field=name) if "field" in there.dims else there) > 0
            there = there.where(there)
        there = there.isel(sample=sample) if "sample" in there.dims else there
        if plane is not None:
            there = there.isel(dict(plane.cut)).transpose(*plane.dims)
        return np.isnan(there.values.astype(np.float64))

    def axis(self, dim: str) -> SceneAxis:
        """Through the middles of the outermost squares, and half a square on."""
        at = self.kept[dim].values.astype(np.float64)
        half = (at[1] - at[0]) / 2 if len(at) > 1 else 0.5
        return SceneAxis.of(with_unit(dim, str(self.kept[dim].attrs.get("units", "1"))), at[0] - half, at[-1] + half)

    @property
    def _pairs(self) -> tuple[tuple[int, int], ...]:
        return ((0, 1),) if self.kept["points"].sizes["dim"] == 2 else ((0, 1), (0, 2), (1, 2))

    def _mesh_plane(self, pair: tuple[int, int]) -> Plane:
        there = np.concatenate([self._points(sample) for sample in range(self.kept.sizes["sample"])])
        names = "xyz"
        low, high = there.min(0), there.max(0)
        across, up = (SceneAxis.of(names[i], low[i], high[i]) for i in pair)
        title = "" if len(self._pairs) == 1 else f"middle slab in {names[3 - sum(pair)]}"
        return Plane(title, across, up, (False, False), (names[pair[0]], names[pair[1]]))

    def _points(self, sample: int) -> np.ndarray:
        points = self.kept["points"].isel(sample=sample).values.astype(np.float64)
        return points[self._real(sample)]

    def _real(self, sample: int) -> np.ndarray:
        if "point_mask" not in self.kept:
            return np.ones(self.kept.sizes["point"], bool)
        return self.kept["point_mask"].isel(sample=sample).values > 0

    def _raster(self, sample: int, number_of: int) -> _Raster:
        key = sample, number_of
        if key not in self._rasters:
            cells = self.kept["cells"].isel(sample=sample).values if "cells" in self.kept else None
            points, real = self.kept["points"].isel(sample=sample).values.astype(np.float64), self._real(sample)
            plane, pair = self.planes[number_of], self._pairs[number_of]
            if points.shape[1] == 3:
                left = points[:, 3 - sum(pair)]
                inside = left[real]
                real = real & (np.abs(left - (inside.min() + inside.max()) / 2) <= 0.1 * np.ptp(inside))
                cells = None
            self._rasters[key] = _Raster(points[:, pair], real, cells, plane)
        return self._rasters[key]


def _held(values: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """NaN outside, +inf where a value is not finite inside."""
    values = np.where(np.isfinite(values), values, np.inf)
    return np.where(outside, np.nan, values)


class _Raster:
    """From values at points to a picture: three points and their weights for each pixel that lies in a cell."""

    def __init__(self, points: np.ndarray, real: np.ndarray, cells: np.ndarray | None, plane: Plane):
        width, height = plane.across.high - plane.across.low, plane.up.high - plane.up.low
        most = max(width, height)
        self.shape = max(2, round(PIXELS * width / most)), max(2, round(PIXELS * height / most))
        x, y = (
            axis.low + (np.arange(n) + 0.5) / n * (axis.high - axis.low)
            for axis, n in zip((plane.across, plane.up), self.shape, strict=True)
        )
        if cells is None:
            at = np.stack(np.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2)
            self.corners, self.weights = _discs(points, real, at, width * height)
        else:
            self.corners, self.weights = _in_triangles(points, triangles(cells), x, y)

    def of(self, values: np.ndarray) -> np.ndarray:
        """A picture "... x y" of values "... point"."""
        inside = self.corners[:, 0] >= 0
        picked = values[..., np.where(inside[:, None], self.corners, 0)]
        with np.errstate(invalid="ignore"):
            found = _held((picked * self.weights).sum(-1), ~inside)
        return found.reshape(*values.shape[:-1], *self.shape)


def triangles(cells: np.ndarray) -> np.ndarray:
    """Triangles of cells with three or four corners; cells that are padding (a negative corner, or one twice) are none.

    >>> triangles(np.array([[0, 1, 2, 3], [0, 1, 4, -1]])).tolist()
    [[0, 1, 2], [0, 2, 3], [0, 1, 4]]
    """
    cells = np.asarray(cells).astype(np.int64)
    fans = [cells[:, [0, n, n + 1]] for n in range(1, cells.shape[1] - 1)]
    found = np.stack(fans, 1).reshape(-1, 3)
    a, b, c = found.T
    return found[(found >= 0).all(1) & (a != b) & (b != c) & (a != c)]


def _in_triangles(points: np.ndarray, cells: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners and barycentric weights of a triangle that holds each place "x y"; -1 outside of all.

    One triangle after the other, so that meshes with twin points, slivers or overlaps are drawn too.
    """
    corners = np.full((len(x), len(y), 3), -1)
    weights = np.zeros((len(x), len(y), 3))
    for cell in cells:
        (ax, ay), (bx, by), (cx, cy) = points[cell].tolist()
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        columns = slice(*np.searchsorted(x, (min(ax, bx, cx), max(ax, bx, cx))))
        rows = slice(*np.searchsorted(y, (min(ay, by, cy), max(ay, by, cy))))
        px, py = x[columns, None], y[None, rows]
        second = ((px - ax) * (cy - ay) - (py - ay) * (cx - ax)) / area
        third = ((bx - ax) * (py - ay) - (by - ay) * (px - ax)) / area
        inside = (second >= -1e-9) & (third >= -1e-9) & (second + third <= 1 + 1e-9)
        corners[columns, rows][inside] = cell
        weights[columns, rows][inside] = np.stack([1 - second - third, second, third], -1)[inside]
    return corners.reshape(-1, 3), weights.reshape(-1, 3)


def _discs(points: np.ndarray, real: np.ndarray, at: np.ndarray, area: float) -> tuple[np.ndarray, np.ndarray]:
    """The nearest point of each place, if it is no further than points are from each other."""
    which = np.flatnonzero(real)
    distance, nearest = cKDTree(points[which]).query(at)
    near = distance <= 0.6 * np.sqrt(area / len(which))
    corners = np.where(near, which[nearest], -1)[:, None].repeat(3, 1)
    return corners, np.tile([1.0, 0.0, 0.0], (len(at), 1))
