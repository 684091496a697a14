"""Residual diffusion: the size of the residual, exact members for a Gaussian residual, and what is trained."""

from functools import partial

import pytest
import torch

from pdekit.diffusion.levels import LogLevels
from pdekit.fields import Field, Grid
from pdekit.models.one_step import OneStep
from pdekit.models.pde_refiner import PDERefiner
from pdekit.models.residual_diffusion import ResidualDiffusion
from pdekit.settings import Training
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem

BASE = partial(OneStep, net=PointwiseNet, target="state")


@pytest.fixture(scope="module")
def gaussian():
    """The next frame is the last one and noise of deviation 0.3; the base repeats the last frame."""
    problem = make_problem(grid=Grid((64,), (1.0,)), fields=(Field("u"),), n_frames=2)
    batch = make_batch(problem, n=40)
    batch.u[:, 1] = batch.u[:, 0] + 0.3 * (batch.u[:, 1] - 3) / 2
    model = ResidualDiffusion(problem, BASE, PointwiseNet, LogLevels(40, 0.02, 20.0)).double()
    model.base.net = FunctionNet(lambda u, condition: u[:, :1])
    model.base.calibrate([batch])
    model.calibrate([batch])
    return model, batch


def test_the_size_of_the_residual_is_measured(gaussian):
    model, batch = gaussian
    exact = (batch.u[:, 1] - batch.u[:, 0]).square().mean().sqrt() / model.normaliser.scale
    torch.testing.assert_close(model.residual_scale, exact.to(model.residual_scale))


def test_members_of_a_gaussian_residual_have_its_mean_and_spread(gaussian):
    """For unit-variance data the right output of the net is 0, at every level."""
    model, batch = gaussian
    model.net = FunctionNet(lambda u, condition: 0 * u[:, :1])
    given = batch.frames(slice(0, 1)).samples(slice(0, 2))
    members = model.forecast(given, batch.t[:2, 1:], members=200, generator=torch.Generator().manual_seed(0))
    residual = members[:, :, 0, 0] - given.u[:, 0, 0]
    assert residual.mean().item() == pytest.approx(0.0, abs=0.01)  # five standard errors
    assert residual.std().item() == pytest.approx(0.3, rel=0.03)


def test_a_perfect_output_has_no_loss(gaussian):
    """The net reads the residual off its channels: r is the second, the state to forecast is known."""
    model, batch = gaussian
    inside = model.normalised(batch).u
    clean = (inside[:, 1] - inside[:, 0]) / model.scale(inside[:, 0])

    def perfect(u, condition):
        k = model.levels.k_min * (model.levels.k_max / model.levels.k_min) ** condition[:, 0].reshape(-1, 1, 1)
        signal, sigma = model.path.signal(k), model.path.sigma(k)
        assert torch.equal(u[:, 1:2], inside[:, 0])
        return model.parametrisation.output(clean, (u[:, :1] - signal * clean) / sigma, signal, sigma)

    model.net = FunctionNet(perfect)
    assert model.loss(batch)[0].item() < 1e-20


def test_the_base_rests_and_counts_as_a_call(problem, batch):
    model = ResidualDiffusion(problem, BASE, PointwiseNet)
    model.base.calibrate([batch])
    model.calibrate([batch])
    model.loss(batch)[0].backward()
    trained = model.stages(Training())[0].trained(model)
    assert {id(p) for p in trained} == {id(p) for p in model.net.parameters()}
    assert all(p.grad is None for p in model.base.parameters())
    assert torch.equal(model.normaliser.mean, model.base.normaliser.mean) and model.calls_per_step == 5


def test_a_stochastic_base_is_refused(problem):
    with pytest.raises(ValueError, match=r"expected a deterministic stepper as the base, got PDERefiner"):
        ResidualDiffusion(problem, partial(PDERefiner, net=PointwiseNet), PointwiseNet)
