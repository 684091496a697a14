"""The evaluation of trained runs beside all that they have to beat, and its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from pdekit.data.module import DataModule
from pdekit.evaluation.across import across_resolutions
from pdekit.evaluation.background import data_seconds, spent_by, trust_in
from pdekit.evaluation.checks import check_problem
from pdekit.evaluation.forecasting import CPU, device_of
from pdekit.evaluation.judges.coupling import uncoupled_test
from pdekit.evaluation.opponents import baselines, solver_rows
from pdekit.evaluation.references.choose import on_grid, reference_for
from pdekit.evaluation.request import check_request
from pdekit.evaluation.scores import evaluate
from pdekit.evaluation.settings import Evaluation
from pdekit.fields import Trajectory
from pdekit.metrics.catalogue import FRAME, MEASURES, Measure
from pdekit.models.base import Surrogate
from pdekit.models.resolution import at_resolution
from pdekit.recipes.base import BaseRecipe
from pdekit.recipes.resolved import unresolved
from pdekit.report.page import write_report
from pdekit.report.summary import closing_lines, summarise

NEEDED = ("nrmse", "correlation")
"""Measures that the table of the report is made of."""

CORRELATION_TIME = "correlation_time"


def evaluate_models(
    models: Mapping[str, Surrogate],
    data: DataModule,
    folder: Path,
    settings: Evaluation,
    attrs: Mapping[str, Any] | None = None,
    run: Path | None = None,
    recipe: BaseRecipe | None = None,
    device: torch.device | str | None = None,
    base: Path | None = None,
) -> str:
    """Score models on the test split beside baselines and solvers, and write the report.

    Beside what `evaluate` writes, ``scores.nc`` then has the attributes ``error``, the first axis of the cost chart,
    ``compare_at`` if it is set, ``predictability_checked_until`` (lead time at which the reference's own checks end;
    absent where no self-convergence is stored) and ``predictable_until`` (lead time at which they stop to agree; absent
    where they agree to their end, because nothing is known beyond).

    Args:
        models: trained surrogates by name, of one problem.
        data: the baselines are calibrated on its training split, all are scored on its test split.
        folder: where ``scores.nc``, ``forecasts.nc`` and ``report.html`` go.
        settings: how.
        attrs: what else is known, for the files: the name of the data set (``data``), provenance.
        run: folder whose ``provenance.json`` says what the training took; ``folder`` if None.
        recipe: that made the data; None for data from elsewhere, whose reference ends with them.
        device: where everything runs; that of the first model if None.
        base: the data directory, where samples without coupling are kept (`settings.coupling`).

    Returns:
        A few lines that say how the models did, and where the report is.

    Raises:
        ValueError: if a model belongs to another problem, a measure is unknown, a horizon is longer than the data and
            no recipe can go on, or a model or the data cannot be brought to the resolution.
    """
    measures = chosen_measures(settings.measures, settings.error)
    source = data.sources["test"]
    shape = None if settings.resolution is None else settings.shape_of(len(source.problem.grid.shape))
    device = torch.device(device or next((device_of(model) for model in models.values()), CPU))
    for name, model in models.items():
        check_problem(name, model.problem, source.problem, any_shape=shape is not None)
    resized = {name: model if shape is None else at_resolution(name, model, shape) for name, model in models.items()}
    history = max((model.window[0] for model in models.values()), default=0)
    history = max(history, 0 if source.problem.steady else 1)  # baselines in time are given a frame
    check_request(settings, history, source.problem, source.n_trajectories, recipe)
    wanted = None if settings.horizon is None else history + max(settings.starts) + settings.horizon
    reference = reference_for(source, recipe, wanted, shape, device)
    problem = reference.problem
    others, absent = baselines(problem, lambda: training_batches(data, shape, recipe))
    others = {name: model for name, model in others.items() if name not in models}
    sweep, no_solver = solver_rows(problem, recipe, settings)
    horizon = settings.horizon or problem.n_frames - history - max(settings.starts)
    table = None
    if settings.resolutions and models:
        rows = models | {name: model for name, model in others.items() if name == "persistence"}
        table = across_resolutions(rows, source, recipe, settings.resolutions, horizon, device, settings.seed)

    uncoupled = None
    if settings.coupling:
        uncoupled = uncoupled_test(recipe, base)
    trust = trust_in(source)
    known: dict[str, Any] = {}
    exponent = settings.lyapunov_exponent
    if problem.pde is not None:
        known["description"] = problem.pde.describe({})
        exponent = exponent or problem.pde.lyapunov_exponent(problem)
    if exponent is not None:
        known["lyapunov_exponent"] = exponent
    if trust is not None and not problem.steady:
        known |= trust.attrs
    if trust is not None:
        check, name = source.documents["self_convergence"], str((attrs or {}).get("data", source.name))
        known["reference_warning"] = unresolved(check, name, exponent)
    chaotic = exponent is not None and exponent > 0 and not problem.steady
    known["error"] = settings.error or (CORRELATION_TIME if chaotic else "nrmse")
    if settings.compare_at is not None and not problem.steady:
        known["compare_at"] = settings.compare_at
    scores = evaluate(
        resized, source, folder,
        baselines=others, solvers=sweep, absent=absent | no_solver, horizon=settings.horizon,
        members=settings.members, seed=settings.seed, batch_size=settings.batch_size,
        n_trajectories=settings.n_trajectories, starts=settings.starts, measures=measures,
        floor=None if trust is None else (trust.time, trust.nrmse), n_kept=settings.n_kept, keep=settings.keep,
        n_kept_members=settings.n_kept_members, statistics=settings.statistics,
        physics=settings.physics, timing_batches=settings.timing_batches,
        spent={name: spent_by(run or folder) for name in models} if len(models) == 1 else {},
        data_seconds=data_seconds(source), attrs=known | dict(attrs or {}), progress=settings.progress,
        reference=reference, device=device, table=table, uncoupled=uncoupled,
    )  # fmt: skip
    with scores:
        report = write_report(folder)
        return closing_lines(summarise(scores), scores) + f"\nreport: {report}"


def training_batches(
    data: DataModule, shape: Sequence[int] | None, recipe: BaseRecipe | None = None
) -> Iterator[Trajectory]:
    """The training split once, trajectory by trajectory, on the grid of the evaluation."""
    if shape is None:
        return data.calibration_batches()
    source = on_grid(data.sources["train"], shape, recipe, "train")
    return (source.read(i) for i in range(data.train.n_trajectories))


def chosen_measures(names: Sequence[str] | None, error: str | None = None) -> list[Measure]:
    """Measures of the catalogue by name, all of them for None; those that the report needs are always there.

    Args:
        names: None for all.
        error: the one of the cost chart, which is needed, too; None for one that is always there.

    Raises:
        ValueError: if there is none of a name, or the error is none.
    """
    for name in names or ():
        if name not in MEASURES:
            raise ValueError(f"expected measures among {', '.join(MEASURES)}, got {name!r}; correct measures=[...]")
    errors = [name for name, measure in MEASURES.items() if measure.perfect == 0 and measure.dims == FRAME]
    if error not in (None, *errors, CORRELATION_TIME):
        raise ValueError(
            f"expected an error among {', '.join([CORRELATION_TIME, *errors])}, got {error!r}; correct error="
        )
    wanted = set(MEASURES) if names is None else {*names, *NEEDED, error}
    return [measure for name, measure in MEASURES.items() if name in wanted]
