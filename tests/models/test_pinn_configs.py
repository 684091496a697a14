"""Every problem of the study and every dataset composes, is built, and has a finite loss with all its terms."""

from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from pdekit.cli.command_line import CONFIGS, choices
from pdekit.models.pinn import PINN
from pdekit.pdes.initial_states import sampled
from pdekit.recipes.instance import in_words, instance_from
from pdekit.recipes.trajectories import recipe_from
from pdekit.runs import build_model
from pdekit.settings import Training
from pdekit.simulate import recipe_named
from pdekit.train import register_training

STUDY = yaml.safe_load((Path(__file__).parents[2] / "experiments" / "pinn" / "problems.yaml").read_text())


@cache
def composed(*overrides: str) -> dict:
    register_training()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return OmegaConf.to_container(compose("train", ["model=pinn", *overrides]), resolve=True)


@pytest.mark.parametrize("problem", STUDY)
def test_the_problems_of_the_study_are_built(problem):
    config = composed(*STUDY[problem]["overrides"], "model.collocation.n_points=64")
    recipe = instance_from(config["data"], config["instance"])
    model = build_model(config["model"], recipe.problem("test")).double()
    assert isinstance(model, PINN)
    stages = model.stages(Training(**config["training"]))
    model.before_step(stages[0], 0)
    loss, numbers = model.loss(next(iter(model.batches(None))))
    assert torch.isfinite(loss) and set(recipe.pde.auxiliary) <= set(numbers)
    assert stages[-1].name.startswith("self_scaled_broyden")


@pytest.mark.parametrize("data", choices("data"))
def test_a_recipe_is_the_same_on_the_command_line_and_in_python(data):
    assert recipe_from(composed(f"data={data}")["data"]).hash == recipe_named(data).hash


@pytest.mark.parametrize("data", choices("data"))
def test_every_instance_of_every_dataset_is_a_state_of_its_equation(data):
    config = composed(f"data={data}")["data"]
    for name in config.get("instances", {}):
        recipe = instance_from(config, name)
        problem = recipe.problem("test")
        u = sampled(problem.instance, problem.grid)
        assert u.shape == (problem.n_channels, *problem.grid.shape) and torch.isfinite(u).all()
        assert problem.pde.dims == (1, 2, 3) or problem.ndim in problem.pde.dims


@pytest.mark.parametrize("data", choices("data"))
def test_a_dataset_without_an_instance_of_its_own_asks_for_one(data):
    """model=pinn takes the published instance; where there is none, the message lists what there is."""
    config = composed(f"data={data}")
    blocks = config["data"].get("instances", {})
    assert config["instance"] == "published"
    if "published" in blocks:
        recipe = instance_from(config["data"], "published")
        build_model(config["model"], recipe.problem("test"))
        said = in_words(recipe_from(config["data"]), recipe, "published")
        assert said.startswith(f"instance published of {data}, which differs from the dataset in ")
        return
    with pytest.raises(ValueError, match=r"expected (instance=NAME|a dataset with an instance)") as refused:
        instance_from(config["data"], "published")
    assert all(name in str(refused.value) for name in blocks)


def test_the_sentence_names_what_differs():
    config = composed("data=ks")["data"]
    said = in_words(recipe_from(config), instance_from(config, "published"), "published")
    assert "viscosity 0.01 (1 in the dataset); box 2 (64 in the dataset)" in said and "frames 51 (" in said
    same = recipe_from(config)
    assert in_words(same, same, "all") == "instance all of ks"


def test_settings_of_nested_parts_can_be_given_on_the_command_line():
    causality = "model.weighting.causality={_target_: pdekit.models.pinn.Causality, tolerances: [0.1, 1]}"
    inverse = "model.inverse={_target_: pdekit.models.pinn.Inverse, start: {viscosity: 0.05}}"
    config = composed("data=burgers", causality, inverse)
    model = build_model(config["model"], instance_from(config["data"], "published").problem("test"))
    assert model.weighting.causality.tolerances == (0.1, 1.0)
    assert set(model.unknowns.values()) == {"viscosity"}
