"""``report.html``: one page with everything in it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path

import jinja2
import numpy as np
import xarray as xr

from pdekit.report import summary
from pdekit.report.charts import formats
from pdekit.report.charts.curves import lines
from pdekit.report.charts.scene import Scene
from pdekit.report.compared import why_compared
from pdekit.report.sections import ensembles, errors, horizons, physics, pooled, published, resolutions, scales, stills
from pdekit.report.sections.costs import cost_parts
from pdekit.report.sections.coupling import coupling_words
from pdekit.report.variables import variables, with_one_extra
from pdekit.report.viewer import viewer

HERE = Path(__file__).parent
MOST_MAPPED = 2
"""Models of which still pictures are shown."""


Section = Callable[["Page"], str]


def write_report(folder: Path | str, sections: Sequence[Section] = ()) -> Path:
    """Write ``report.html`` of a run from its ``scores.nc`` and ``forecasts.nc``.

    What else lies in the folder is shown if it is there: ``config.yaml`` and ``provenance.json``.

    Returns:
        The path of the page, which appears whole or not at all.

    Raises:
        FileNotFoundError: if the folder holds no scores.
    """
    folder = Path(folder)
    if not (folder / "scores.nc").is_file():
        raise FileNotFoundError(
            f"expected scores.nc in {folder}, found none; evaluate the run first: "
            f"python -m pdekit.evaluate run={folder}"
        )
    with (
        xr.open_dataset(folder / "scores.nc", engine="h5netcdf") as scores,
        xr.open_dataset(folder / "forecasts.nc", engine="h5netcdf") as kept,
    ):
        page = render(scores, kept, folder)
    partial = folder / "report.html.part"
    partial.write_text(page, encoding="utf-8")
    os.replace(partial, folder / "report.html")
    return folder / "report.html"


def render(scores: xr.Dataset, kept: xr.Dataset, folder: Path) -> str:
    """The page as text."""
    called = shortened(scores.model.values.tolist(), str(scores.attrs.get("data", "")))
    scores, kept = (data.assign_coords(model=[called.get(m, m) for m in data.model.values]) for data in (scores, kept))
    table = summary.summarise(scores)
    shown = lines([(row.name, row.kind) for row in table.rows if row.kind not in ("absent", "seeds")])
    surrogates = [row.name for row in table.rows if row.kind == "surrogate"]
    summed = {name for row in table.rows for name in row.seeds}
    titled = [row.name for row in table.rows if row.kind in ("seeds", "surrogate") and row.name not in summed]
    solvers = [row.name for row in table.rows if row.kind == "solver"]
    seen = surrogates or list(shown)[:1]
    few = sorted({0, table.frames[table.compared], table.frames[-1]})
    few_times = tuple(float(scores.time.values[n]) for n in few)
    some = with_one_extra(scores.sel(model=list(shown)).load())
    found = variables(some)
    physical = {name: line for name, line in shown.items() if name in surrogates}
    viewed = [*seen, *solvers]
    kept = kept.sel(model=["reference", *viewed]).load()
    grid = json.loads(kept.attrs.get("grid", "{}"))
    scene = Scene(kept, tuple(layout == "periodic" for layout in grid.get("layout", ())))
    moving = kept.sizes["time"] > 1
    kept_times = table.times if scene.seen else few_times
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pdekit.report", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    names = ("number", "time_text", "milliseconds", "size", "memory", "duration", "energy")
    environment.filters |= {name: getattr(formats, name) for name in names}
    return environment.get_template("page.html.j2").render(
        style=text_of(HERE / "page.css"),
        script=text_of(HERE / "page.js") + text_of(HERE / "viewer.js"),
        title=title(scores, titled or seen),
        description=scores.attrs.get("description", ""),
        sentence=summary.sentence(table, scores),
        findings=record_of(folder).get("findings", []),
        table=table,
        threshold=summary.THRESHOLD,
        why_compared=why_compared(scores),
        lyapunov=float(scores.attrs.get("lyapunov_exponent", 0.0)),
        scores=scores,
        steady=table.steady,
        shown=shown,
        seen=seen,
        several_fields=scores.sizes["field"] > 1,
        errors=errors.error_charts(some, shown, found),
        horizons=horizons.horizon_tables(some, shown),
        measures=errors.measure_choice(some, shown, found),
        viewer=viewer(kept, scene, viewed),
        maps=stills.maps(scene, seen[:MOST_MAPPED], kept_times) if scene.seen else [],
        space_times=stills.space_times(scene, seen[:MOST_MAPPED]) if scene.space == ["x"] and moving else [],
        profiles=stills.profiles(scene, {m: shown[m] for m in seen}, few_times) if scene.space in ([], ["x"]) else [],
        profiles_in_time=scales.profile_choice(some, shown, found, few, True, table.frames[table.compared]),
        statistics=scales.profile_choice(some, shown, found, few, False),
        totals=scales.total_tables(some, shown, found),
        pooled=pooled.pooled_table(some, shown),
        ensembles=ensembles.ensemble_choice(some, shown),
        physics=physics.physics_choice(some, physical, found),
        judged=physical,
        physics_words=physics.physics_words(some),
        resolutions=resolutions.resolution_tables(some, shown),
        costs=cost_parts(scores, table, shown, found),
        published=published.published_table(some, shown),
        coupling=coupling_words(some, seen),
        tables=errors.measure_tables(some, shown, found, few, levels(scene), table.frames[table.compared]),
        training_seconds=summary.training_seconds,
        infinity=float("inf"),
        energy_words=energy_words(scores),
        config=text_of(folder / "config.yaml"),
        provenance=provenance(folder, scores),
        version=metadata.version("pdekit"),
        written=datetime.now().astimezone().strftime("%-d %B %Y, %H:%M"),
    )


def shortened(names: list[str], data: str) -> dict[str, str]:
    """Names of runs without what all of them have: the model and the data set, if they are told apart by the rest.

    >>> list(shortened(["fno (2026-01-02-030405-fno-ks)", "fno (2026-01-02-030405-fno-ks-2)", "mean"], "ks").values())
    ['fno (2026-01-02-030405)', 'fno (2026-01-02-030405-2)', 'mean']
    """
    short = {}
    for name in names:
        model, bracket, run = name.partition(" (")
        short[name] = model + bracket + run.replace(f"-{model}-{data}", "")
    return short if len(set(short.values())) == len(names) else {name: name for name in names}


def levels(scene: Scene) -> dict[str, str]:
    """Words on the size of the reference of each field, over the kept samples: what an error has to be set beside."""
    said = {}
    for name in scene.fields:
        values = scene.kept[name].sel(model="reference").values
        values = values[np.isfinite(values)].astype(np.float64)
        if not values.size:
            continue
        mean, deviation = values.mean(), values.std()
        low, high, unit = formats.number(values.min()), formats.number(values.max()), scene.unit(name)
        text = f"Reference in the kept samples: {low} to {high}, mean {formats.number(mean)}, "
        text += f"standard deviation {formats.number(deviation)}" + (f" {unit}." if unit != "1" else ".")
        if deviation < abs(mean) / 3:
            text += " The field has an offset, which the nRMSE is relative to: read the VRMSE instead."
        said[name] = text
    return said


def energy_words(scores: xr.Dataset) -> str:
    """Why the energy of the training is not known, if it is not."""
    if "training_joules" in scores:
        return ""
    return f"The energy of the training is not known: {scores.attrs.get('energy_absent', 'it was not measured')}."


def title(scores: xr.Dataset, seen: list[str]) -> str:
    """What the page is called: the models, and the data set if it is known."""
    data = scores.attrs.get("data", "")
    names = seen if len(seen) < 4 else [*seen[:2], f"{len(seen) - 2} others"]
    said = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    return f"{said} on {data}" if data else said


def provenance(folder: Path, scores: xr.Dataset) -> dict[str, str]:
    """What the numbers depend on, flat."""
    skipped = {"absent", "n_space", "description"}
    found = {key: str(value) for key, value in scores.attrs.items() if key not in skipped and value == value}
    found = {key: value for key, value in found.items() if value}
    return found | flat({key: value for key, value in record_of(folder).items() if key != "findings"})


def record_of(folder: Path) -> dict:
    """What a run's ``provenance.json`` says; nothing if there is none."""
    return json.loads(text_of(folder / "provenance.json") or "{}")


def flat(document: dict, prefix: str = "") -> dict[str, str]:
    """Nested keys joined by dots.

    >>> flat({"a": 1, "b": {"c": [2, 3]}})
    {'a': '1', 'b.c': '[2, 3]'}
    """
    found = {}
    for key, value in document.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: str(value)}
    return found


def text_of(path: Path) -> str:
    """The content of a file; nothing if there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""
