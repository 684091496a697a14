"""Every pair of a shipped model and a shipped dataset, on a tiny grid: one forecast, or a refusal in a sentence."""

import dataclasses
from functools import cache

import pytest
import torch

from pdekit.models.base import Stepper
from pdekit.models.resolution import try_step
from pdekit.recipes.instance import instance_from
from pdekit.runs import build_model
from pdekit.workflows import training_run
from tests.models.small import make_batch
from tests.test_configs import DATA, composed
from tests.test_contract import SMALL

REFUSED = {"lorenz_96", "chaos"}  # no space
FURTHER = {
    "deeponet": {"ks_varying", "ks_jitter"},  # the step differs from sample to sample
    "pod_deeponet": {"ks_varying", "ks_jitter"},
    "wdno": {"navier_stokes_3d"},  # space and time have at most three axes
    "distilled": {"navier_stokes_3d"},
    "anchored_step": {"burgers_8192"},  # a start and one frame: nothing is left to unroll
    "text2pde_continued": {"burgers_8192"},
}
# steady problems are refused
IN_TIME = {"anchored_step", "autoencoder", "adversarial_autoencoder", "text2pde", "text2pde_continued", "bridge"}
TINY = {0: (), 1: (32,), 2: (16, 16), 3: (8, 8, 8)}


@cache
def recipes():
    """Of data on grids; nets on points are tested in tests/models."""
    found = {data: instance_from(composed("model=mean", f"data={data}")["data"], None) for data in DATA}
    return {data: recipe for data, recipe in found.items() if recipe.grid.uniform}


@pytest.mark.slow
@pytest.mark.parametrize("model", SMALL)
def test_every_dataset_is_stepped_or_refused(model):
    config = composed(f"model={model}", "data=ks", *SMALL[model])["model"]
    refused = []
    for data, recipe in recipes().items():
        problem = recipe.problem("train")
        grid = problem.grid.resized(TINY[problem.ndim])
        problem = dataclasses.replace(problem, grid=grid, n_frames=min(problem.n_frames, 5))
        torch.manual_seed(0)
        try:
            method = build_model(config, problem)
        except ValueError as error:
            assert str(error).startswith("expected ") and ";" in str(error), data
            refused.append(data)
            continue
        batch = make_batch(problem)
        batch = dataclasses.replace(batch, text=("smoke",) * len(batch) if problem.has_text else None).to(torch.float32)
        if "dt" in problem.params:
            column = problem.params.index("dt")
            batch = dataclasses.replace(batch, t=batch.t / problem.dt * batch.params[:, column : column + 1])
        method.calibrate([batch])
        if not method.forecasts:
            assert torch.isfinite(method.attempt(batch, torch.Generator())).all(), data
            continue
        h = method.window[0]
        given = dataclasses.replace(batch, u=batch.u[:, :h], t=batch.t[:, :h])
        u = method.eval().forecast(given, batch.t[:, h:] if h else batch.t)
        assert torch.isfinite(u).all() and u.shape[-problem.ndim :] == grid.shape, data
    steady = {data for data, recipe in recipes().items() if recipe.problem("train").n_frames == 1}
    assert set(refused) <= REFUSED | FURTHER.get(model, set()) | (steady if model in IN_TIME else set())


@pytest.mark.slow
@pytest.mark.parametrize("model", SMALL)
def test_every_dataset_is_stepped_on_its_own_grid(model):
    """The model as it is configured, on the grid of the dataset: one step from zero, or the refusal of the method."""
    config = composed(f"model={model}", "data=ks")["model"]
    refused = set()
    for data, recipe in recipes().items():
        problem = recipe.problem("train")
        try:
            method = build_model(config, problem)
        except ValueError:
            refused.add(data)
            continue
        if isinstance(method, Stepper):
            try_step(method)
    steady = {data for data, recipe in recipes().items() if recipe.problem("train").n_frames == 1}
    assert refused == REFUSED | FURTHER.get(model, set()) | (steady if model in IN_TIME else set())


class Axisless(torch.nn.Module):
    """A net that does not take the arguments of a grid net."""

    configurable = True

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()


def test_a_net_with_other_arguments_is_refused_before_data_are_made(monkeypatch):
    monkeypatch.setattr(training_run, "generate", None)
    config = composed("model=fno", "data=ks")
    config["model"]["net"] = {"_target_": f"{__name__}.Axisless", "_partial_": True}
    with pytest.raises(ValueError, match=r"expected a model and options that fit the problem.*'layout'"):
        training_run.plan_run(config | {"choices": {"model": "mine", "data": "ks", "trainer": "cpu"}}, ("tests",))
