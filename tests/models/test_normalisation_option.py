"""``model.inputs.normalisation``: each method honours it, or refuses it in a sentence before data are made."""

import inspect
from functools import partial, reduce

import pytest
import torch
import yaml

from pdekit.cli.command_line import CONFIGS, choices
from pdekit.cli.stored import read_config
from pdekit.fields import Field
from pdekit.models.inputs import Preparation
from pdekit.models.normaliser import Normaliser
from pdekit.models.one_step import OneStep
from pdekit.models.residual_diffusion import ResidualDiffusion
from pdekit.nets.unet import UNet
from pdekit.plain import mappings_in
from pdekit.runs import build_model, save_model
from pdekit.targets import locate
from pdekit.training.required import check_required
from tests.models.small import make_batch, make_problem
from tests.test_contract import SMALL

REFUSING = {"diffusion_pde", "distilled", "dmd", "mean", "nearest", "pde_refiner", "persistence", "pinn",
            "pinn_inverse", "pod", "reservoir", "solver", "wdno"}  # fmt: skip
PARTS = {
    "residual_diffusion": ["base"],
    "text2pde": ["autoencoder"],
    "text2pde_continued": ["autoencoder", "continuation"],
}
NET = partial(UNet, width=4, multipliers=(1, 2))
ON_POINTS = {"latent_grid", "point_deeponet"}
"""Methods whose problems have no logarithm; `Normaliser` refuses it."""
OTHERS = [name for name in choices("model") if name not in REFUSING | ON_POINTS]


def config_of(name: str) -> dict:
    """The model of a configuration, with the sizes of the contract test; composing each takes a quarter of a second."""
    whole = read_config(CONFIGS / "model" / f"{name}.yaml")
    config = {"model": whole.get("model", whole)}
    for setting in SMALL.get(name, []):
        path, _, text = setting.partition("=")
        *parents, key = path.split(".")
        node, value = reduce(dict.get, parents, config), yaml.safe_load(text)
        node[key] = {**node[key], **value} if isinstance(value, dict) else value
    return config["model"]


def test_every_method_honours_or_refuses_it():
    """A part of a configuration whose class takes ``inputs`` states them, so that one of their options can be typed."""
    for name in choices("model"):
        nodes = [node for node in mappings_in(config_of(name)) if "_target_" in node]
        taking = [node for node in nodes if "inputs" in inspect.signature(locate(node["_target_"], ())).parameters]
        assert all("_target_" in (node["inputs"] or {}) for node in taking), name
        assert len(taking) == (0 if name in REFUSING else len(PARTS.get(name, [1]))), name


@pytest.mark.parametrize("name", OTHERS)
def test_forecasts_of_logarithms_are_positive(name):
    """Of a field over six decades, by an untrained net with large outputs; the other field has huge values."""
    problem = make_problem(fields=(Field("density"), Field("pressure")))
    batch = make_batch(problem)
    batch.u[:, :, 0] = torch.exp(3 * (batch.u[:, :, 0] - 3))
    batch.u[:, :, 1] *= 1e5
    config = config_of(name)
    for node in [config[part] for part in PARTS[name]] if name in PARTS else [config]:
        node["inputs"]["normalisation"] = {"density": "log"}
    torch.manual_seed(0)
    model = build_model(config, problem)
    assert {tuple(m.by_log) for m in model.modules() if isinstance(m, Normaliser)} == {(True, False)}
    for part in (*PARTS.get(name, []), None):
        made = model if part is None else getattr(model, part)
        made.calibrate([batch])
        for scale in (m.change_scale for m in made.modules() if isinstance(m, Normaliser)):
            assert (scale > 0).all() and torch.isfinite(scale).all()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.3 * torch.randn_like(weights))
    loss, _ = model.train().loss(batch)
    loss.backward()
    assert all(torch.isfinite(w.grad).all() for w in model.parameters() if w.grad is not None)
    history = model.window[0]
    if model.forecasts:
        out = model.eval().forecast(batch.frames(slice(0, history)), batch.t[:, history:], 2)
    else:
        out = model.eval().reconstruct(batch)
    assert (out[..., 0, :] > 0).all() and out.shape[-3:] == batch.u[:, history:].shape[-3:]
    batch.u[0, 0, 0, 3] = 0.0
    with pytest.raises(ValueError, match=r"expected positive values of density.* found 0 in density"):
        model.loss(batch)


@pytest.mark.parametrize("methods", ["deviation", {"density": "log"}])
def test_a_required_run_with_other_logarithms_is_refused(tmp_path, methods):
    """Its statistics are those of other numbers: with them a forecast would be wrong, of finite weights."""
    problem = make_problem(fields=(Field("density"), Field("pressure")))

    def base(chosen):
        return partial(OneStep, net=NET, inputs=Preparation(chosen))

    save_model(tmp_path, base({"density": "log"})(problem))
    model = ResidualDiffusion(problem, base(methods), NET)
    if methods == "deviation":
        with pytest.raises(ValueError, match=r"expected a run with the layers of model\.base.*found .*log=density"):
            check_required(model, {"base": tmp_path})
    else:
        assert check_required(model, {"base": tmp_path}) == {"base": str(tmp_path)}
        assert model.normaliser.by_log == [True, False]
