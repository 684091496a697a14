"""Refinement by a prior: the closed form of Gaussian modes, what is known stays, and forecasts in windows."""

import dataclasses

import pytest
import torch

from pdekit.diffusion.closed_forms import GaussianModes
from pdekit.diffusion.refine import refine
from pdekit.fields import Field, Grid
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.models.masking import Masking
from pdekit.models.refined import Refined
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem

VARIANCE = torch.tensor([1e4, 1.0, 1e-2, 1e-6]).double()
BASE = torch.tensor([[3.0, -1.0, 0.5, 0.2]]).double()


def noise(i):
    return torch.randn(1, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(i))


@pytest.mark.parametrize("weight", [0.3, 2.0])
def test_gaussian_modes_end_at_their_closed_form(weight):
    k = 0.1
    found = refine(GaussianModes(VARIANCE), BASE, k, weight, noise, steps=200)
    expected = BASE / (1 + (k**2 / (VARIANCE + k**2)).square() / weight)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_what_is_known_stays():
    free = torch.tensor([1.0, 1.0, 0.0, 1.0]).double()
    found = refine(GaussianModes(VARIANCE), BASE, 0.1, 1.0, noise, free)
    assert torch.equal(found[0, 2], BASE[0, 2]) and not torch.equal(found[0, 3], BASE[0, 3])


@pytest.mark.parametrize("n_frames", [2, 3])
def test_a_forecast_is_refined_in_windows(n_frames):
    """A prior of independent unit values shrinks each frame after the first by the closed form; path=diffusion has
    D = y / (1 + k^2) for a net that returns zero."""
    problem = make_problem()
    batch = make_batch(problem)
    masking = Masking(amortised=False)
    prior = DiffusionPDE(problem, PointwiseNet, n_frames=n_frames, masking=masking, path="diffusion").double()
    prior.calibrate([batch])
    prior.net = FunctionNet(lambda u, condition: torch.zeros_like(u[:, : prior.n_joint]))
    model = Refined(Persistence(problem), prior, level=0.5, weight=0.4, steps=100)
    given, t = batch.frames(slice(0, 1)), batch.t[:, 1:]
    rough, found = (one.forecast(given, t) for one in (model.model, model))
    mean, scale = (part.reshape(-1, 1) for part in (prior.normaliser.mean, prior.normaliser.scale))
    expected = mean + scale * ((rough - mean) / scale) / (1 + (0.25 / 1.25) ** 2 / 0.4)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert torch.equal(model.forecast(given, t), found), "a function of the frames given"


def test_what_a_forecast_is_outside_a_mask_does_not_matter():
    problem = make_problem(has_mask=True)
    batch = make_batch(problem)
    prior = DiffusionPDE(problem, PointwiseNet, masking=Masking(amortised=False)).double()
    prior.calibrate([batch])
    prior.net = FunctionNet(lambda u, condition: u[:, :4].mean(-1, keepdim=True).expand(-1, -1, 8))
    there = batch.mask[:, None] > 0
    t, found = batch.t[:, 1:], []
    for outside in (0.0, 1e3, torch.nan):
        given = dataclasses.replace(batch, u=torch.where(there, batch.u, outside)).frames(slice(0, 1))
        found.append(Refined(Persistence(problem), prior, steps=2).forecast(given, t)[0])
    inside = there.expand_as(found[0])
    assert torch.equal(found[0][inside], found[1][inside]) and torch.equal(found[0][inside], found[2][inside])


def test_what_does_not_fit_is_refused():
    problem = make_problem()
    prior, batch = DiffusionPDE(problem, PointwiseNet), make_batch(problem)
    with pytest.raises(ValueError, match="expected a prior of the problem of the surrogate"):
        Refined(Persistence(dataclasses.replace(problem, grid=Grid((4,), (1.0,)))), prior)
    for other in ({"params": ("nu",)}, {"has_mask": True}, {"forcing": (Field("f"),)}):
        with pytest.raises(ValueError, match=f"a prior of the problem .* with another {next(iter(other))}; train it"):
            Refined(Persistence(dataclasses.replace(problem, **other)), prior)
    with pytest.raises(ValueError, match="expected level > 0"):
        Refined(Persistence(problem), prior, level=0.0)
    with pytest.raises(ValueError, match="expected a model of model=diffusion_pde as the prior, got Persistence"):
        Refined(Persistence(problem), Persistence(problem))
    model = Refined(Persistence(problem), prior)
    with pytest.raises(ValueError, match="expected the times of the next frames"):
        model.forecast(batch.frames(slice(0, 1)), batch.t[:, 2:4])
