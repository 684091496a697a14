"""Every configuration composes, and every method is built for every dataset or refuses it with a sentence."""

import dataclasses

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from pdekit.cli.command_line import CONFIGS, choices
from pdekit.cli.compose import defaults_of
from pdekit.data.arrays import from_arrays
from pdekit.data.loading import Loading
from pdekit.models.base import Surrogate
from pdekit.pdes import NavierStokes2D
from pdekit.recipes.base import BaseRecipe
from pdekit.runs import build_model, load
from pdekit.settings import Engine, Training
from pdekit.train import register_training
from pdekit.training.module import fit, load_checkpoint
from tests.models.small import make_batch
from tests.recipes.test_configs import compose as recipe_of

MODELS, DATA, TRAINERS = (list(choices(group)) for group in ("model", "data", "trainer"))
ONE_INSTANCE = {"pinn", "pinn_inverse"}  # fit one instance of a problem, and have tests of its own
STEADY_ONLY = {"nearest", "pod"}  # refuse problems in time, and have tests of their own
NO_FORECAST = {"autoencoder", "adversarial_autoencoder"}
ON_POINTS = {"latent_grid", "point_deeponet"}  # refuse grids, and have tests of their own
FORECASTERS = [model for model in MODELS if model not in ONE_INSTANCE | STEADY_ONLY | NO_FORECAST | ON_POINTS]


def composed(*overrides: str) -> dict:
    register_training()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return OmegaConf.to_container(compose("train", list(overrides)), resolve=True)


@pytest.fixture(scope="module")
def recipes() -> dict[str, BaseRecipe]:
    return {data: recipe_of(data) for data in DATA}


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


@pytest.mark.parametrize("data", DATA)
def test_every_method_is_built_for_every_dataset_or_says_why_not(models, recipes, data):
    problem = recipes[data].problem("train")
    for model in MODELS:
        try:
            built = build_model(models[model]["model"], problem)
        except ValueError as refusal:
            assert str(refusal).startswith("expected") and ";" in str(refusal), model
        else:
            assert isinstance(built, Surrogate) and built.problem == problem, model


@pytest.mark.parametrize("model", FORECASTERS)
def test_the_demonstration_data_suit_every_method(models, recipes, model):
    """A loss that is finite and a forecast of the right shape, in the units of the data."""
    torch.manual_seed(0)
    problem = recipes["kolmogorov"].problem("train")
    built = build_model(models[model]["model"], problem)
    history, target = built.window
    target = problem.n_frames - history if target == "all" else target
    batch = make_batch(dataclasses.replace(problem, n_frames=history + target), n=2).to(torch.float32)
    built.calibrate([batch])
    assert torch.isfinite(built.loss(batch)[0])
    u = built.forecast(batch.frames(slice(0, history)), batch.t[:, history:])
    assert u.shape == (1, 2, target, 1, 32, 32) and torch.isfinite(u).all()


@pytest.mark.parametrize("model", FORECASTERS)
@pytest.mark.slow
def test_what_is_trained_is_what_is_loaded(models, tmp_path, model):
    """After a few steps every method forecasts the same from its file; the checkpoint needs no pickle."""
    torch.manual_seed(0)
    u = torch.randn(4, 5, 1, 16, 16).cumsum(1).numpy()
    data = from_arrays(u, dt=0.25, extent=(1.0, 1.0), fields=["vorticity"], pde=NavierStokes2D())
    built = build_model(models[model]["model"], data.problem)
    data.set_window(*built.window)
    built.calibrate(data.calibration_batches())
    settings = Training(steps=2, validate_every=2)
    fit(built, data, settings, Engine(), tmp_path, progress=False)
    loaded = load(tmp_path).model
    batch = data.test.trajectories([0])
    given, t = batch.frames(slice(0, built.window[0])), batch.t[:, 1:3]
    expected, found = (m.eval().forecast(given, t, generator=torch.Generator().manual_seed(1)) for m in (built, loaded))
    assert torch.isfinite(expected).all() and torch.equal(found, expected)
    if built.stages(settings):
        assert load_checkpoint(tmp_path / "last.ckpt")["global_step"] == 2


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
def test_hydra_knows_the_names_and_defaults_of_the_settings(settings):
    assert OmegaConf.to_container(OmegaConf.create(defaults_of(settings))) == dataclasses.asdict(settings())
