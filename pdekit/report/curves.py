"""Charts as inline SVG whose colours are variables of the page, so that they follow its light and dark mode."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

INK, GRID = "#010203", "#010204"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "svg.fonttype": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}


@dataclass(frozen=True)
class Line:
    """How a model is drawn: the number of its colour on the page (0: ink), and its dashes."""

    colour: int
    dashes: tuple[float, ...] = ()

    @property
    def hex(self) -> str:
        """A stand-in that `Panel.svg` replaces by the page's variable."""
        return f"#0102{0x10 + self.colour:02x}" if self.colour else INK

    @property
    def style(self):
        return (0, self.dashes) if self.dashes else "-"


class Panel:
    """One chart.

    Args:
        title: said in words for those who cannot see it.
        x, y: labels of the axes.
        log: which axes are logarithmic, "", "x", "y" or "xy".
    """

    def __init__(self, title: str, x: str, y: str, log: str = "", size: tuple[float, float] = (3.7, 2.6)):
        self.title = title
        with matplotlib.rc_context(STYLE):
            self.figure = Figure(figsize=size)
            self.axes = self.figure.add_axes((0.165, 0.185, 0.82, 0.79))  # the same in all charts, so that they align
            self.axes.set(xlabel=x, ylabel=y)
            self.axes.set_axisbelow(True)
        self.log = log

    def band(self, x: np.ndarray, middle: np.ndarray, lower: np.ndarray, upper: np.ndarray, line: Line) -> None:
        """A curve and what lies around it; it ends where it is no longer finite."""
        finite = np.isfinite(middle)
        top = np.where(np.isfinite(upper), upper, np.nanmax(np.where(np.isfinite(middle), middle, np.nan), initial=1))
        self.axes.plot(x[finite], middle[finite], color=line.hex, linestyle=line.style)
        shown = finite & np.isfinite(lower)
        self.axes.fill_between(x[shown], lower[shown], top[shown], color=line.hex, alpha=0.14, linewidth=0)

    def curve(self, x: np.ndarray, y: np.ndarray, line: Line, width: float = 1.6) -> None:
        finite = np.isfinite(y) & ((y > 0) | ("y" not in self.log))
        self.axes.plot(x[finite], y[finite], color=line.hex, linestyle=line.style, linewidth=width)

    def svg(self) -> str:
        """The chart, as an element to stand in a page."""
        with matplotlib.rc_context({**STYLE, "svg.hashsalt": self.title}):
            for name in ("x", "y"):
                self._finish_axis(name)
            out = io.StringIO()
            self.figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        text = out.getvalue()
        return in_page(text[text.index("<svg") :], self.title)

    def _finish_axis(self, name: str) -> None:
        axis = getattr(self.axes, f"{name}axis")
        if name not in self.log:
            axis.set_major_locator(MaxNLocator(6, min_n_ticks=3))
            return
        getattr(self.axes, f"set_{name}scale")("log")
        low, high = np.log10(getattr(self.axes, f"get_{name}lim")())
        wide = high - low > 1.2
        axis.set_major_locator(LogLocator(numticks=7) if wide else LogLocator(subs=(1, 2, 5), numticks=7))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(
            FuncFormatter(lambda value, _: power_of_ten(value) if high - low > 3 else f"{value:g}")
        )


def power_of_ten(value: float) -> str:
    """10³ for a thousand, as plain text.

    >>> power_of_ten(1e-4), power_of_ten(10), power_of_ten(1)
    ('10⁻⁴', '10', '1')
    """
    exponent = round(np.log10(value))
    return {0: "1", 1: "10"}.get(exponent, "10" + str(exponent).translate(SUPERSCRIPT))


def in_page(svg: str, title: str) -> str:
    """An SVG that takes its colours and its font from the page, and says what it shows."""
    svg = svg.replace(INK, "var(--ink)").replace(GRID, "var(--grid)")
    svg = re.sub(r"#0102([1-9a-f][0-9a-f])", lambda found: f"var(--series-{int(found[1], 16) - 0x10})", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg)
    svg = re.sub(r"font: ([0-9.]+)px [^;\"]*", r"font: \1px var(--font)", svg)
    svg = re.sub(r"<(defs|metadata)>\s*</\1>|<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    prefix = f"f{hash_of(title):x}-"
    svg = re.sub(r'id="([^"]+)"', rf'id="{prefix}\1"', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{prefix}", svg)
    label = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def hash_of(text: str) -> int:
    """The same in every process, unlike `hash`."""
    return zlib.crc32(text.encode())


def lines(kinds: Sequence[tuple[str, str]]) -> dict[str, Line]:
    """A line for each (name, kind): colours for surrogates and solvers, greys for the other baselines."""
    drawn: dict[str, Line] = {}
    surrogates, solvers, baselines = 0, 0, 0
    for name, kind in kinds:
        if kind == "surrogate":
            drawn[name] = Line(1 + surrogates % 5)
            surrogates += 1
        elif kind == "solver":
            drawn[name] = Line(6, () if solvers == 0 else (4, 1.5))
            solvers += 1
        else:
            drawn[name] = Line(7 + baselines % 2, (1.2, 1.6) if baselines % 2 else (4, 2))
            baselines += 1
    return drawn
