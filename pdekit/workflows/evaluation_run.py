"""An evaluation of a trained run: load it, open its data, score it, write the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pdekit.data.module import DataModule
from pdekit.data.published import open_published
from pdekit.evaluation import run as scoring
from pdekit.evaluation.checks import check_problem
from pdekit.evaluation.folder import writing_to
from pdekit.evaluation.settings import Evaluation
from pdekit.plain import from_plain
from pdekit.recipes.generation import generate
from pdekit.recipes.instance import instance_from
from pdekit.runs import load
from pdekit.training.devices import check_device


def evaluate_run(config: Mapping[str, Any], data_name: str | None = None, trust: Sequence[str] = ()) -> str:
    """Load a run and its data, score it, write the report.

    Args:
        config: resolved and plain; the settings of `pdekit.evaluation.settings.Evaluation`, and run, folder, device,
            data (a recipe, None for the run's own), path (published files of it) and data_dir.
        data_name: name of that recipe's configuration.
        trust: packages beside pdekit that the run or the recipe may name.

    Returns:
        The closing lines.
    """
    check_device(config["device"])
    config = dict(config)
    path, folder, device = Path(config.pop("run")), config.pop("folder"), config.pop("device")
    other, data_dir, published = config.pop("data"), config.pop("data_dir"), config.pop("path")
    settings = Evaluation(**from_plain(config))
    scoring.chosen_measures(settings.measures, settings.error)
    run = load(path, trust, device)
    recipe = instance_from(other or run.config["data"], None if other else run.config.get("instance"), trust)
    base = data_dir or run.config["data_dir"]
    base = Path(base) if base else None
    published = published or (None if other else run.config.get("path"))
    if published:
        data, recipe = open_published(published, recipe.name, trust=trust), None
    else:
        check_problem(run.name, run.problem, recipe.problem("train"), settings.resolution is not None)
        data = DataModule.from_folder(generate(recipe, base), trust=trust)
    data.set_window(*run.model.window)
    name = data_name or run.config["choices"]["data"]
    into = Path(folder) if folder else path / name if other else path
    with writing_to(into):
        return scoring.evaluate_models(
            {run.name: run.model}, data, into, settings, {"data": name}, path, recipe=recipe, device=device,
            base=base,
        )  # fmt: skip
