"""Everything that should run on a GPU, on a device that refuses to mix with the CPU: the same values as on a CPU."""

import copy
import dataclasses
import functools
from math import pi

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from pdekit.cli.compose import composed
from pdekit.evaluation.judges.regions import has_regions
from pdekit.evaluation.references.stored import mask_of
from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.metrics import catalogue
from pdekit.metrics.regions import rmse_by_place
from pdekit.models.base import Surrogate
from pdekit.models.baselines.simulator import SimulatorBaseline
from pdekit.models.one_step import OneStep
from pdekit.models.pde_refiner import PDERefiner
from pdekit.pdes import CompressibleEuler, KuramotoSivashinsky, NavierStokes2D, ShallowWater
from pdekit.recipes.trajectories import recipe_from
from pdekit.runs import build_model
from pdekit.settings import Engine
from pdekit.simulators.base import Refinement
from pdekit.solvers import Copies, Scheme, etdrk, finite_volume, imex, integrate, lyapunov_exponents, runge_kutta
from pdekit.train import register_training
from pdekit.training import module as engine
from tests.evaluation.scoring import evaluate
from tests.evaluation.waves import PROBLEM, Shift, Waves
from tests.models.small import PointwiseNet
from tests.pretend_device import PretendTensor, pretend
from tests.test_contract import TRAINED, TRUST, batch_of, config_of
from tests.training import pretend_engine
from tests.training.test_module import SETTINGS, waves

FAST_KINDS = {"line", "steady", "masked"}
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}


def same(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """True if both are equal up to rounding; fails if the result has left the device or has another precision."""
    assert isinstance(found, PretendTensor), "the result left the device"
    found = found.detach().cpu()
    assert found.dtype == expected.dtype
    scale = max(1.0, float(expected.detach().abs().max()))
    return float((found - expected).abs().max()) <= TOLERANCE[expected.dtype] * scale


def moved(batch, device):
    """A trajectory with all its tensors on the device."""
    names = [f.name for f in dataclasses.fields(batch)]
    values = {name: getattr(batch, name) for name in names}
    return dataclasses.replace(batch, **{k: v.to(device) for k, v in values.items() if isinstance(v, torch.Tensor)})


# The device itself


def test_the_device_refuses_what_cuda_refuses():
    with pretend() as device:
        here, there = torch.randn(3, 4).to(device), torch.randn(3, 4)
        for operation in (torch.add, torch.maximum):
            with pytest.raises(RuntimeError, match=r"expected all tensors of .* on one device"):
                operation(here, there)
        with pytest.raises(RuntimeError):
            here.numpy()
        with pytest.raises(RuntimeError, match="on one device"):
            torch.cat([here, there])
        with pytest.raises(RuntimeError, match="on one device"):
            there.index_select(0, torch.tensor([0]).to(device))
        assert (here + torch.tensor(2.0)).device == device and (2 * here).device == device
        assert here[torch.tensor([0, 2])].shape == (2, 4)


def test_the_device_computes_trains_and_shares_memory_of_views():
    with pretend() as device:
        u = torch.zeros(3, 4, device=device)
        u[1:, ::2].add_(1)
        assert u.cpu().tolist() == [[0, 0, 0, 0], [1, 0, 1, 0], [1, 0, 1, 0]]
        net = torch.nn.Linear(4, 2)
        twin = copy.deepcopy(net).to(device)
        x = torch.randn(5, 4)
        for one, place in ((net, "cpu"), (twin, device)):
            optimiser = torch.optim.AdamW(one.parameters(), lr=0.1)
            for _ in range(3):
                optimiser.zero_grad()
                one(x.to(place)).square().mean().backward()
                optimiser.step()
        assert same(twin.weight.data, net.weight.data)


# Methods


def forecast_of(method: Surrogate, batch: Trajectory) -> Tensor:
    """Two members of a forecast, or what a method that makes none shows in a validation."""
    generator = torch.Generator().manual_seed(0)
    if not method.forecasts:
        return method.attempt(batch, generator)
    history = method.window[0]
    return method.forecast(batch.frames(slice(0, history)), batch.t[:, history:], 2, generator)


@pytest.mark.parametrize(
    ("model", "kind"),
    [pair if pair[1] in FAST_KINDS else pytest.param(*pair, marks=pytest.mark.slow) for pair in TRAINED],
)
def test_a_method_learns_and_forecasts_there(model, kind):
    problem, batch = batch_of(kind)
    torch.manual_seed(0)
    method = build_model(config_of(model)["model"], problem, TRUST)
    method.calibrate([batch])
    history, target = method.window
    frames = slice(0, None if target == "all" else history + target)
    torch.manual_seed(0)
    loss, _ = method.loss(batch.frames(frames))
    made = forecast_of(method, batch)
    with pretend() as device:
        there: Surrogate = copy.deepcopy(method).to(device)
        torch.manual_seed(0)
        loss_there, _ = there.loss(moved(batch.frames(frames), device))
        assert same(loss_there, loss)
        loss_there.backward()
        assert all(isinstance(p.grad, PretendTensor) for p in there.parameters() if p.grad is not None)
        assert same(forecast_of(there, moved(batch, device)), made)


# Solvers


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("make", [etdrk, imex, runge_kutta], ids=["etdrk", "imex", "explicit"])
def test_spectral_solvers_run_there(make, dtype):
    pde, grid = NavierStokes2D(1e-2, 1.0, 4, 0.1), Grid((16, 16), (2 * pi, 2 * pi))
    u = torch.randn(2, 1, 16, 16, dtype=dtype)
    expected = integrate(make(pde, grid, 0.01, dtype=dtype), u, 3, 2)
    with pretend() as device:
        assert same(integrate(make(pde, grid, 0.01, dtype=dtype, device=device), u.to(device), 3, 2), expected)


def test_parameters_of_their_own_run_there():
    nu = torch.tensor([0.8, 1.2], dtype=torch.float64).reshape(-1, 1, 1)
    u = torch.randn(2, 1, 32, dtype=torch.float64)
    expected = integrate(etdrk(KuramotoSivashinsky(nu), Grid((32,), (64.0,)), nu / 20), u, 2, 5)
    with pretend() as device:
        step = etdrk(KuramotoSivashinsky(nu.to(device)), Grid((32,), (64.0,)), nu.to(device) / 20, device=device)
        assert same(integrate(step, u.to(device), 2, 5), expected)


def test_finite_volumes_run_there():
    pde, grid = ShallowWater(), Grid((12, 12), (1.0, 1.0))
    u = 1 + 0.1 * torch.rand(2, len(pde.fields), *grid.shape, dtype=torch.float64)
    expected = integrate(finite_volume(pde, grid, 1e-3), u, 2, 3)
    with pretend() as device:
        assert same(integrate(finite_volume(pde, grid, 1e-3), u.to(device), 2, 3), expected)


def test_gas_dynamics_between_ends_run_there():
    """WENO with ghost cells of a wall and of a state, and steps that a Courant number limits."""
    pde, grid = CompressibleEuler(), Grid((12,), (1.0,), layout=("cells",))
    u = torch.tensor([1.0, 0.1, 2.5]).reshape(1, 3, 1) + 0.1 * torch.rand(2, 3, 12, dtype=torch.float64)
    scheme = Scheme("weno5", flux="hllc", courant=0.4, states={"gas": (1.0, 0.1, 2.5)})
    options = {"scheme": scheme, "boundary": [("inflow gas", "wall free_slip")]}
    expected = finite_volume(pde, grid, 0.05, **options)(u)
    with pretend() as device:
        assert same(finite_volume(pde, grid, 0.05, device=device, **options)(u.to(device)), expected)


def test_lyapunov_exponents_run_there():
    grid = Grid((32,), (22.0,))
    u = torch.randn(1, 1, 32, dtype=torch.float64)
    options = {"n_steps": 20, "copies": Copies(2, every=2)}
    draw = torch.Generator().manual_seed
    expected = lyapunov_exponents(etdrk(KuramotoSivashinsky(), grid, 0.25), u, 0.25, generator=draw(0), **options)
    with pretend() as device:
        step = etdrk(KuramotoSivashinsky(), grid, 0.25, device=device)
        found = lyapunov_exponents(step, u.to(device), 0.25, generator=draw(0), **options)
    torch.testing.assert_close(found.exponents.cpu(), expected.exponents, rtol=1e-8, atol=1e-10)


# Measures and evaluation

BOXES = {
    "periodic": Grid((8, 6), (1.0, 2.0)),
    "cells": Grid((8, 6), (1.0, 2.0), layout=("cells", "cells")),
    "nodes": Grid((8, 6), (1.0, 2.0), layout=("nodes", "periodic")),
    "without space": Grid((), ()),
}


@pytest.mark.parametrize("box", list(BOXES))
@pytest.mark.parametrize("measure", catalogue.CATALOGUE, ids=lambda measure: measure.name)
def test_measures_are_taken_there(measure, box):
    problem = Problem(BOXES[box], (Field("u"), Field("v")), dt=1.0, n_frames=3)
    if not measure.suits(problem, masked=False):
        return
    reference = torch.randn(2, 3, 2, *problem.grid.shape, dtype=torch.float64)
    u = reference + 0.1 * torch.randn_like(reference)
    expected = measure.function(u, reference, problem)
    with pretend() as device:
        assert same(measure.function(u.to(device), reference.to(device), problem), expected)


def test_an_evaluation_runs_there(tmp_path):
    def models():
        return {"noisy": Shift(PROBLEM, noise=0.1), "growing": Shift(PROBLEM, growth=0.1)}

    options = {"horizon": 6, "members": 3, "progress": False, "batch_size": 2}
    with evaluate(models(), Waves(), tmp_path / "cpu", **options) as scores:
        expected = scores.load()
    with pretend() as device:
        there = {name: model.to(device) for name, model in models().items()}
        with evaluate(there, Waves(), tmp_path / "there", device=device, **options) as scores:
            found = scores.load()
    timed = {name for name in expected.data_vars if "seconds" in name or "memory" in name}
    for name in set(expected.data_vars) - timed:
        if expected[name].dtype.kind == "f":
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert expected.nrmse.sel(member=0).notnull().all()


# Cases, which are solved on the CPU whatever the device of the others

CASES = {"elder": (16, 8)} | dict.fromkeys(
    ("darcy", "acoustic_structure", "e_flow", "te_heat", "mhd", "ns_heat"), (9, 9)
)

SMALLER = {"elder": {"n_frames": 2}, "mhd": {"cells": 12, "order": 3}, "ns_heat": {"size": 0.2, "order": 3}}


@pytest.mark.parametrize("name", ["darcy", *(pytest.param(n, marks=pytest.mark.slow) for n in CASES if n != "darcy")])
def test_a_case_is_a_baseline_there_and_its_regions_are_scored(name):
    register_training()
    config, _ = composed("train", ["model=mean", f"data={name}"])
    recipe = recipe_from(config["data"])
    case = dataclasses.replace(recipe.case, **SMALLER.get(name, {}))
    recipe = dataclasses.replace(recipe, case=case, grid=recipe.grid.resized(CASES[name]))
    problem, draw = recipe.problem("test"), functools.partial(recipe.draw, "test")
    solver = SimulatorBaseline(problem, recipe.simulator, Refinement(0.5), draw)
    batch = recipe.simulate("test", [0])
    given, t = batch.frames(slice(0, solver.window[0])), batch.t[:, solver.window[0] :]
    with pytest.raises(ValueError, match="expected device=cpu for samples that a case solves"):
        next(recipe.simulator.march([draw(0)], recipe.grid, device="cuda"))
    expected, judged = solver.forecast(given, t)[0], has_regions(problem)
    mask, coeffs = mask_of(batch), batch.coeffs
    scored = rmse_by_place(expected[:, 0], batch.u[:, -1], problem, coeffs, mask) if judged else None
    known = torch.cat([given.u[0], expected[0]]).double()  # solved once
    solver._sample = functools.partial(lambda known, number: known, known)
    with pretend() as device:
        found = copy.deepcopy(solver).to(device).forecast(moved(given, device), t.to(device))
        assert same(found[0], expected)
        if judged:
            other = moved(batch, device)
            there = rmse_by_place(found[0, :, 0], other.u[:, -1], problem, other.coeffs, mask_of(other))
            assert same(there.nan_to_num(0.0), scored.nan_to_num(0.0))


# Training


@pytest.mark.parametrize("method", [OneStep, PDERefiner])
def test_the_engine_trains_there(method, tmp_path, monkeypatch):
    """Forward, backward, optimiser, running average, validation and checkpoints: the weights of a CPU."""

    def trained(folder, **there):
        data = waves()
        torch.manual_seed(0)
        model = method(data.problem, PointwiseNet)
        data.set_window(*model.window)
        model.calibrate(data.calibration_batches())
        seen, loss = [], model.loss
        model.loss = lambda batch: seen.append(type(batch.u)) or loss(batch)
        monkeypatch.setattr(engine, "Trainer", lambda **known: Trainer(**known | there))
        settings = dataclasses.replace(SETTINGS, steps=6, validate_every=3, checkpoint_every=3)
        engine.train_stages(model, data, settings, Engine(), folder, seed=3, progress=False)
        return model, set(seen)

    with pretend() as device:
        found, kinds = trained(tmp_path / "there", **pretend_engine.options(device))
        assert kinds == {PretendTensor}
        weights = {name: value.detach().cpu() for name, value in found.named_parameters()}
    expected, kinds = trained(tmp_path / "here")
    assert kinds == {torch.Tensor}
    for name, value in expected.named_parameters():
        torch.testing.assert_close(weights[name], value.detach(), rtol=1e-5, atol=1e-6)
