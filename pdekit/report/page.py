"""``report.html``: one page with everything in it."""

from __future__ import annotations

import json
import os
from datetime import datetime
from importlib import metadata
from pathlib import Path

import jinja2
import xarray as xr

from pdekit.report import sections, summary
from pdekit.report.cost_charts import cost_charts
from pdekit.report.curves import lines
from pdekit.report.ensemble import ensemble_charts, physics_charts, physics_words

MOST_SAMPLES = 2


def write_report(folder: Path | str) -> Path:
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
    table = summary.summarise(scores)
    shown = lines([(row.name, row.kind) for row in table.rows if row.kind not in ("absent", "seeds")])
    surrogates = [row.name for row in table.rows if row.kind == "surrogate"]
    seen = surrogates or list(shown)[:1]
    n_space = sum(axis in kept.sizes for axis in "xyz")
    few = sorted({0, table.frames[table.compared], table.frames[-1]})
    few_times = tuple(float(scores.time.values[n]) for n in few)
    samples = list(range(min(MOST_SAMPLES, kept.sizes["sample"])))
    moving = n_space >= 2 and kept.sizes["time"] > 1
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pdekit.report", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": summary.number,
        "time_text": summary.time_text,
        "milliseconds": summary.milliseconds,
        "size": size,
        "memory": memory,
        "duration": duration,
    }
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    script = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2").render(
        style=style,
        script=script,
        title=title(scores, seen),
        description=scores.attrs.get("description", ""),
        sentence=summary.sentence(table, scores),
        table=table,
        threshold=summary.THRESHOLD,
        lyapunov=float(scores.attrs.get("lyapunov_exponent", 0.0)),
        scores=scores,
        shown=shown,
        seen=seen,
        several_fields=scores.sizes["field"] > 1,
        ensembles=ensemble_charts(scores, shown),
        physics=physics_charts(scores, shown, surrogates),
        physics_words=physics_words(scores),
        errors=sections.error_charts(scores, shown),
        spectra=sections.spectrum_charts(scores, shown, few),
        movies=[v for m in seen for v in sections.movies(kept, m, samples if m == seen[0] else [0])] if moving else [],
        maps=sections.maps(kept, seen[:2], 0, table.times) if n_space >= 2 else [],
        space_times=sections.space_times(kept, seen[0], samples) if n_space == 1 and kept.sizes["time"] > 1 else [],
        profiles=sections.profiles(kept, {m: shown[m] for m in seen}, 0, few_times)
        if n_space < 2 and "point" not in kept.sizes
        else [],
        costs=cost_charts(table, shown),
        config=text_of(folder / "config.yaml"),
        provenance=provenance(folder, scores),
        version=metadata.version("pdekit"),
        written=datetime.now().astimezone().strftime("%-d %B %Y, %H:%M"),
    )


def title(scores: xr.Dataset, seen: list[str]) -> str:
    """What the page is called: the models, and the data set if it is known."""
    data = scores.attrs.get("data", "")
    names = seen if len(seen) < 4 else [*seen[:2], f"{len(seen) - 2} others"]
    said = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    return f"{said} on {data}" if data else said


def provenance(folder: Path, scores: xr.Dataset) -> dict[str, str]:
    """What the numbers depend on, flat."""
    skipped = {"absent", "n_space", "description"}
    found = {key: str(value) for key, value in scores.attrs.items() if key not in skipped}
    document = text_of(folder / "provenance.json")
    if document:
        found |= flat(json.loads(document))
    return found


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


def size(count: int) -> str:
    """A number of parameters.

    >>> size(0), size(950), size(1_234_567)
    ('–', '950', '1.23 M')
    """
    if count >= 1_000_000:
        return f"{count / 1e6:.3g} M"
    return f"{count / 1e3:.3g} k" if count >= 1000 else str(count or "–")


def memory(count: int) -> str:
    """Bytes.

    >>> memory(0), memory(2048), memory(3_500_000_000)
    ('–', '2.05 kB', '3.5 GB')
    """
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            return f"{count / 10**power:.3g} {unit}"
    return f"{count} B" if count else "–"


def duration(seconds: float) -> str:
    """A time that somebody waited.

    >>> duration(float("nan")), duration(0.5), duration(90), duration(7200)
    ('not known', '0.5 s', '1.5 min', '2 h')
    """
    if seconds != seconds:
        return "not known"
    if seconds >= 3600:
        return f"{seconds / 3600:.3g} h"
    return f"{seconds / 60:.3g} min" if seconds >= 60 else f"{seconds:.3g} s"
