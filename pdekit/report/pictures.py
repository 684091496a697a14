"""Pictures of fields: animations as lossless WebP, maps as PNG; x to the right, y up.

A grid point is a square of one colour, so that noise between neighbours is seen. Fields of fewer than 64 points are
first interpolated (bicubic, through the samples, around periodic axes), before they are coloured, so that no colour
appears that the scale does not have. Squares also keep lossless pictures small: 0.5 MB where interpolation to the
full size takes 3.6 MB (40 frames of 64^2 in three panels).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pdekit.report.colours import Scale

GAP = 8
SECONDS = 9.0
MOST_FRAMES = 60
SMOOTH_BELOW = 64
WRAP = 4


def animation(
    panels: Sequence[tuple[np.ndarray, Scale]], times: np.ndarray, periodic: Sequence[bool], height: int = 256
) -> tuple[str, str]:
    """Panels side by side, moving together; and their first frame for those who want nothing to move. Data URIs.

    Args:
        panels: fields "time x y", each with its scale.
        times: written into the first panel.
        periodic: whether each axis is.
        height: of the picture, in pixels, roughly.
    """
    frames = []
    for n in range(0, len(times), -(-len(times) // MOST_FRAMES)):
        tiles = [scale.rgb(enlarged(field[n], periodic, height)) for field, scale in panels]
        frames.append(_with_time(_side_by_side(tiles), float(times[n])))
    out = io.BytesIO()
    pause = int(np.clip(1000 * SECONDS / len(frames), 40, 500))
    frames[0].save(
        out, "WEBP", save_all=True, append_images=frames[1:], duration=pause, loop=0, lossless=True, method=3
    )
    still = io.BytesIO()
    frames[0].save(still, "WEBP", lossless=True, method=3)
    return data_uri(out.getvalue(), "webp"), data_uri(still.getvalue(), "webp")


def map_of(field: np.ndarray, scale: Scale, periodic: Sequence[bool], height: int = 224) -> str:
    """A field "x y" as a data URI."""
    return _png(scale.rgb(enlarged(field, periodic, height)))


def space_time(field: np.ndarray, scale: Scale, periodic: bool) -> str:
    """A field "time x": time to the right, x up. To be stretched by the page."""
    return _png(scale.rgb(smoothed(field, (False, periodic)).T[::-1]))


def enlarged(field: np.ndarray, periodic: Sequence[bool], height: int) -> np.ndarray:
    """The picture "row column" of a field "x y", about ``height`` rows; larger fields are left as they are."""
    picture = smoothed(field, periodic).T[::-1]
    times = max(1, round(height / len(picture)))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


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


def _side_by_side(tiles: list[np.ndarray]) -> Image.Image:
    height, width = tiles[0].shape[:2]
    picture = Image.new("RGBA", (len(tiles) * width + (len(tiles) - 1) * GAP, height), (0, 0, 0, 0))
    for n, tile in enumerate(tiles):
        picture.paste(Image.fromarray(np.ascontiguousarray(tile)), (n * (width + GAP), 0))
    return picture


def _with_time(picture: Image.Image, t: float) -> Image.Image:
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    height = picture.height
    font = ImageFont.truetype(str(path), max(10, height // 12))
    text = f"t = {t:.3g}"
    draw = ImageDraw.Draw(picture)
    draw.fontmode = "1"  # no shades of grey: the palette has no room for them
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    pad = height // 40
    box = (pad, pad, pad + right - left + 2 * pad, pad + bottom - top + 2 * pad)
    draw.rounded_rectangle(box, radius=pad, fill=(255, 255, 255, 255))
    draw.text((2 * pad - left, 2 * pad - top), text, font=font, fill=(40, 44, 52, 255))
    return picture


def _png(rgb: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(out, "PNG", optimize=True)
    return data_uri(out.getvalue(), "png")
