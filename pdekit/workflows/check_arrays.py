"""A check of forecasts that were made elsewhere: the rows that read nothing but the forecasts and their reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from pdekit.checks.catalogue import chosen_rows
from pdekit.checks.ground import Ground
from pdekit.checks.output import FILE, findings_table, write_findings, write_junit
from pdekit.checks.replay import Replay
from pdekit.checks.run import run_check
from pdekit.data.description import Description
from pdekit.data.forecasts import check_samples, first_date, forecasts_by_name, read_forecast
from pdekit.data.scored import read_reference, read_training
from pdekit.data.windows import Source
from pdekit.evaluation.references.stored import read
from pdekit.evaluation.stored_forecasts import StoredForecasts
from pdekit.evaluation.stored_run import common_start
from pdekit.recipes.base import BaseRecipe
from pdekit.workflows.check_run import Check, CheckSettings, baseline_of, check_settings, solver_of, training_range

NAME = "forecast"
OF_MODELS = ("members", "long", "seed")
"""Settings that ask a model to forecast again."""
PARTS = tuple(item.name for item in dataclasses.fields(Description) if item.name != "text")


def check_arrays(
    forecast: Any,
    reference: Any,
    problem: Any = None,
    recipe: BaseRecipe | None = None,
    options: Mapping[str, Any] | None = None,
    trust: Sequence[str] = (),
) -> Check:
    """Check forecasts made elsewhere; rows that need a model to forecast again are CANNOT SAY.

    Args:
        forecast: "[member] sample time channel *space", an xarray object, or the path of a file.
        reference: the same without members, and with the frames that were known before the forecasts.
        problem: the equation, or a `Problem` that says what arrays do not state.
        recipe: recipe of pdekit whose data these are; None if it is not known.
        options: ``given`` and ``train`` as in `pdekit.score`, parts of a `pdekit.data.Description`, settings of
            `CheckSettings` but for those of `OF_MODELS`, and ``folder`` and ``junit``.
        trust: packages whose formats may be named.

    Raises:
        FileNotFoundError, ValueError: if the arrays do not fit each other, or an option does not exist.
    """
    several = forecasts_by_name(forecast, NAME)
    if several is forecast:
        names = ", ".join(map(str, several)) or "none"
        raise ValueError(f"expected one forecast to check, got {names}; check each by itself")
    options = dict(options or {})
    given, train, folder, junit = (options.pop(name, None) for name in ("given", "train", "folder", "junit"))
    about = Description(**{name: options.pop(name) for name in PARTS if name in options})
    settings = array_settings(options)
    found = read_reference(reference, problem, about, trust)
    check_samples(NAME, forecast, reference)
    read_in = read_forecast(NAME, forecast, found, trust, first_date(reference))
    given = common_start({NAME: read_in}, found.problem.n_frames) if given is None else given
    stored = StoredForecasts(found.problem, read_in, given)
    training = None if train is None else read_training(train, found.problem, problem, about, trust)
    ground = ground_of_arrays(stored, found, recipe, training, settings)
    surrogate = Replay(NAME, stored, stored.members, start=ground.given)
    rows = chosen_rows(found.problem, settings.rows, stored.stochastic)
    findings = run_check(surrogate, ground, rows, settings.limit)
    into = None if folder is None else Path(folder)
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        about_check = {"model": NAME, "limit": settings.limit, "against": settings.against,
                       "states": len(ground.given), "horizon": ground.horizon}  # fmt: skip
        write_findings(into / FILE, findings, about_check)
    if junit is not None:
        write_junit(Path(junit), findings, "pdekit.check")
    solver = "" if ground.solver is not None else ", without a reference solver"
    ensemble = f", {stored.members} members" if stored.stochastic else ""
    title = f"{NAME} of {len(ground.given)} samples, {ground.horizon} frames{ensemble}{solver}"
    return Check(findings, findings_table(findings, title), into)


def array_settings(values: Mapping[str, Any]) -> CheckSettings:
    """Return the settings with these values.

    Raises:
        ValueError: on a name that does not exist, or a setting that asks a model to forecast again.
    """
    wrong = sorted(set(values) & set(OF_MODELS))
    if wrong:
        raise ValueError(
            f"expected settings of stored forecasts, got {', '.join(wrong)}, which ask a model to forecast again; "
            "leave them out"
        )
    known = [item.name for item in dataclasses.fields(CheckSettings) if item.name not in OF_MODELS]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(
            f"expected parts of a description ({', '.join(PARTS)}), given, train, folder, junit, or settings "
            f"({', '.join(known)}), got {unknown}; correct them"
        )
    return check_settings(values)


def ground_of_arrays(
    stored: StoredForecasts,
    source: Source,
    recipe: BaseRecipe | None,
    training: Source | None,
    settings: CheckSettings,
) -> Ground:
    """Return the states of a check of stored forecasts: the first samples of the reference.

    Args:
        stored: the forecasts.
        source: the reference.
        recipe: recipe of the data; None if it is not known.
        training: trajectories for the mean of a steady problem, and for the range of the training split.
        settings: settings of the check.

    Raises:
        ValueError: if no frame was known or is forecast, or a steady problem has no training trajectories.
    """
    problem, history = source.problem, stored.window[0]
    horizon = min(settings.horizon, stored.n_frames, problem.n_frames - history)
    if not problem.steady and (history < 1 or horizon < 1):
        raise ValueError(
            f"expected a reference with one frame or more before the forecasts and at least one with them, found "
            f"{history} before and {horizon} with them; give a longer reference, or given=FRAMES"
        )
    if problem.steady and training is None:
        raise ValueError("expected train= for a steady problem, whose mean is the baseline, found none; give it")
    numbers = range(min(settings.n_states, source.n_trajectories))
    batch = read(source, numbers, [0] * len(numbers), slice(0, history + horizon))
    known = dataclasses.replace(batch.known(history).to(torch.float64), index=torch.arange(len(numbers)))
    calibration = (training.read(i) for i in range(training.n_trajectories)) if training is not None else ()
    steps = recipe if recipe is not None and recipe.simulator.steps else None
    return Ground(
        problem,
        known,
        batch.u[:, history:].double(),
        batch.t[:, history:].double(),
        baseline_of(problem, calibration if problem.steady else ()),
        solver_of(problem, steps) if settings.against == "solver" else None,
        None if training is None else training_range(training),
    )
