"""Pictures that do not move: maps at a few times, space over time, profiles. They print, and need no script."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from pdekit.report.charts import pictures
from pdekit.report.charts.colours import Scale, scales
from pdekit.report.charts.curves import Line, Panel
from pdekit.report.charts.formats import number, with_unit
from pdekit.report.charts.scene import Plane, Scene, SceneAxis
from pdekit.report.sections.base import Page
from pdekit.report.viewer import viewer

MOST_MAPPED = 2
"""Models of which still pictures are shown."""


@dataclass(frozen=True)
class Bar:
    """A colour bar."""

    label: str
    low: str
    middle: str
    high: str
    css: str

    @classmethod
    def of(cls, scale: Scale, label: str) -> Bar:
        middle = (scale.low + scale.high) / 2
        return cls(label, number(scale.low), number(middle), number(scale.high), scale.css())


@dataclass(frozen=True)
class View:
    """Pictures of one field of one sample.

    Args:
        choice: the field, and the plane if there are several.
        title: the same in words, and the sample.
        heads: over the columns.
        rows: (label, pictures with what they show) from top to bottom.
        bars: colour bars.
        across, up: axes of each picture.
        aspect: width over height of a picture.
    """

    choice: tuple[str, ...]
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    bars: tuple[Bar, ...]
    across: SceneAxis
    up: SceneAxis
    aspect: float = 1.0


def maps(scene: Scene, models: list[str], times: tuple[float, ...], sample: int = 0) -> list[View]:
    """Reference, forecasts and errors at a few times; without time one row, with what was given."""
    kept, views = scene.kept, []
    frames = list(dict.fromkeys(int(np.abs(kept.time.values - t).argmin()) for t in times))
    for name in scene.fields:
        for plane in scene.planes:
            reference = scene.values(_one(kept[name].sel(model="reference")), plane, sample)
            scale, error_scale = scales(reference)
            title = name + (f", {plane.title}" if plane.title else "") + f", sample {sample}"
            pairs = [(model, scene.values(_one(kept[name].sel(model=model)), plane, sample)) for model in models]
            draw = _Drawing(plane, name)
            if kept.sizes["time"] == 1:
                heads, rows, bars = _steady(scene, draw, plane, sample, reference, pairs, scale, error_scale)
            else:
                heads = tuple(f"t = {number(float(kept.time.values[n]))}" for n in frames)
                rows = [("reference", draw.strip(reference, frames, heads, scale, "reference"))]
                for model, values in pairs:
                    rows.append((model, draw.strip(values, frames, heads, scale, model)))
                    error = difference(values, reference)
                    rows.append(("difference", draw.strip(error, frames, heads, error_scale, f"error of {model}")))
                bars = ()
            views.append(
                View(
                    (name, *([plane.title] if plane.title else [])), title, heads, tuple(rows),
                    (*bars, *colour_bars(scale, error_scale, name, scene.unit(name))), plane.across, plane.up,
                    plane.aspect,
                )
            )  # fmt: skip
    return views


def space_times(scene: Scene, models: list[str], sample: int = 0) -> list[View]:
    """Reference, forecast and error over time and space (one dimension)."""
    kept, views = scene.kept, []
    t = kept.time.values
    half = (t[1] - t[0]) / 2
    label = with_unit("lead time", str(kept.time.attrs.get("units", "1")))
    for name in scene.fields:
        reference = scene.line(_one(kept[name].sel(model="reference")), sample)
        scale, error_scale = scales(reference)
        rows = [("reference", reference, scale)]
        for model in models:
            values = scene.line(_one(kept[name].sel(model=model)), sample)
            rows += [(model, values, scale), ("difference", difference(values, reference), error_scale)]
        lanes = tuple(
            (called, ((pictures.space_time(values, s, scene.periodic[0]), f"{called}, {name} over time and space"),))
            for called, values, s in rows
        )
        views.append(
            View(
                (name,), f"{name}, sample {sample}", (), lanes,
                colour_bars(scale, error_scale, name, scene.unit(name)),
                SceneAxis.of(label, t[0] - half, t[-1] + half, 6),
                scene.axis("x"),
            )
        )  # fmt: skip
    return views


def profiles(scene: Scene, shown: dict[str, Line], times: tuple[float, ...], sample: int = 0) -> list[str]:
    """Fields against x at a few times, or against time where there is no space."""
    kept, charts = scene.kept, []
    for name in scene.fields:
        data = kept[name].isel(sample=sample)
        unit = with_unit(name, scene.unit(name))
        for t in times if scene.space else (None,):
            at = "" if t is None else f" at t = {number(t)}"
            place = scene.space[0] if scene.space else "lead time"
            panel = Panel(f"{name} of sample {sample}{at}", place, unit, mark=at[4:])
            some = data if t is None else data.sel(time=t, method="nearest")
            across = data.time.values if t is None else data[scene.space[0]].values
            panel.curve(across, _one(some.sel(model="reference")).values, Line(0), 2.6, "reference")
            for model, line in shown.items():
                panel.curve(across, _one(some.sel(model=model)).values, line, 1.4, model)
            panel.limits("y", *_span(data.sel(model="reference").values))
            charts.append(panel.svg())
    return charts


def difference(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Forecast less reference; what has diverged stays infinite, and what does not exist NaN."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(values), np.inf, values - reference)


def colour_bars(scale: Scale, error_scale: Scale, name: str, unit: str) -> tuple[Bar, ...]:
    """One bar where field and error share a scale, else two."""
    label = with_unit(name, unit)
    if scale is error_scale:
        return (Bar.of(scale, f"{label}, and its difference"),)
    return Bar.of(scale, label), Bar.of(error_scale, f"difference of {label}")


@dataclass(frozen=True)
class _Drawing:
    """Settings with which the maps of one field on one plane are drawn."""

    plane: Plane
    name: str

    def picture(self, values: np.ndarray, scale: Scale, words: str) -> tuple[str, str]:
        said = f"{words}, {self.name}" + (f", {self.plane.title}" if self.plane.title else "")
        return pictures.map_of(values, scale, self.plane.periodic), said

    def strip(self, values: np.ndarray, frames: list[int], heads: tuple[str, ...], scale: Scale, words: str):
        return tuple(self.picture(values[n], scale, f"{words} at {h}") for n, h in zip(frames, heads, strict=True))


def _steady(scene, draw, plane, sample, reference, pairs, scale, error_scale):
    """One row: what is given, the reference, and each forecast with its error."""
    heads, cells, bars = [], [], []
    for given in scene.inputs:
        values = scene.values(scene.kept[given], plane, sample)
        own = scales(values)[0]
        heads.append(f"given: {given}")
        cells.append(draw.picture(values, own, f"given {given}"))
        bars.append(Bar.of(own, with_unit(given, scene.unit(given))))
    heads.append("reference")
    cells.append(draw.picture(reference[0], scale, "reference"))
    for model, values in pairs:
        heads += [model, "difference"]
        cells.append(draw.picture(values[0], scale, model))
        cells.append(draw.picture(difference(values[0], reference[0]), error_scale, f"error of {model}"))
    return tuple(heads), [("", tuple(cells))], tuple(bars)


def _span(values: np.ndarray) -> tuple[float, float]:
    """Ends of an axis for a field: its range and 0.3 of it on either side, or a quarter of a constant."""
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    room, size = 0.3 * (high - low), max(abs(low), abs(high))
    if not high - low > 1e-9 * size:
        room = size / 4 or 0.5
    return low - room, high + room


def _one(data: xr.DataArray) -> xr.DataArray:
    """The first member."""
    return data.isel(member=0) if "member" in data.dims else data


def viewer_section(page: Page) -> str:
    """Fill the viewer of forecasts."""
    return page.fill("viewer", viewer=viewer(page.kept, page.scene, page.viewed))


def space_times_section(page: Page) -> str:
    """Fill the pictures over space and time of one-dimensional problems."""
    wanted = page.scene.space == ["x"] and page.kept.sizes["time"] > 1
    found = space_times(page.scene, page.seen[:MOST_MAPPED]) if wanted else []
    return page.fill("space_times", space_times=found)


def profiles_section(page: Page) -> str:
    """Fill the profiles of problems with one axis or none."""
    lines = {name: page.shown[name] for name in page.seen}
    wanted = page.scene.space in ([], ["x"])
    return page.fill("profiles", profiles=profiles(page.scene, lines, page.few_times) if wanted else [])


def maps_section(page: Page) -> str:
    """Fill the maps of problems with two axes or more."""
    found = maps(page.scene, page.seen[:MOST_MAPPED], page.table.times) if page.scene.seen else []
    return page.fill("maps", maps=found)
