"""Pictures of fields as PNG; x to the right, y up.

A grid point is a square of one colour, so that noise between neighbours is seen. Fields of fewer than 64 points are
first interpolated (bicubic, through the samples, around periodic axes), before they are coloured, so that no colour
appears that the scale does not have.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from pdekit.report.charts.colours import Scale

SMOOTH_BELOW = 64
WRAP = 4


def map_of(field: np.ndarray, scale: Scale, periodic: Sequence[bool]) -> str:
    """A field "x y" as a data URI, one pixel for each (interpolated) point: to be enlarged by the page, in squares."""
    return _png(scale.rgba(smoothed(field, periodic).T[::-1]))


def space_time(field: np.ndarray, scale: Scale, periodic: bool) -> str:
    """A field "time x": time to the right, x up. To be stretched by the page."""
    return _png(scale.rgba(smoothed(field, (False, periodic)).T[::-1]))


def smoothed(field: np.ndarray, periodic: Sequence[bool]) -> np.ndarray:
    """The field on a grid so many times finer that no axis has fewer than `SMOOTH_BELOW` points."""
    times = -(-SMOOTH_BELOW // min(field.shape))
    if times == 1 or not np.isfinite(field).all():
        return field
    (left, _), (low, _) = pads = [(WRAP, WRAP) if wraps else (0, 0) for wraps in periodic]
    columns, rows = field.shape
    around = Image.fromarray(np.pad(field, pads, mode="wrap").astype(np.float32))
    box = (low, left, low + rows, left + columns)
    return np.asarray(around.resize((rows * times, columns * times), Image.Resampling.BICUBIC, box=box))


def data_uri(content: bytes, kind: str) -> str:
    """A picture as an address that holds the picture itself; kind is its format, e.g. "webp"."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _png(rgba: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgba)).save(out, "PNG", optimize=True)
    return data_uri(out.getvalue(), "png")
