"""Every configuration of a study composes, and builds its method for its dataset."""

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
