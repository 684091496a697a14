"""Pictures of trajectories in files: some frames side by side, and all of them as an animation."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from PIL import Image

INCHES = 2.2  # of one panel
DOTS = 80  # per inch
FRAMES = 6  # of a picture
MILLISECONDS = 80  # of a frame of an animation


def write_picture(fields: xr.Dataset, path: Path, n_frames: int = FRAMES) -> None:
    """Write a PNG of some frames, evenly spaced in time: a row for each field.

    Args:
        fields: one trajectory, each variable with the dimensions (time, x, y, z as far as they exist).
        path: of the file.
        n_frames: how many frames.
    """
    times = np.unique(np.linspace(0, fields.sizes["time"] - 1, n_frames).round().astype(int))
    figure = _figure(len(fields.data_vars), len(times))
    axes = figure.subplots(len(fields.data_vars), len(times), squeeze=False)
    for row, (name, values) in zip(axes, fields.data_vars.items(), strict=True):
        limits = _limits(values.values)
        for axis, time in zip(row, times, strict=True):
            _draw(axis, values.values[time], limits, _places(fields))
            axis.set_title(f"{name}, t = {float(fields.time[time]):.3g}", fontsize=7)
    figure.savefig(path, dpi=DOTS)


def write_animation(fields: xr.Dataset, path: Path) -> None:
    """Write a GIF of all frames: the fields side by side.

    Args:
        fields: one trajectory, as for `write_picture`.
        path: of the file.
    """
    limits = {name: _limits(values.values) for name, values in fields.data_vars.items()}
    images = []
    for time in range(fields.sizes["time"]):
        figure = _figure(1, len(limits))
        row = figure.subplots(1, len(limits), squeeze=False)[0]
        for axis, (name, values) in zip(row, fields.data_vars.items(), strict=True):
            _draw(axis, values.values[time], limits[name], _places(fields))
            axis.set_title(f"{name}, t = {float(fields.time[time]):.3g}", fontsize=7)
        images.append(_image(figure))
    first, *others = images
    first.save(path, save_all=True, append_images=others, duration=MILLISECONDS, loop=0, optimize=True)


def _figure(rows: int, columns: int) -> Figure:
    return Figure(figsize=(INCHES * columns, INCHES * rows), dpi=DOTS, layout="tight")


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Limits of the colours over all frames: symmetric where a field has both signs."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if low < -0.1 * high and high > -0.1 * low:
        high = max(high, -low)
        low = -high
    return low, high if high > low else low + 1.0


def _places(fields: xr.Dataset) -> tuple[np.ndarray, np.ndarray] | None:
    """Return x and y of points in the plane; None on a grid, and where they lie on a line along an axis."""
    if "point" not in fields.dims or not {"x", "y"} <= set(fields.coords):
        return None
    places = fields.x.values, fields.y.values
    return places if all(np.ptp(axis) > 0 for axis in places) else None


def _draw(
    axis, values: np.ndarray, limits: tuple[float, float], places: tuple[np.ndarray, np.ndarray] | None = None
) -> None:
    """Draw one frame: a line, a map, points in the plane joined by triangles, or the middle plane of a volume."""
    if places is not None:
        colours = matplotlib.colormaps["RdBu_r" if limits[0] < 0 else "magma"]
        axis.tripcolor(*places, values, shading="gouraud", vmin=limits[0], vmax=limits[1], cmap=colours)
        axis.set_aspect("equal")
        axis.set_axis_off()
        return
    if values.ndim == 1:
        axis.plot(values, linewidth=1)
        axis.set_ylim(*limits)
        return
    plane = values if values.ndim == 2 else values[..., values.shape[-1] // 2]
    colours = matplotlib.colormaps["RdBu_r" if limits[0] < 0 else "magma"]
    axis.imshow(plane.T, origin="lower", vmin=limits[0], vmax=limits[1], cmap=colours)
    axis.set_axis_off()


def _image(figure: Figure) -> Image.Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
