"""The evaluation of trained runs beside all that they have to beat, and its report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from pdekit.data.module import DataModule
from pdekit.data.store import Split
from pdekit.data.windows import Source
from pdekit.evaluation.opponents import baselines, solvers
from pdekit.evaluation.scores import evaluate
from pdekit.evaluation.settings import Evaluation
from pdekit.metrics.catalogue import MEASURES, Measure
from pdekit.models.base import Surrogate
from pdekit.report.page import write_report
from pdekit.report.summary import closing_lines, summarise

NEEDED = ("nrmse", "correlation")
"""Measures that the table of the report is made of."""


def evaluate_models(
    models: Mapping[str, Surrogate],
    data: DataModule,
    folder: Path,
    settings: Evaluation,
    attrs: Mapping[str, Any] | None = None,
    run: Path | None = None,
) -> str:
    """Score models on the test split beside baselines and solvers, and write the report.

    Args:
        models: trained surrogates by name, of one problem.
        data: the baselines are calibrated on its training split, all are scored on its test split.
        folder: where ``scores.nc``, ``forecasts.nc`` and ``report.html`` go.
        settings: how.
        attrs: what else is known, for the files: the name of the data set (``data``), provenance.
        run: folder whose ``provenance.json`` says how long the training took; ``folder`` if None.

    Returns:
        A few lines that say how the models did, and where the report is.

    Raises:
        ValueError: if a model belongs to another problem, a measure is unknown, or the horizon is too long.
    """
    measures = chosen_measures(settings.measures)
    source = data.sources["test"]
    others, absent = baselines(source.problem, data.calibration_batches)
    others = {name: model for name, model in others.items() if name not in models}
    sweep, no_solver = solvers(source.problem, settings.sweep_sizes, settings.sweep_steps, settings.sweep_precisions)
    known = {"description": source.problem.pde.describe({})} if source.problem.pde is not None else {}
    for name in ("lyapunov_exponent", "compare_at"):
        if getattr(settings, name) is not None:
            known[name] = getattr(settings, name)
    scores = evaluate(
        models, source, folder,
        baselines=others, solvers=sweep, absent=absent | no_solver, horizon=settings.horizon,
        members=settings.members, seed=settings.seed, batch_size=settings.batch_size,
        n_trajectories=settings.n_trajectories, starts=settings.starts, measures=measures,
        floor=floor_of(source), n_kept=settings.n_kept,
        timing_batches=settings.timing_batches, spent=training_seconds(run or folder, list(models)),
        data_seconds=data_seconds(source), attrs=known | dict(attrs or {}), progress=settings.progress,
    )  # fmt: skip
    with scores:
        report = write_report(folder)
        return closing_lines(summarise(scores), scores) + f"\nreport: {report}"


def chosen_measures(names: Sequence[str] | None) -> list[Measure]:
    """Measures of the catalogue by name, all of them for None; those that the report needs are always there.

    Raises:
        ValueError: if there is none of a name.
    """
    for name in names or ():
        if name not in MEASURES:
            raise ValueError(f"expected measures among {', '.join(MEASURES)}, got {name!r}; correct measures=[...]")
    wanted = set(MEASURES) if names is None else {*names, *NEEDED}
    return [measure for name, measure in MEASURES.items() if name in wanted]


def floor_of(source: Source) -> tuple[list[float], list[float]] | None:
    """Lead times and the reference's own nRMSE, from the self-convergence that is stored with generated data.

    The largest of its checks (half the step, finer space), in the median over their trajectories.
    """
    if not isinstance(source, Split) or "self_convergence" not in source.documents:
        return None
    found = source.documents["self_convergence"]
    errors = [found[name] for name in ("error_step", "error_space") if name in found]
    checks = xr.DataArray(errors, dims=("check", "trajectory", "time"))
    return list(found["time"]), checks.max("check").median("trajectory").values.tolist()


def training_seconds(run: Path, names: Sequence[str]) -> dict[str, float]:
    """Seconds of training of a run's surrogate, from its ``provenance.json``; nothing if they are not known."""
    path = Path(run) / "provenance.json"
    if len(names) != 1 or not path.is_file():
        return {}
    seconds = json.loads(path.read_text(encoding="utf-8")).get("seconds", {})
    return {names[0]: float(seconds["training"])} if "training" in seconds else {}


def data_seconds(source: Source) -> float:
    """Seconds that it took to generate the data, times the processes that did; NaN for data from elsewhere."""
    if not isinstance(source, Split) or "seconds" not in source.documents.get("provenance", {}):
        return math.nan
    found = source.documents["provenance"]
    return float(found["seconds"]) * int(found.get("workers", 1))
