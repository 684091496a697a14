"""An evaluation of a trained run: load it, open its data, score it, write the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pdekit.data.module import DataModule
from pdekit.evaluation import run as scoring
from pdekit.evaluation.checks import check_problem
from pdekit.evaluation.folder import writing_to
from pdekit.evaluation.reconstruction import score_reconstruction
from pdekit.evaluation.request import check_reach, check_request
from pdekit.evaluation.settings import Request, evaluation_from
from pdekit.given import check_device
from pdekit.models.base import Surrogate
from pdekit.models.constrained import Constrained
from pdekit.plain import from_plain
from pdekit.recipes.generation import generate
from pdekit.runs import Run, load
from pdekit.typed_values import settings_from
from pdekit.workflows.datasets import open_files, recipe_of

IN_MEMORY = "arrays"  # name of data that were given as an object


def evaluate_run(
    config: Mapping[str, Any],
    data_name: str | None = None,
    trust: Sequence[str] = (),
    run: Run | None = None,
    data: DataModule | None = None,
) -> str:
    """Load a run and its data, score it, write the report.

    Args:
        config: resolved and plain; the settings of `pdekit.evaluation.settings.Evaluation`, and run, folder, device,
            data (a recipe, None for the run's own), path (files instead of generated data), data_dir and constrain
            (names of constraints on the forecasts).
        data_name: name of that recipe's configuration.
        trust: packages in addition to pdekit that the run or the recipe may name.
        run: loaded already; None to load ``config["run"]``.
        data: a data module instead of what the configuration and the run name.

    Returns:
        The closing lines.

    Raises:
        FileNotFoundError: if there is no such run.
        ValueError: if the data are of another problem, or the run does not name its data.
    """
    config = dict(config)
    given = {item.name: config.pop(item.name) for item in dataclasses.fields(Request)}
    asked = settings_from(Request, given, "evaluate", "")
    check_device(asked.device)
    path, folder, device, other = Path(asked.run), asked.folder, asked.device, config.pop("data")
    settings = evaluation_from(from_plain(config))
    scoring.scoring_of(settings, trust)
    run = load(path, trust, device) if run is None else run
    base = asked.data_dir or run.config.get("data_dir")
    base, recipe = Path(base) if base else None, None
    name = data_name or run.config.get("choices", {}).get("data") or IN_MEMORY
    if data is None:
        stored = run.config if other is None else {"data": other}
        stored = stored | {"path": asked.path or stored.get("path")}
        recipe = recipe_of(stored, trust)
        if stored["path"]:
            data, recipe = open_files(stored["path"], name, recipe, trust=trust), None
        else:
            assert recipe is not None  # without a path the data are of a recipe
            check_problem(run.name, run.problem, recipe.problem("train"), settings.resolution is not None)
            n_trajectories = recipe.n_trajectories["test"]
            if run.model.forecasts:
                check_request(settings, run.model.window[0], recipe.problem("test"), n_trajectories, recipe)
                check_reach(run.model, settings, recipe.problem("test"))
            data = DataModule.from_folder(generate(recipe, base), trust=trust)
    data.set_window(*run.model.window)
    models: dict[str, Surrogate] = {run.name: run.model}
    if asked.constrain:
        models[f"{run.name}, constrained"] = Constrained(run.model, asked.constrain)
    into = Path(folder) if folder else path / name if other else path
    with writing_to(into):
        if not run.model.forecasts:
            return score_reconstruction(run.model, data, into, name, device)
        origin = scoring.Origin(name, path, recipe, base, tuple(trust))
        return scoring.evaluate_models(models, data, into, settings, origin, device)
