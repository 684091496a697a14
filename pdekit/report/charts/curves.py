"""Charts as inline SVG whose colours are variables of the page, so that they follow its light and dark mode.

Written by hand, without a plotting library: a chart takes a millisecond and a few kilobytes, its text is that of the
page, and every curve says its name to a pointer that rests on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
WIDTH, HEIGHT = 360, 250
RIGHT, TOP, BOTTOM = 12, 10, 42
DIGIT = 6.4
"""Width of a digit of the labels, in the units of the picture."""
DOTTED = (1, 3)
DASHED = (5, 3)
DASHES = (DASHED, DOTTED, (9, 3), (5, 2, 1, 2))


@dataclass(frozen=True)
class Line:
    """Line style of a model: the number of its colour on the page (0: black), and its dashes."""

    colour: int
    dashes: tuple[float, ...] = ()

    @property
    def css(self) -> str:
        """The variable of the page."""
        return f"var(--series-{self.colour})" if self.colour else "var(--ink)"

    def stroke(self, width: float) -> str:
        """Attributes of a path."""
        scaled = " ".join(f"{d * max(width, 1.3) / 1.6:.3g}" for d in self.dashes)
        dashes = f' stroke-dasharray="{scaled}"' if scaled else ""
        return f'fill="none" stroke="{self.css}" stroke-width="{width:g}"{dashes}'


class Panel:
    """One chart.

    Args:
        title: title for screen readers.
        x, y: labels of the axes.
        log: logarithmic axes, "", "x", "y" or "xy"; values that are not positive are not drawn on them.
        size: width and height.
        mark: text in the upper right corner, which distinguishes the chart from its neighbours.
    """

    def __init__(
        self, title: str, x: str, y: str, log: str = "", size: tuple[int, int] = (WIDTH, HEIGHT), mark: str = ""
    ):
        self.title, self.labels, self.log, self.size, self.mark = title, {"x": x, "y": y}, log, size, mark
        self._fixed: dict[str, tuple[float | None, float | None]] = {"x": (None, None), "y": (None, None)}
        self._seen: dict[str, list[np.ndarray]] = {"x": [], "y": []}
        self._layers: list[tuple[str, str, tuple[np.ndarray, ...], str]] = []

    def curve(self, x: np.ndarray, y: np.ndarray, line: Line, width: float = 1.6, name: str = "") -> None:
        """A line through points; it is broken where it is not finite."""
        x, y = self._valid(x, y)
        self._see(x, y)
        self._layers.append(("path", line.stroke(width), (x, y), name))

    def band(
        self, x: np.ndarray, middle: np.ndarray, lower: np.ndarray, upper: np.ndarray, line: Line, name: str = ""
    ) -> None:
        """A curve and what lies around it; the band goes on to the edge where its upper end is infinite."""
        shown = np.isfinite(middle) & np.isfinite(lower)
        most = np.max(middle[np.isfinite(middle)], initial=-np.inf)
        top = np.where(np.isfinite(upper), upper, most)
        self._layers.append(
            ("area", f'fill="{line.css}" fill-opacity=".14" stroke="none"', (x[shown], lower[shown], top[shown]), "")
        )
        self._see(x[shown], lower[shown])
        self._see(x[shown], top[shown])
        self.curve(x, middle, line, name=name)

    def steps(self, x: np.ndarray, y: np.ndarray, line: Line, name: str = "") -> None:
        """A histogram's outline: a level around each x."""
        half = (x[1] - x[0]) / 2 if len(x) > 1 else 0.5
        self.curve(np.repeat(x, 2) + np.tile([-half, half], len(x)), np.repeat(y, 2), line, name=name)

    def points(
        self,
        x: np.ndarray,
        y: np.ndarray,
        line: Line,
        names: Sequence[str] = (),
        diamond: bool = False,
        written: bool = False,
        size: float = 3,
    ) -> None:
        """Dots or diamonds that say their names to a pointer, and on the page if ``written``."""
        names = list(names) or [""] * len(x)
        for place, level, name in zip(np.atleast_1d(x), np.atleast_1d(y), names, strict=True):
            at = self._valid(np.array([place]), np.array([level]))
            if np.isfinite(at).all():
                self._see(*at)
                kind = ("diamond" if diamond else "dot") + ("+" if written else "")
                self._layers.append((kind, f'fill="{line.css}" r="{size:g}"', at, name))

    def level(self, y: float, line: Line, width: float = 1.0, name: str = "", counts: bool = True) -> None:
        """A horizontal line; it widens the axis if it counts."""
        if math.isfinite(y) and (y > 0 or "y" not in self.log):
            if counts:
                self._seen["y"].append(np.array([y]))
            self._layers.append(("level", line.stroke(width), (np.array([y]),), name))

    def slot(self, name: str, line: Line, width: float = 1.6) -> None:
        """A path of the class ``live-NAME``, which a script fills."""
        nothing = np.zeros(0)
        self._layers.append(("path", f'class="live-{name}" {line.stroke(width)}', (nothing, nothing), ""))

    def limits(self, axis: str, low: float | None = None, high: float | None = None) -> None:
        """Ends of an axis; those that are None follow what is drawn."""
        self._fixed[axis] = (low, high)

    def svg(self) -> str:
        """The chart, as an element to stand in a page."""
        spans = {axis: self._span(axis) for axis in "xy"}
        marks = {axis: ticks(*spans[axis], log=axis in self.log, n=5 if axis == "y" else 6) for axis in "xy"}
        left = 30 + DIGIT * max((len(text) for _, text in marks["y"]), default=0)
        width, height = self.size[0] - left - RIGHT, self.size[1] - TOP - BOTTOM
        across = self._scale("x", spans["x"], 0, width)
        up = self._scale("y", spans["y"], height, 0)
        grid = "".join(f"M0 {up(v):.1f}H{width:.1f}" for v, _ in marks["y"])
        grid += "".join(f"M{across(v):.1f} 0V{height:.1f}" for v, _ in marks["x"])
        inside = "".join(self._layer(*layer, across, up, width) for layer in self._layers)
        words = "".join(
            f'<text x="{left - 6:.1f}" y="{TOP + up(v) + 4:.1f}" text-anchor="end">{text}</text>'
            for v, text in marks["y"]
        )
        words += "".join(
            f'<text x="{left + across(v):.1f}" y="{TOP + height + 16:.1f}" text-anchor="middle">{text}</text>'
            for v, text in marks["x"]
        )
        x, y = escape(self.labels["x"]), escape(self.labels["y"])
        place = f'x="{left + width / 2:.1f}" y="{self.size[1] - 7}" text-anchor="middle"'
        words += f'<text class="axis" {place}>{x}</text>'
        place = f'text-anchor="middle" transform="translate(11 {TOP + height / 2:.1f}) rotate(-90)"'
        words += f'<text class="axis" {place}{fitted(self.labels["y"], self.size[1] - 24)}>{y}</text>'
        head = f'<svg class="chart" role="img" aria-label="{escape(self.title)}" '
        head += f'viewBox="0 0 {self.size[0]} {self.size[1]}">'
        if self.mark:
            place = f'x="{left + width:.1f}" y="{TOP + 12}" text-anchor="end"'
            words += f'<text class="mark" {place}>{escape(self.mark)}</text>'
        inner = f'<svg x="{left:.1f}" y="{TOP}" width="{width:.1f}" height="{height:.1f}">'
        frame = f'<path class="frame" d="M{left:.1f} {TOP}V{TOP + height:.1f}h{width:.1f}"/>'
        return f'{head}{inner}<path class="lines" d="{grid}"/>{inside}</svg>{frame}{words}</svg>'

    def _valid(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = np.array(x, dtype=np.float64), np.array(y, dtype=np.float64)
        bad = ~np.isfinite(x) | ~np.isfinite(y)
        for axis, values in (("x", x), ("y", y)):
            if axis in self.log:
                bad |= ~(values > 0)
        return x, np.where(bad, np.nan, y)

    def _see(self, x: np.ndarray, y: np.ndarray) -> None:
        finite = np.isfinite(x) & np.isfinite(y)
        self._seen["x"].append(x[finite])
        self._seen["y"].append(y[finite])

    def _span(self, axis: str) -> tuple[float, float]:
        """Ends of an axis: what is drawn and a little room, in the powers of ten of a logarithmic one."""
        log = axis in self.log
        seen = np.concatenate([*self._seen[axis], np.zeros(0)])
        seen = np.log10(seen[seen > 0]) if log else seen
        low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
        if not high - low > 1e-9 * max(abs(low), abs(high)):
            low, high = (low - 0.5, high + 0.5) if log or low == 0 else (low - abs(low) / 4, high + abs(high) / 4)
        room = 0.04 * (high - low)
        low, high = (10 ** (low - room), 10 ** (high + room)) if log else (low - room, high + room)
        first, last = self._fixed[axis]
        return low if first is None else first, high if last is None else last

    def _scale(self, axis: str, span: tuple[float, float], first: float, last: float):
        low, high = np.log10(span) if axis in self.log else span

        def place(value):
            with np.errstate(divide="ignore", invalid="ignore"):
                value = np.log10(value) if axis in self.log else value
            return first + (value - low) / (high - low) * (last - first)

        return place

    def _layer(self, kind: str, style: str, data: tuple[np.ndarray, ...], name: str, across, up, width: float) -> str:
        words = f"<title>{escape(name)}</title>" if name else ""
        if kind == "level":
            return f'<path {style} d="M0 {up(data[0][0]):.1f}H{width:.1f}">{words}</path>'
        if kind == "area":
            x, low, high = data
            with np.errstate(divide="ignore", invalid="ignore"):
                low, high = (np.clip(np.where(side == side, up(side), np.inf), -1e4, 1e4) for side in (low, high))
            there = path(across(x), high)
            return f'<path {style} d="{there}{path(across(x)[::-1], low[::-1]).replace("M", "L")}Z"/>' if there else ""
        x, y = across(data[0]), up(data[1])
        if kind == "path":
            return f'<path {style} d="{path(x, y)}">{words}</path>'
        size = float(style.split('r="')[1][:-1])
        shape = f'<circle cx="{x[0]:.1f}" cy="{y[0]:.1f}" {style}>{words}</circle>'
        if kind.startswith("diamond"):
            d = f"M{x[0] - size:.1f} {y[0]:.1f}l{size:g} {size:g} {size:g} -{size:g} -{size:g} -{size:g}z"
            shape = f'<path d="{d}" {style.split(" r=")[0]}>{words}</path>'
        if not kind.endswith("+"):
            return shape
        end, under = x[0] > 0.6 * width, y[0] < 18
        return (
            f'{shape}<text class="mark" x="{x[0] + (-8 if end else 8):.1f}" y="{y[0] + (16 if under else -7):.1f}" '
            f'text-anchor="{"end" if end else "start"}">{escape(name)}</text>'
        )


def path(x: np.ndarray, y: np.ndarray) -> str:
    """Points as the data of an SVG path to a tenth of a unit, with a gap where one is not finite.

    >>> path(np.array([0.0, 1.0, 2.0, 3.0]), np.array([5.0, 5.55, np.nan, 7.0]))
    'M0 5L1 5.5M3 7h0'
    """
    pieces, pen = [], False
    good = np.isfinite(x) & np.isfinite(y)
    for n, (a, b, fine) in enumerate(zip(x, y, good, strict=True)):
        if fine:
            alone = not pen and not (n + 1 < len(good) and good[n + 1])
            pieces.append(f"{'L' if pen else 'M'}{_tenth(a)} {_tenth(b)}{'h0' if alone else ''}")
        pen = bool(fine)
    return "".join(pieces)


def fitted(text: str, room: float) -> str:
    """An attribute that makes text smaller where it would be longer than the room; nothing where it fits.

    >>> fitted("nRMSE", 200.0), fitted(100 * "m", 200.0)
    ('', ' style="font-size:3.4px"')
    """
    size = room / max(1, len(text)) / 0.58
    return f' style="font-size:{size:.1f}px"' if size < 11.5 else ""


def _tenth(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def ticks(low: float, high: float, log: bool = False, n: int = 6) -> list[tuple[float, str]]:
    """Positions and labels of the ticks of an axis.

    >>> ticks(0.0, 10.0, n=5)
    [(0.0, '0'), (2.0, '2'), (4.0, '4'), (6.0, '6'), (8.0, '8'), (10.0, '10')]
    >>> ticks(0.5, 2e4, log=True)
    [(1.0, '1'), (10.0, '10'), (100.0, '10²'), (1000.0, '10³'), (10000.0, '10⁴')]
    >>> ticks(0.3, 3.0, log=True)
    [(0.5, '0.5'), (1.0, '1'), (2.0, '2')]
    """
    if log:
        decades = math.log10(high / low)
        locator = LogLocator(numticks=n + 1) if decades > 1.5 else LogLocator(subs=(1, 2, 5), numticks=n + 1)
        values = [float(v) for v in locator.tick_values(low, high) if low <= v <= high]
        if len(values) < 2:
            return ticks(low, high, n=n)
        return [(v, power_of_ten(v) if decades > 3 else _plain(v)) for v in values]
    room = 1e-9 * (high - low)
    places = MaxNLocator(n, min_n_ticks=3, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [(float(v), _plain(0.0 if abs(v) < room else v)) for v in places if low - room <= v <= high + room]


def _plain(value: float) -> str:
    return f"{value:.6g}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−")


def power_of_ten(value: float) -> str:
    """10³ for a thousand, as plain text.

    >>> power_of_ten(1e-4), power_of_ten(10), power_of_ten(1)
    ('10⁻⁴', '10', '1')
    """
    exponent = round(np.log10(value))
    return {0: "1", 1: "10"}.get(exponent, "10" + str(exponent).translate(SUPERSCRIPT))


def lines(kinds: Sequence[tuple[str, str]]) -> dict[str, Line]:
    """A line for each (name, kind): colours for surrogates and solvers, greys for the other baselines."""
    drawn: dict[str, Line] = {}
    surrogates, solvers, baselines = 0, 0, 0
    for name, kind in kinds:
        if kind == "surrogate":
            drawn[name] = Line(1 + surrogates % 5, () if surrogates < 5 else DASHED)
            surrogates += 1
        elif kind == "solver":
            drawn[name] = Line(6, () if solvers == 0 else DASHED)
            solvers += 1
        else:
            drawn[name] = Line(7 + baselines % 2, DASHES[baselines % 4])
            baselines += 1
    return drawn
