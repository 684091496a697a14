"""Colour maps and the scales of fields.

Fields that take both signs get a diverging map whose lightness falls evenly and alike on both sides of zero; others
get matplotlib's viridis. The diverging map is piecewise linear in Oklab (Ottosson 2020), in which equal distances
look equally large, so it is perceptually uniform on each of its four pieces by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import matplotlib
import numpy as np

# lightness, chroma and hue (degrees) in Oklab: evenly falling lightness to either side of a warm white
ANCHORS = ((0.30, 0.10, 262), (0.64, 0.125, 250), (0.985, 0.004, 90), (0.64, 0.15, 38), (0.30, 0.10, 22))

LEVELS = 120
"""Colours of a map: as many as the eye distinguishes, and few enough for lossless pictures to be small."""

DIVERGED = np.uint8(128)
"""Red, green and blue of a value that is not finite."""

TO_LMS = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.291485548]]
)
TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.707614701],
    ]
)


@dataclass(frozen=True)
class Scale:
    """Colour scale: `LEVELS` colours between two values.

    Args:
        low, high: values of the first and the last colour; values outside take the nearer of the two.
        colours: "level 3", 0..255.
    """

    low: float
    high: float
    colours: np.ndarray

    def rgba(self, values: np.ndarray) -> np.ndarray:
        """Colours "... 4" of values; NaN is blank, and an infinity, which has diverged, is grey."""
        finite = np.isfinite(values)
        share = (np.where(finite, values, self.low) - self.low) / (self.high - self.low)
        picked = self.colours[np.clip(share * LEVELS, 0, LEVELS - 1).astype(np.uint8)]
        opaque = np.where(np.isnan(values), np.uint8(0), np.uint8(255))[..., None]
        return np.concatenate([np.where(finite[..., None], picked, DIVERGED), opaque], -1)

    def css(self) -> str:
        """The colours as a CSS gradient from left to right."""
        stops = ", ".join("#{:02x}{:02x}{:02x}".format(*self.colours[i]) for i in range(0, LEVELS, 7))
        return f"linear-gradient(90deg, {stops})"


def scales(reference: np.ndarray) -> tuple[Scale, Scale]:
    """The scale of a field and that of its errors, which spans as many units, so that they may be compared by eye.

    The field's scale holds all of the reference; it is symmetric if the reference takes both signs to at least a
    tenth of its range, and then the error's scale is the same one.
    """
    finite = reference[np.isfinite(reference)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        low, high = low - 0.5, high + 0.5
    if min(-low, high) > 0.1 * (high - low):
        most = max(-low, high)
        both = Scale(-most, most, diverging())
        return both, both
    return Scale(low, high, sequential()), Scale((low - high) / 2, (high - low) / 2, diverging())


@cache
def diverging() -> np.ndarray:
    """Colours from blue over white to red."""
    lightness, chroma, hue = np.array(ANCHORS).T
    hue = np.deg2rad(hue)
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], -1)
    at = np.linspace(0, len(ANCHORS) - 1, LEVELS)
    lab = np.stack([np.interp(at, np.arange(len(ANCHORS)), column) for column in lab.T], -1)
    linear = np.clip(((lab @ TO_LMS.T) ** 3) @ TO_RGB.T, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * srgb).astype(np.uint8)


@cache
def sequential() -> np.ndarray:
    """Colours of viridis."""
    return np.round(255 * matplotlib.colormaps["viridis"](np.linspace(0, 1, LEVELS))[:, :3]).astype(np.uint8)
