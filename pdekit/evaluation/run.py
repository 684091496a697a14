"""The evaluation of trained runs next to all that they have to beat, and its report."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pdekit.data.module import DataModule
from pdekit.data.windows import Source, grids_of
from pdekit.evaluation.baselines import baselines, solver_rows
from pdekit.evaluation.checks import check_problem
from pdekit.evaluation.forecasting import CPU, device_of
from pdekit.evaluation.judges.base import Judge, Setup
from pdekit.evaluation.judges.catalogue import JUDGES
from pdekit.evaluation.judges.catalogue import NEEDED as NEEDED_JUDGES
from pdekit.evaluation.judges.coupling import uncoupled_test
from pdekit.evaluation.loop import judge_models
from pdekit.evaluation.references.choose import on_grid, reference_for
from pdekit.evaluation.request import check_reach, check_request
from pdekit.evaluation.resolutions import across_resolutions
from pdekit.evaluation.settings import Evaluation
from pdekit.evaluation.setup import Context, Models, Sampling, Scoring
from pdekit.evaluation.training_cost import Spent, data_seconds, spent_by, trust_in
from pdekit.evaluation.user import own_object
from pdekit.fields import Problem, Trajectory
from pdekit.metrics.catalogue import FRAME, MEASURES, Measure
from pdekit.models.base import Surrogate
from pdekit.models.resolution import at_resolution
from pdekit.recipes.base import BaseRecipe
from pdekit.recipes.resolved import unresolved
from pdekit.report.page import Section, write_report
from pdekit.report.summary import closing_lines, summarise

NEEDED = ("nrmse", "correlation")
"""Measures that the table of the report is made of."""

CORRELATION_TIME = "correlation_time"


@dataclass(frozen=True)
class Origin:
    """Origin of the models and the data of an evaluation.

    Args:
        data: name of the dataset.
        run: folder whose ``provenance.json`` has the training cost; the folder of the evaluation if None.
        recipe: the recipe of the data. None for other data: the reference then has the stored frames only.
        base: the data directory, where samples without coupling are kept.
        trust: packages in addition to pdekit whose measures, judges and sections the settings may name.
    """

    data: str = ""
    run: Path | None = None
    recipe: BaseRecipe | None = None
    base: Path | None = None
    trust: Sequence[str] = ()


def evaluate_models(
    models: Mapping[str, Surrogate],
    data: DataModule,
    folder: Path,
    settings: Evaluation,
    origin: Origin,
    device: torch.device | str | None = None,
) -> str:
    """Score models on the test split next to baselines and solvers, and write the report.

    Args:
        models: trained surrogates by name, of one problem.
        data: the baselines are calibrated on its training split, all are scored on its test split.
        folder: folder of ``scores.nc``, ``forecasts.nc`` and ``report.html``.
        settings: settings of the evaluation.
        origin: origin of the models and the data.
        device: device of all models; that of the first model if None.

    Of data on several grids each grid of the test is evaluated by itself: the largest in the folder, every other one in
    a folder in it, ``grid-32x32``.

    Returns:
        A few lines that say how the models did, and where the report is.

    Raises:
        ValueError: if a model belongs to another problem, a measure, judge or section is unknown, a horizon is longer
            than the data and no recipe can go on, or a model or the data cannot be brought to the resolution.
    """
    if len(data.grids) == 1:
        return evaluate_on_grid(models, data, folder, settings, origin, device)
    grids, lines = sorted(grids_of(data.sources["test"]), key=lambda grid: grid != data.problem.grid), []
    origin = dataclasses.replace(origin, run=origin.run or folder)
    for number, grid in enumerate(grids):
        size = "x".join(map(str, grid.shape))
        resized = {name: at_resolution(name, model, grid.shape) for name, model in models.items()}
        place = folder / f"grid-{size}" if number else folder
        said = evaluate_on_grid(resized, data.on(grid), place, settings, origin, device)
        lines.append(f"on {size} points:\n{said}")
    return "\n".join(lines)


def evaluate_on_grid(
    models: Mapping[str, Surrogate],
    data: DataModule,
    folder: Path,
    settings: Evaluation,
    origin: Origin,
    device: torch.device | str | None = None,
) -> str:
    """Score models on data on one grid, as `evaluate_models` says."""
    scoring, sections = scoring_of(settings, origin.trust), chosen_sections(settings.sections, origin.trust)
    source, recipe = data.sources["test"], origin.recipe
    shape = None if settings.resolution is None else settings.shape_of(len(source.problem.grid.shape))
    device = torch.device(device or next((device_of(model) for model in models.values()), CPU))
    for name, model in models.items():
        check_problem(name, model.problem, source.problem, any_shape=shape is not None)
    history = max((model.window[0] for model in models.values()), default=0)
    history = max(history, 0 if source.problem.steady else 1)  # baselines in time are given a frame
    check_request(settings, history, source.problem, source.n_trajectories, recipe)
    for model in models.values():
        check_reach(model, settings, source.problem)
    wanted = None if settings.horizon is None else history + max(settings.starts) + settings.horizon
    reference = reference_for(source, recipe, wanted, shape, device)
    horizon = settings.horizon or reference.problem.n_frames - history - max(settings.starts)
    resized = {name: model if shape is None else at_resolution(name, model, shape) for name, model in models.items()}
    spent = {name: spent_by(origin.run or folder) for name in models} if len(models) == 1 else {}
    calibration = functools.partial(training_batches, data, shape, recipe)
    rows = with_baselines(resized, reference.problem, calibration, settings, recipe, spent)
    table = None
    if settings.resolutions and models:
        chosen = {**models} | {name: model for name, model in rows.baselines.items() if name == "persistence"}
        table = across_resolutions(chosen, source, recipe, settings.resolutions, horizon, device, settings.seed)
    trust = trust_in(source)
    context = Context(
        floor=None if trust is None else (trust.time, trust.nrmse),
        data_seconds=data_seconds(source),
        attrs=known_of(reference.problem, source, settings, origin.data),
        table=table,
        uncoupled=uncoupled_test(recipe, origin.base) if settings.coupling else None,
    )
    with judge_models(
        rows, reference, folder, sampling_of(settings), scoring, context, device, settings.progress
    ) as scores:
        report = write_report(folder, sections)
        return closing_lines(summarise(scores), scores) + f"\nreport: {report}"


def with_baselines(
    models: Mapping[str, Surrogate],
    problem: Problem,
    calibration: Callable[[], Iterator[Trajectory]] | None,
    settings: Evaluation,
    recipe: BaseRecipe | None,
    spent: Mapping[str, Spent],
) -> Models:
    """The rows of the table: models, the baselines of their problem, and the solvers of the sweep."""
    others, absent = baselines(problem, calibration)
    others = {name: model for name, model in others.items() if name not in models}
    sweep, no_solver = solver_rows(problem, recipe, settings)
    return Models(models, others, sweep, absent | no_solver, spent)


def sampling_of(settings: Evaluation) -> Sampling:
    """Return the part of the settings that says which forecasts are made."""
    names = [field.name for field in dataclasses.fields(Sampling)]
    return Sampling(**{name: getattr(settings, name) for name in names})


def scoring_of(settings: Evaluation, trust: Sequence[str] = ()) -> Scoring:
    """Return the part of the settings that says which scores are computed and which forecasts are kept.

    Raises:
        ValueError: if a measure or a judge is unknown.
    """
    return Scoring(
        judges=chosen_judges(settings.judges, trust),
        measures=chosen_measures(settings.measures, settings.error, trust),
        timing_batches=settings.timing_batches,
        keep=settings.keep,
    )


def known_of(problem: Problem, source: Source, settings: Evaluation, data: str) -> dict[str, Any]:
    """Attributes of ``scores.nc`` that the report reads.

    ``error`` is the first axis of the cost chart; ``compare_at`` is there if it is set;
    ``predictability_checked_until`` is the lead time at which the reference's own checks end (absent where no
    self-convergence is stored), and ``predictable_until`` that at which they stop to agree (absent where they agree to
    their end, because nothing is known beyond).
    """
    known: dict[str, Any] = {"data": data} if data else {}
    exponent, trust = settings.lyapunov_exponent, trust_in(source)
    if problem.pde is not None:
        known["description"] = description_of(problem)
        exponent = exponent or problem.pde.lyapunov_exponent(problem)
    if exponent is not None:
        known["lyapunov_exponent"] = exponent
    if trust is not None:
        known |= {} if problem.steady else trust.attrs
        check, name = source.documents["self_convergence"], str(data or source.name)
        smoothing = () if problem.pde is None else problem.pde.smoothing
        known["reference_warning"] = unresolved(check, name, exponent, smoothing)
    chaotic = exponent is not None and exponent > 0 and not problem.steady
    known["error"] = settings.error or (CORRELATION_TIME if chaotic else "nrmse")
    if settings.compare_at is not None and not problem.steady:
        known["compare_at"] = settings.compare_at
    return known


def description_of(problem: Problem) -> str:
    """Return the sentence of the equation of a problem, and which of its values vary from sample to sample."""
    assert problem.pde is not None
    varied = [name for name in problem.params if hasattr(problem.pde, name)]
    nominal = f" Nominal values; {', '.join(varied)} differ{'s' * (len(varied) == 1)} from sample to sample."
    return problem.pde.describe({}) + nominal * bool(varied)


def training_batches(
    data: DataModule, shape: Sequence[int] | None, recipe: BaseRecipe | None = None
) -> Iterator[Trajectory]:
    """The training split once, trajectory by trajectory, on the grid of the evaluation."""
    if shape is None:
        return data.calibration_batches()
    source = on_grid(data.sources["train"], shape, recipe, "train")
    return (source.read(i) for i in range(data.train.n_trajectories))


def chosen_judges(names: Sequence[str] | None, trust: Sequence[str] = ()) -> dict[str, Callable[[Setup], Judge]]:
    """Makers of judges by name, in the order in which they are called; those that the report needs are always there.

    Args:
        names: judges of pdekit, entry points of the group ``pdekit.judges``, or dotted paths of the user's own; None
            for all of pdekit.
        trust: packages whose judges may be named by their path.

    Raises:
        ValueError: if there is none of a name.
    """
    own = [name for name in names or () if name not in JUDGES]
    wanted = set(JUDGES) if names is None else {*NEEDED_JUDGES, *names}
    found = {name: maker for name, maker in JUDGES.items() if name in wanted}
    return found | {name: own_object("judges", name, JUDGES, trust) for name in own}


def chosen_sections(names: Sequence[str], trust: Sequence[str] = ()) -> list[Section]:
    """Sections of the user for the report, by entry point of the group ``pdekit.sections`` or by dotted path."""
    return [own_object("sections", name, (), trust) for name in names]


def chosen_measures(names: Sequence[str] | None, error: str | None = None, trust: Sequence[str] = ()) -> list[Measure]:
    """Measures by name, all of the catalogue for None; those that the report needs are always there.

    Args:
        names: measures of the catalogue, entry points of the group ``pdekit.measures``, or dotted paths of functions
            of the user that return a `Measure`; None for all of the catalogue.
        error: the one of the cost chart, which is needed, too; None for one that is always there.
        trust: packages whose measures may be named by their path.

    Raises:
        ValueError: if there is none of a name, or the error is none.
    """
    own = [own_object("measures", name, MEASURES, trust)() for name in names or () if name not in MEASURES]
    known = MEASURES | {measure.name: measure for measure in own}
    errors = [name for name, measure in known.items() if measure.perfect == 0 and measure.dims == FRAME]
    if error not in (None, *errors, CORRELATION_TIME):
        raise ValueError(
            f"expected an error among {', '.join([CORRELATION_TIME, *errors])}, got {error!r}; correct error="
        )
    wanted = set(MEASURES) if names is None else {*names, *NEEDED, error, *(measure.name for measure in own)}
    return [measure for name, measure in known.items() if name in wanted]
