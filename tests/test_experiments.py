"""Every configuration of a study composes, and builds its method for its dataset."""

import ast
import importlib
import importlib.util
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from pdekit.cli.command_line import CONFIGS
from pdekit.recipes.trajectories import recipe_from
from pdekit.runs import build_model
from pdekit.settings import Training
from pdekit.train import register_training

STUDIES = Path(__file__).parents[1] / "experiments"
PAIRS = [
    (study, model.stem, data.stem)
    for study in sorted(STUDIES.iterdir())
    for data in sorted((study / "data").glob("*.yaml"))
    for model in sorted((study / "model").glob("*.yaml"))
]


def test_there_are_studies():
    assert {study.name for study, _, _ in PAIRS} >= {"ks"}


@pytest.mark.parametrize(("study", "model", "data"), PAIRS, ids=lambda part: getattr(part, "name", part))
def test_a_study_builds(study, model, data):
    register_training()
    overrides = [f"hydra.searchpath=[file://{study}]", f"model={model}", f"data={data}"]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", overrides), resolve=True)
    recipe = recipe_from(config["data"])
    assert Training(**config["training"]).steps > 1000
    built = build_model(config["model"], recipe.problem("train"))
    assert sum(p.numel() for p in built.parameters()) > 1e5
    assert recipe.name == data


@pytest.mark.parametrize("data", sorted(STUDIES.glob("*/data/*.yaml")), ids=lambda path: path.stem)
def test_data_of_a_study_are_a_recipe(data):
    register_training()
    overrides = [f"hydra.searchpath=[file://{data.parents[1]}]", "model=solver", f"data={data.stem}"]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", overrides), resolve=True)
    recipe = recipe_from(config["data"])
    assert recipe.name == data.stem
    assert build_model(config["model"], recipe.problem("test")).problem.n_frames == recipe.n_frames["test"]


SCRIPTS = sorted(path for folder in ("experiments", "benchmarks") for path in (STUDIES.parent / folder).rglob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_what_a_script_imports_of_pdekit_exists(script):
    """Studies take hours and are not run by the tests: a rename must not break them unseen."""
    missing = []
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "pdekit":
            module = importlib.import_module(node.module)
            missing += [name.name for name in node.names if not hasattr(module, name.name) and not part(node, name)]
    assert not missing


def part(node: ast.ImportFrom, name: ast.alias) -> bool:
    """Return whether a name is a module of the package that it is imported from."""
    return importlib.util.find_spec(f"{node.module}.{name.name}") is not None
