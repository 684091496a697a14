"""``report.html``: one page with everything in it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path

import xarray as xr

from pdekit.command_words import override
from pdekit.provenance import read_record
from pdekit.report import summary
from pdekit.report.charts.curves import lines
from pdekit.report.charts.scene import Scene
from pdekit.report.sections.base import Page, Section, templates, text_of
from pdekit.report.sections.checks import checks_section
from pdekit.report.sections.costs import costs_section
from pdekit.report.sections.coupling import coupling_section
from pdekit.report.sections.ensembles import ensembles_section
from pdekit.report.sections.fields import fields_section
from pdekit.report.sections.horizons import horizons_section
from pdekit.report.sections.kept import maps_section, profiles_section, space_times_section, viewer_section
from pdekit.report.sections.measures import measures_section
from pdekit.report.sections.overview import overview_section
from pdekit.report.sections.physics import physics_section
from pdekit.report.sections.provenance import provenance_section
from pdekit.report.sections.resolutions import resolutions_section
from pdekit.report.sections.statistics import scales_section, statistics_section
from pdekit.report.variables import variables, with_one_extra

HERE = Path(__file__).parent

SECTIONS: tuple[Section, ...] = (
    overview_section,
    fields_section,
    horizons_section,
    viewer_section,
    space_times_section,
    profiles_section,
    maps_section,
    scales_section,
    statistics_section,
    ensembles_section,
    physics_section,
    resolutions_section,
    costs_section,
    coupling_section,
    checks_section,
    measures_section,
)
"""All sections of pdekit in their order; those of a user follow, and at last the provenance."""


def write_report(folder: Path | str, sections: Sequence[Section] = ()) -> Path:
    """Write ``report.html`` of a run from its ``scores.nc`` and ``forecasts.nc``.

    What else lies in the folder is shown if it is there: ``config.yaml``, ``provenance.json`` and ``check.json``.

    Args:
        folder: folder of the run.
        sections: more sections, of the user.

    Returns:
        The path of the page, which appears whole or not at all.

    Raises:
        FileNotFoundError: if the folder holds no scores.
    """
    folder = Path(folder)
    if not (folder / "scores.nc").is_file():
        raise FileNotFoundError(
            f"expected scores.nc in {folder}, found none; evaluate the run first: "
            f"python -m pdekit.evaluate {override('run', folder)}"
        )
    with (
        xr.open_dataset(folder / "scores.nc", engine="h5netcdf") as scores,
        xr.open_dataset(folder / "forecasts.nc", engine="h5netcdf") as kept,
    ):
        page = render(scores, kept, folder, sections)
    partial = folder / "report.html.part"
    partial.write_text(page, encoding="utf-8")
    os.replace(partial, folder / "report.html")
    return folder / "report.html"


def render(scores: xr.Dataset, kept: xr.Dataset, folder: Path, sections: Sequence[Section] = ()) -> str:
    """The page as text."""
    page = page_of(scores, kept, folder)
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            style=text_of(HERE / "page.css"),
            script=text_of(HERE / "page.js") + text_of(HERE / "viewer.js"),
            title=title(page.scores, page.titled),
            description=scores.attrs.get("description", ""),
            sentence=summary.sentence(page.table, page.scores),
            findings=read_record(folder).get("findings", []),
            sections=[section(page) for section in (*SECTIONS, *sections, provenance_section)],
            version=metadata.version("pdekit"),
            written=datetime.now().astimezone().strftime("%-d %B %Y, %H:%M"),
        )
    )


def page_of(scores: xr.Dataset, kept: xr.Dataset, folder: Path) -> Page:
    """Collect the values that the sections show."""
    called = shortened(scores.model.values.tolist(), str(scores.attrs.get("data", "")))
    scores, kept = (data.assign_coords(model=[called.get(m, m) for m in data.model.values]) for data in (scores, kept))
    table = summary.summarise(scores)
    shown = lines([(row.name, row.kind) for row in table.rows if row.kind not in ("absent", "seeds")])
    surrogates = [row.name for row in table.rows if row.kind == "surrogate"]
    summed = {name for row in table.rows for name in row.seeds}
    titled = [row.name for row in table.rows if row.kind in ("seeds", "surrogate") and row.name not in summed]
    seen = surrogates or list(shown)[:1]
    viewed = [*seen, *(row.name for row in table.rows if row.kind == "solver")]
    loaded = with_one_extra(scores.sel(model=list(shown)).load())
    kept = kept.sel(model=["reference", *viewed]).load()
    grid = json.loads(kept.attrs.get("grid", "{}"))
    scene = Scene(kept, tuple(layout == "periodic" for layout in grid.get("layout", ())))
    found = variables(loaded)
    return Page(folder, scores, loaded, scene, table, shown, found, surrogates, viewed, titled or seen)


def shortened(names: list[str], data: str) -> dict[str, str]:
    """Names of runs without their common parts (model and dataset), if the rest still distinguishes them.

    >>> list(shortened(["fno (2026-01-02-030405-fno-ks)", "fno (2026-01-02-030405-fno-ks-2)", "mean"], "ks").values())
    ['fno (2026-01-02-030405)', 'fno (2026-01-02-030405-2)', 'mean']
    """
    short = {}
    for name in names:
        model, bracket, run = name.partition(" (")
        short[name] = model + bracket + run.replace(f"-{model}-{data}", "")
    return short if len(set(short.values())) == len(names) else {name: name for name in names}


def title(scores: xr.Dataset, seen: list[str]) -> str:
    """Title of the page: the models, and the dataset if it is known."""
    data = scores.attrs.get("data", "")
    names = seen if len(seen) < 4 else [*seen[:2], f"{len(seen) - 2} others"]
    said = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    return f"{said} on {data}" if data else said
