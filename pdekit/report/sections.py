"""The parts of a report as plain values for its template: charts and pictures, each with a title and words."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.ticker import MaxNLocator

from pdekit.metrics.horizon import quantile
from pdekit.report import pictures
from pdekit.report.colours import Scale, scales
from pdekit.report.curves import Line, Panel
from pdekit.report.summary import THRESHOLD, forecasts_of, number


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
        low, middle, high = (number(v).replace("-", "−") for v in (scale.low, (scale.low + scale.high) / 2, scale.high))
        return cls(label, low, middle, high, scale.css())


@dataclass(frozen=True)
class View:
    """Pictures of one field of one sample.

    Args:
        title: which field, which sample.
        heads: over the columns.
        rows: (label, pictures with what they show) from top to bottom.
        bars: colour bars.
        caption: what is seen, and how to read it.
        still: what stands for a moving picture where motion is not wanted.
        ticks: labels below the pictures, and where they stand, in percent of the width.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    bars: tuple[Bar, ...]
    caption: str
    still: str = ""
    ticks: tuple[tuple[str, float], ...] = ()


def error_charts(scores: xr.Dataset, shown: dict[str, Line]) -> list[str]:
    """nRMSE and correlation against lead time, and the correlation times themselves."""
    charts = []
    t = scores.time.values
    if len(t) < 2:
        return charts
    fields = [str(name) for name in scores.field.values]
    groups = dict.fromkeys(scores.group.values.tolist()) if len(fields) > 1 else {}
    several = ", mean over fields" if len(groups) > 1 else ""
    charts.append(_error_chart(scores, shown, "nrmse", f"nRMSE{several}", "y", None))
    if "correlation" in scores:
        chart = _error_chart(scores, shown, "correlation", f"correlation{several}", "", THRESHOLD)
        charts.append(chart)
    for group in groups if len(groups) > 1 else ():
        some = scores.isel(field=np.flatnonzero(scores.group.values == group))
        charts.append(_error_chart(some, shown, "nrmse", f"nRMSE of {group}", "y", None))
    return charts


def _error_chart(scores, shown, measure, label, log, threshold) -> str:
    t = scores.time.values
    panel = Panel(f"{label} against lead time: median and quartiles over forecasts", "lead time", label, log)
    for name, line in shown.items():
        values = forecasts_of(scores, measure, name)
        panel.band(t, *(quantile(values, q) for q in (0.5, 0.25, 0.75)), line)
    if threshold is not None:
        panel.axes.axhline(threshold, color=Line(0).hex, linewidth=0.7, linestyle=(0, (1, 2)))
        panel.axes.set_ylim(min(0.0, max(-0.3, panel.axes.get_ylim()[0])), 1.02)
    if measure == "nrmse" and "nrmse_floor" in scores:
        panel.curve(t, scores.nrmse_floor.values, Line(0, (1, 2)), 0.8)
    return panel.svg()


def spectrum_charts(scores: xr.Dataset, shown: dict[str, Line], frames: list[int]) -> list[str]:
    """Energy spectra of each field, and the error of each shell, at a few times."""
    if "energy_spectrum" not in scores:
        return []
    k = scores.shell.values
    charts = []
    for name in scores.field.values.tolist():
        one = scores.sel(field=name)
        for frame in frames:
            reference = np.median(one.energy_spectrum_reference.values[:, frame], axis=0)
            filled = (reference > 1e-12 * reference.max()) & (k > 0)
            title = f"{name} at t = {scores.time.values[frame]:.3g}"
            panel = Panel(f"energy spectrum of {title}, median over forecasts", "wavenumber k", f"E(k), {title}", "xy")
            panel.curve(k[filled], reference[filled], Line(0), 2.4)
            for model, line in shown.items():
                values = one.energy_spectrum.sel(model=model).values[:, :, frame]
                values = values[~np.isnan(values[..., 0])]
                panel.curve(k[filled], quantile(values, 0.5)[filled], line, 1.3)
            panel.axes.set_ylim(reference[filled].min() / 3, reference[filled].max() * 3)
            charts.append(panel.svg())
    return charts


def movies(kept: xr.Dataset, model: str, samples: list[int]) -> list[View]:
    """Reference, forecast and error of each field, moving (2-D, and a slice of 3-D)."""
    grid, space = json.loads(kept.attrs["grid"]), _space(kept)
    periodic = [layout == "periodic" for layout in grid["layout"]][:2]
    views = []
    for sample in samples:
        for name in _fields(kept):
            reference, forecast, scale, error_scale, unit, where = _pair(kept, name, model, sample)
            moving, still = pictures.animation(
                [(reference, scale), (forecast, scale), (forecast - reference, error_scale)],
                kept.time.values, periodic,
            )  # fmt: skip
            words = f"{name}{where}: reference, {model} and their difference, {len(kept.time)} frames"
            views.append(
                View(
                    f"{name}{where}, sample {sample}", ("reference", model, "difference"), (("", ((moving, words),)),),
                    _bars(scale, error_scale, name, unit), f"{space[0]} to the right, {space[1]} up; {_box(grid)}.",
                    still,
                )
            )  # fmt: skip
    return views


def maps(kept: xr.Dataset, models: list[str], sample: int, times: tuple[float, ...]) -> list[View]:
    """Fields and errors at a few times (2-D, and a slice of 3-D)."""
    grid = json.loads(kept.attrs["grid"])
    periodic = [layout == "periodic" for layout in grid["layout"]][:2]
    frames = list(dict.fromkeys(int(np.abs(kept.time.values - t).argmin()) for t in times))
    heads = tuple(f"t = {kept.time.values[n]:.3g}" for n in frames)
    views = []
    for name in _fields(kept):
        rows = []
        for model in models:
            reference, forecast, scale, error_scale, unit, where = _pair(kept, name, model, sample)
            if not rows:
                rows.append(("reference", _strip(reference, frames, heads, scale, periodic, f"reference {name}")))
            rows.append((model, _strip(forecast, frames, heads, scale, periodic, f"{model}, {name}")))
            error = forecast - reference
            rows.append(
                ("difference", _strip(error, frames, heads, error_scale, periodic, f"error of {model}, {name}"))
            )
        views.append(
            View(f"{name}{where}, sample {sample}", heads, tuple(rows), _bars(scale, error_scale, name, unit), "")
        )
    return views


def space_times(kept: xr.Dataset, model: str, samples: list[int]) -> list[View]:
    """Reference, forecast and error over time and space (1-D)."""
    grid = json.loads(kept.attrs["grid"])
    t = kept.time.values
    marks = [value for value in MaxNLocator(7).tick_values(t[0], t[-1]) if t[0] <= value <= t[-1]]
    ticks = tuple((f"{value:g}", float(100 * (value - t[0]) / (t[-1] - t[0]))) for value in marks)
    views = []
    for sample in samples:
        for name in _fields(kept):
            reference, forecast, scale, error_scale, unit, _ = _pair(kept, name, model, sample)
            parts = (
                ("reference", reference, scale),
                (model, forecast, scale),
                ("difference", forecast - reference, error_scale),
            )
            periodic = grid["layout"][0] == "periodic"
            rows = tuple(
                (label, ((pictures.space_time(values, s, periodic), f"{label}, {name} over time and space"),))
                for label, values, s in parts
            )
            views.append(
                View(
                    f"{name}, sample {sample}", (), rows, _bars(scale, error_scale, name, unit),
                    f"Time to the right, x up; {_box(grid)}.", "", ticks,
                )
            )  # fmt: skip
    return views


def profiles(kept: xr.Dataset, shown: dict[str, Line], sample: int, times: tuple[float, ...]) -> list[str]:
    """Fields against x at a few times (1-D), or against time (no space)."""
    charts = []
    space = _space(kept)
    for name in _fields(kept):
        data = kept[name].isel(sample=sample)
        label = f"{name} ({kept[name].attrs['units']})"
        for t in times if space else (None,):
            at = "" if t is None else f" at t = {t:.3g}"
            panel = Panel(f"{name} of sample {sample}{at}", space[0] if space else "lead time", label + at)
            some = data if t is None else data.sel(time=t, method="nearest")
            across = data.time.values if t is None else data[space[0]].values
            panel.curve(across, some.sel(model="reference").values, Line(0), 2.4)
            for model, line in shown.items():
                panel.curve(across, some.sel(model=model).values, line, 1.3)
            values = data.sel(model="reference").values
            room = 0.3 * (values.max() - values.min()) + 1e-30
            panel.axes.set_ylim(values.min() - room, values.max() + room)
            charts.append(panel.svg())
    return charts


def _pair(kept: xr.Dataset, name: str, model: str, sample: int):
    """Reference and forecast "time *plane", their scales, the unit, and which slice it is."""
    data, where = kept[name].isel(sample=sample), ""
    space = _space(kept)
    if len(space) == 3:
        middle = kept.sizes[space[2]] // 2
        where = f" at {space[2]} = {float(kept[space[2]][middle]):.3g}"
        data = data.isel({space[2]: middle})
    reference, forecast = (data.sel(model=m).values.astype(np.float64) for m in ("reference", model))
    return reference, forecast, *scales(reference), kept[name].attrs["units"], where


def _strip(values, frames, heads, scale, periodic, label) -> tuple[tuple[str, str], ...]:
    return tuple(
        (pictures.map_of(values[n], scale, periodic), f"{label} at {head}")
        for n, head in zip(frames, heads, strict=True)
    )


def _bars(scale: Scale, error_scale: Scale, name: str, unit: str) -> tuple[Bar, ...]:
    label = f"{name} ({unit})" if unit != "1" else name
    if scale is error_scale:
        return (Bar.of(scale, f"{label}, and its difference"),)
    return Bar.of(scale, label), Bar.of(error_scale, f"difference of {label}")


def _box(grid: dict) -> str:
    return "box of " + " × ".join(f"{length:.4g}" for length in grid["extent"])


def _space(kept: xr.Dataset) -> list[str]:
    return [dim for dim in ("x", "y", "z") if dim in kept.sizes]


def _fields(kept: xr.Dataset) -> list[str]:
    return [str(name) for name, data in kept.data_vars.items() if "time" in data.dims]
