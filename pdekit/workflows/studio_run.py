"""A run for the local page: loaded, with the trajectories of its test split if they are on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pdekit.data.module import DataModule
from pdekit.data.windows import Source, trajectories_on
from pdekit.evaluation.checks import check_problem
from pdekit.recipes.generation import folder_of, is_complete
from pdekit.runs import Run, load
from pdekit.serving.scenes import Studio
from pdekit.workflows.datasets import open_files, recipe_of


def studio_of(run: str | Path | Run, data_dir: str | Path | None = None, trust: Sequence[str] = ()) -> Studio:
    """Return what the page of a run can show, on the grid of its problem; nothing is generated.

    Raises:
        FileNotFoundError: if there is no such run.
        ValueError: if the run makes no forecasts or has no uniform grid, or files that it names are not its data.
    """
    loaded = load(run, trust)
    test, reason = test_split(loaded, data_dir, trust)
    if test is not None:
        test = trajectories_on(test, loaded.problem.grid)
        check_problem(loaded.name, loaded.problem, test.problem)
    return Studio(loaded, test, reason)


def test_split(run: Run, data_dir: str | Path | None, trust: Sequence[str]) -> tuple[Source | None, str]:
    """Return the test split of a run's data, or None and why there is none."""
    name = run.config.get("choices", {}).get("data") or run.config.get("name") or "data"
    if run.config.get("data") is None and not run.config.get("path"):
        return None, "No forecasts are shown: the run was trained on arrays in memory, which are not stored."
    recipe = recipe_of(run.config, trust)
    if run.config.get("path"):
        return open_files(run.config["path"], name, recipe, trust=trust).sources["test"], ""
    assert recipe is not None
    base = data_dir or run.config.get("data_dir")
    folder = folder_of(recipe, Path(base) if base else None)
    if not is_complete(folder):
        return None, (
            f"No forecasts are shown: expected the dataset {recipe.name} in {folder}, found none; generate it with the "
            "settings of the run (python -m pdekit.evaluate run=RUN does), or give data_dir=PATH."
        )
    return DataModule.from_folder(folder, trust=trust).sources["test"], ""
