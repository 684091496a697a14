"""Training on incomplete fields: what was not measured enters neither net nor loss, and the covariance is right."""

import dataclasses
import math

import pytest
import torch

from pdekit.fields import Field, Grid
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.models.linear_prior import LARGEST_PAIRS, LinearPrior
from pdekit.models.masking import Masking
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem

N = 12
STEADY = {"n_frames": 1, "dt": None, "coeffs": (Field("c"),), "fields": (Field("a"),), "has_mask": True}
INCOMPLETE = Masking(observed_only=True)


def smooth(n: int) -> torch.Tensor:
    """Gaussian samples "sample channel x" of two channels that are combinations of the same three waves."""
    generator = torch.Generator().manual_seed(0)
    x = 2 * math.pi * torch.arange(N, dtype=torch.float64) / N
    waves = torch.stack((torch.ones_like(x), torch.cos(x), torch.sin(x), torch.cos(2 * x)))
    mixing = torch.randn(2, 4, 4, dtype=torch.float64, generator=generator)
    return torch.einsum("nk,ckl,lx->ncx", torch.randn(n, 4, dtype=torch.float64, generator=generator), mixing, waves)


def incomplete(n: int, share: float = 0.5):
    """Steady samples whose field is measured at random points, and NaN elsewhere in the coefficient."""
    problem = make_problem(**STEADY, grid=Grid((N,), (1.0,)))
    generator = torch.Generator().manual_seed(1)
    mask = (torch.rand(n, 1, N, dtype=torch.float64, generator=generator) < share).double()
    missing = (torch.rand(n, 1, N, dtype=torch.float64, generator=generator) > share) & (mask == 0)
    x = smooth(n)
    coeffs = torch.where(missing, math.nan, x[:, :1])
    return problem, dataclasses.replace(make_batch(problem, n), u=x[:, None, 1:], coeffs=coeffs, mask=mask)


def changed(batch):
    """The same samples with other values where nothing was measured."""
    there = batch.mask[:, None] > 0
    coeffs = torch.where(torch.isfinite(batch.coeffs), batch.coeffs, math.inf)
    return dataclasses.replace(batch, u=torch.where(there, batch.u, 1e6), coeffs=coeffs)


@pytest.mark.parametrize("path", ["flow", "linear", "kriging"])
def test_what_was_not_measured_never_enters_the_loss(path):
    problem, batch = incomplete(16)
    found = []
    for data in (batch, changed(batch)):
        torch.manual_seed(0)
        model = DiffusionPDE(problem, PointwiseNet, path=path, masking=INCOMPLETE).double()
        model.calibrate([data])
        torch.manual_seed(0)
        loss = model.loss(data)[0]
        loss.backward()
        found.append((model.net.calls[-1][0], loss, model.net.mix.weight.grad))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other) and torch.isfinite(one).all()
    measured, n = model.measured(batch), model.n_joint
    seen = found[0][0]
    assert torch.equal(seen[:, -n:], measured) and not seen[:, :n][measured == 0].any()
    known = seen[:, -2 * n : -n]
    assert not known[measured == 0].any()
    # the loss is the mean over what was measured and is not known
    model.random_known = lambda clean: known
    model.net = FunctionNet(lambda u, condition: torch.where((measured > 0) & (known == 0), 0.0, 1e6).to(u))
    assert model.loss(batch)[0].item() < 1e3


def test_samples_are_complete_whatever_the_mask():
    problem, batch = incomplete(4)
    model = DiffusionPDE(problem, PointwiseNet, masking=INCOMPLETE).double()
    model.calibrate([batch])
    model.net.calls.clear()
    given = dataclasses.replace(batch, u=batch.u[:, :0], t=batch.t[:, :0], coeffs=torch.ones_like(batch.coeffs))
    one = model.forecast(given, batch.t, 1, torch.Generator().manual_seed(0))
    assert (model.net.calls[0][0][:, -2:] == 1).all()
    whole = dataclasses.replace(given, mask=torch.ones_like(batch.mask))
    assert torch.equal(one, model.forecast(whole, batch.t, 1, torch.Generator().manual_seed(0)))


def test_the_covariance_of_incomplete_samples_is_that_of_the_field():
    """Half of the values are missing at random. The covariance is found to a few per cent."""
    x = smooth(4000)
    measured = (torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) < 0.5).double()
    prior = LinearPrior(2, (N,), 8).double()
    prior.calibrate_on_pairs(torch.where(measured > 0, x, math.nan), measured)
    found = prior.modes.flatten(1).T @ torch.diag(prior.variance) @ prior.modes.flatten(1)
    exact = torch.cov(x.flatten(1).T)
    assert (found - exact).norm() < 0.06 * exact.norm()
    complete, ones = LinearPrior(2, (N,), 24).double(), torch.ones_like(x)
    complete.calibrate_on_pairs(x, ones)
    same = LinearPrior(2, (N,), 24).double()
    same.calibrate(x)
    level = torch.full((8,), 0.5).double()
    torch.testing.assert_close(complete(x[:8], level), same(x[:8], level), rtol=0, atol=1e-6)


def test_kriging_from_incomplete_samples_completes_a_field():
    """Four waves in 24 numbers: six known values fix a sample, as do all but a few per cent of its covariance."""
    problem, batch = incomplete(4000)
    torch.manual_seed(0)
    model = DiffusionPDE(problem, PointwiseNet, path="kriging", masking=INCOMPLETE).double()
    model.calibrate([batch])
    model.net = FunctionNet(lambda u, condition: torch.zeros_like(u[:, :2]))
    truth = smooth(4064)[4000:]
    inner = (truth - model.mean) / model.scale
    known = torch.zeros_like(inner)
    known[:, :, ::2] = 1
    given = dataclasses.replace(batch.samples(slice(0, 64)), u=batch.u[:64, :1])
    found = model.sample(given, inner, known, lambda like, call: torch.randn_like(like))
    error = ((found - inner) * (1 - known)).square().mean().sqrt() / inner.square().mean().sqrt()
    assert error < 0.15


def test_it_needs_a_mask_and_few_numbers():
    with pytest.raises(ValueError, match=r"expected data with a mask .* for observed_only=true"):
        DiffusionPDE(make_problem(), PointwiseNet, masking=INCOMPLETE)
    large = LinearPrior(1, (LARGEST_PAIRS + 1,), 2)
    with pytest.raises(ValueError, match="of at most 4096 numbers"):
        large.calibrate_on_pairs(torch.ones(2, 1, LARGEST_PAIRS + 1), torch.ones(2, 1, LARGEST_PAIRS + 1))
