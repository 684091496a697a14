"""Parts shared by the sections of a report: a page of values, and templates that are filled with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import xarray as xr

from pdekit.report.charts import formats
from pdekit.report.charts.curves import Line
from pdekit.report.charts.scene import Scene
from pdekit.report.parts import Table
from pdekit.report.summary import Summary
from pdekit.report.variables import Variable


@dataclass(frozen=True)
class Page:
    """Values that the sections of a report show.

    Args:
        folder: folder of the run.
        scores: all scores, read lazily.
        loaded: scores of the models in the charts, in memory.
        scene: kept forecasts of the reference and of the models in `viewed`.
        table: summary of all models.
        shown: line style of each model in the charts.
        variables: the scored variables.
        surrogates: names of the surrogates.
        viewed: names of the models whose forecasts are shown as pictures.
        titled: names of the models, or of the methods where a method has several seeds.
    """

    folder: Path
    scores: xr.Dataset
    loaded: xr.Dataset
    scene: Scene
    table: Summary
    shown: dict[str, Line]
    variables: list[Variable]
    surrogates: list[str]
    viewed: list[str]
    titled: list[str]

    @property
    def seen(self) -> list[str]:
        """Names of the surrogates; of the first model if there are none."""
        return self.surrogates or list(self.shown)[:1]

    @property
    def kept(self) -> xr.Dataset:
        """The kept forecasts."""
        return self.scene.kept

    @property
    def compared(self) -> int:
        """The frame at which surrogates and solvers are compared."""
        return self.table.frames[self.table.compared]

    @property
    def few(self) -> list[int]:
        """The first frame, the compared one and the last one."""
        return sorted({0, self.compared, self.table.frames[-1]})

    @property
    def few_times(self) -> tuple[float, ...]:
        """Lead times of `few`."""
        return tuple(float(self.scores.time.values[n]) for n in self.few)

    @property
    def lyapunov(self) -> float:
        """The largest Lyapunov exponent, 0 if it is not known."""
        return float(self.scores.attrs.get("lyapunov_exponent", 0.0))

    def fill(self, template: str, **values: Any) -> str:
        """Fill a template of `pdekit.report.sections`, ``NAME.html.j2``, with values and with what all of them use."""
        common = {
            "scores": self.scores,
            "table": self.table,
            "shown": self.shown,
            "seen": self.seen,
            "steady": self.table.steady,
            "lyapunov": self.lyapunov,
            "infinity": math.inf,
        }
        return templates().get_template(f"{template}.html.j2").render(**common, **values)

    def section(self, title: str, table: Table | None = None, charts: Sequence[str] = (), note: str = "") -> str:
        """A section of a user: a title, charts (SVG elements), a table and a note below it."""
        return self.fill("own", title=title, own=table, charts=charts, note=note)


Section = Callable[[Page], str]
"""A section of a report: HTML, empty if there is nothing to show."""


@lru_cache(maxsize=1)
def templates() -> jinja2.Environment:
    """The templates of the report."""
    loader = jinja2.ChoiceLoader([jinja2.PackageLoader("pdekit.report", part) for part in ("sections", ".")])
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    names = ("number", "time_text", "milliseconds", "size", "memory", "duration", "energy")
    environment.filters |= {name: getattr(formats, name) for name in names}
    return environment


def text_of(path: Path) -> str:
    """The content of a file, to be shown: what is no UTF-8 becomes a question mark. Nothing if there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
