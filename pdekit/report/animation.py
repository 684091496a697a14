"""Pictures of trajectories in files: some frames side by side, and all of them as an animation."""

from __future__ import annotations

from dataclasses import dataclass
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
    plane = drawn_plane(fields)
    where = "" if plane is None else plane.where
    figure = _figure(len(fields.data_vars), len(times))
    axes = figure.subplots(len(fields.data_vars), len(times), squeeze=False)
    for row, (name, values) in zip(axes, fields.data_vars.items(), strict=True):
        limits = _limits(values.values)
        for axis, time in zip(row, times, strict=True):
            _draw(axis, values.values[time], limits, plane)
            axis.set_title(f"{name}, {where}t = {float(fields.time[time]):.3g}", fontsize=7)
    figure.savefig(path, dpi=DOTS)


def write_animation(fields: xr.Dataset, path: Path) -> None:
    """Write a GIF of all frames: the fields side by side.

    Args:
        fields: one trajectory, as for `write_picture`.
        path: of the file.
    """
    limits = {name: _limits(values.values) for name, values in fields.data_vars.items()}
    plane = drawn_plane(fields)
    where = "" if plane is None else plane.where
    images = []
    for time in range(fields.sizes["time"]):
        figure = _figure(1, len(limits))
        row = figure.subplots(1, len(limits), squeeze=False)[0]
        for axis, (name, values) in zip(row, fields.data_vars.items(), strict=True):
            _draw(axis, values.values[time], limits[name], plane)
            axis.set_title(f"{name}, {where}t = {float(fields.time[time]):.3g}", fontsize=7)
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


@dataclass(frozen=True)
class DrawnPlane:
    """Points that are drawn.

    Args:
        across, up: their coordinates in the picture.
        which: which of all points they are.
        where: words of the title, e.g. "z = 0.5, "; "" if they are all points.
    """

    across: np.ndarray
    up: np.ndarray
    which: np.ndarray
    where: str = ""


def drawn_plane(fields: xr.Dataset) -> DrawnPlane | None:
    """Return the points that are drawn: all of them in a plane; in a volume the layer of points in the middle along z,
    as thick as the mean distance of neighbours. None on a grid, and where the points lie on a line.

    Limits: in a volume with so few points that those of the layer lie on a line, all points are drawn on x and y.
    """
    if "point" not in fields.dims:
        return None
    places = [fields[letter].values for letter in "xyz" if letter in fields.coords]
    spread = [axis for axis in places if np.ptp(axis) > 0]
    if len(spread) < 2 or _on_a_line(*spread[:2]):
        return None
    across, up, *depths = spread
    for depth in depths:
        distance = (np.prod([np.ptp(axis) for axis in spread]) / len(depth)) ** (1 / 3)
        nearest = depth[np.abs(depth - (depth.min() + depth.max()) / 2).argmin()]
        layer = np.abs(depth - nearest) < distance / 2
        if not _on_a_line(across[layer], up[layer]):
            return DrawnPlane(across[layer], up[layer], layer, f"z = {nearest:.3g}, ")
    return DrawnPlane(across, up, np.ones(len(up), dtype=bool))


def _on_a_line(across: np.ndarray, up: np.ndarray) -> bool:
    """True of points that no triangles join."""
    places = np.stack((across - across.mean(), up - up.mean()))
    return bool(np.linalg.matrix_rank(places) < 2)


def _draw(axis, values: np.ndarray, limits: tuple[float, float], plane: DrawnPlane | None = None) -> None:
    """Draw one frame: a line, a map, points in the plane joined by triangles, or the middle plane of a volume."""
    if plane is not None:
        colours = matplotlib.colormaps["RdBu_r" if limits[0] < 0 else "magma"]
        shown = values[plane.which]
        axis.tripcolor(plane.across, plane.up, shown, shading="gouraud", vmin=limits[0], vmax=limits[1], cmap=colours)
        axis.set_aspect("equal")
        axis.set_axis_off()
        return
    if values.ndim == 1:
        axis.plot(values, linewidth=1)
        axis.set_ylim(*limits)
        return
    middle = values if values.ndim == 2 else values[..., values.shape[-1] // 2]
    colours = matplotlib.colormaps["RdBu_r" if limits[0] < 0 else "magma"]
    axis.imshow(middle.T, origin="lower", vmin=limits[0], vmax=limits[1], cmap=colours)
    axis.set_axis_off()


def _image(figure: Figure) -> Image.Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
