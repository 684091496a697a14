"""Every configuration composes, and every method is built for every dataset or refuses it with a sentence."""

import dataclasses
import itertools

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from pdekit.command_line import CONFIGS, choices, schema
from pdekit.data.loading import Loading
from pdekit.data.recipe import Recipe, recipe_from
from pdekit.models.base import Surrogate
from pdekit.runs import build_model
from pdekit.settings import Engine, Training
from pdekit.train import register_schema

MODELS, DATA, TRAINERS = (list(choices(group)) for group in ("model", "data", "trainer"))


def composed(*overrides: str) -> dict:
    register_schema()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return OmegaConf.to_container(compose("train", list(overrides)), resolve=True)


@pytest.fixture(scope="module")
def recipes() -> dict[str, Recipe]:
    return {data: recipe_from(composed("model=mean", f"data={data}")["data"]) for data in DATA}


@pytest.fixture(scope="module")
def models() -> dict[str, dict]:
    return {model: composed(f"model={model}", "data=kolmogorov") for model in MODELS}


def test_there_are_configurations():
    assert {"fno", "unet", "pde_refiner", "persistence", "mean", "solver"} <= set(MODELS)
    assert {"kolmogorov", "ks"} <= set(DATA)


@pytest.mark.parametrize("group", ["model", "data", "trainer"])
def test_every_option_has_a_line_of_help(group):
    for name, line in choices(group).items():
        assert 10 < len(line) < 130, name


@pytest.mark.parametrize(("model", "data"), list(itertools.product(MODELS, DATA)))
def test_every_method_is_built_for_every_dataset_or_says_why_not(models, recipes, model, data):
    try:
        built = build_model(models[model]["model"], recipes[data].problem("train"))
    except ValueError as refusal:
        assert str(refusal).startswith("expected") and ";" in str(refusal)
    else:
        assert isinstance(built, Surrogate)
        assert built.problem == recipes[data].problem("train")


@pytest.mark.parametrize("model", MODELS)
def test_the_demonstration_data_suit_every_method(models, recipes, model):
    """A loss that is finite and a forecast of the right shape, in the units of the data."""
    torch.manual_seed(0)
    problem = recipes["kolmogorov"].problem("train")
    built = build_model(models[model]["model"], problem)
    history, target = built.window
    from tests.models.small import make_batch

    batch = make_batch(dataclasses.replace(problem, n_frames=history + target), n=2).to(torch.float32)
    built.calibrate([batch])
    assert torch.isfinite(built.loss(batch)[0])
    u = built.forecast(batch.frames(slice(0, history)), batch.t[:, history:])
    assert u.shape == (1, 2, target, 1, 32, 32) and torch.isfinite(u).all()


@pytest.mark.parametrize("trainer", TRAINERS)
def test_every_trainer_composes(trainer):
    assert Engine(**composed("model=fno", "data=ks", f"trainer={trainer}")["trainer"])


def test_settings_are_those_of_the_method(models):
    for model in MODELS:
        assert Training(**models[model]["training"])
    assert models["fno"]["training"]["lr"] == 3e-3


def test_configurations_name_pdekit_only():
    for path in CONFIGS.rglob("*.yaml"):
        for line in path.read_text().splitlines():
            if "_target_:" in line and not line.strip().startswith("#"):
                assert line.split("_target_:")[1].strip().startswith("pdekit."), f"{path}: {line}"


@pytest.mark.parametrize("settings", [Training, Engine, Loading])
def test_a_schema_has_the_defaults_of_its_settings(settings):
    structured = OmegaConf.structured(schema(settings))
    assert OmegaConf.to_container(structured) == dataclasses.asdict(settings())
    first = next(iter(structured))
    structured[first] = structured[first]  # not read-only, as a frozen dataclass would be
