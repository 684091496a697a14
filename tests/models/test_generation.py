"""Settings of generation: the exact posterior of a linear Gaussian problem, guidance in closed form, refusals."""

import dataclasses
import math
from functools import partial

import pytest
import torch

from pdekit.diffusion.closed_forms import GaussianModes
from pdekit.diffusion.levels import LogLevels
from pdekit.models.autoencoder import Autoencoder
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.models.generation import FORMS, Generation
from pdekit.models.pde_refiner import PDERefiner
from pdekit.models.wdno import WDNO
from tests.models.small import PointwiseNet, make_batch, make_problem
from tests.models.test_autoencoder import Perfect

LEVELS = LogLevels(60, 1e-3, 200.0)


def net_of(generation, denoise):
    """The net whose denoiser is known: D at y = z / signal, as the output of the parametrisation."""
    path, parametrisation = FORMS[generation.path]
    levels = generation.levels

    def net(z, share):
        k = levels.k_min * torch.exp(share * math.log(levels.k_max / levels.k_min))
        signal, sigma = path.signal(k)[:, None], path.sigma(k)[:, None]
        clean = denoise(z / signal, float(k[0]))  # one level for the whole batch
        return parametrisation.output(clean, (z - signal * clean) / sigma, signal, sigma)

    return net


@pytest.mark.parametrize("path", FORMS)
def test_the_posterior_of_a_linear_gaussian_problem_is_sampled_exactly(path):
    """x ~ N(0, v), c = x + s e: x given c ~ N(v c / (v + s^2), v s^2 / (v + s^2)). Without c the prior comes out."""
    generation = Generation(path=path, levels=LEVELS)
    v, s, c = 1.0, 0.5, torch.linspace(-2, 2, 5, dtype=torch.float64)
    mean, variance = v * c / (v + s**2), torch.full_like(c, v * s**2 / (v + s**2))
    torch.manual_seed(0)
    noise = torch.randn(4000, 5, dtype=torch.float64)
    posterior = net_of(generation, GaussianModes(variance, mean))
    prior = net_of(generation, GaussianModes(torch.full_like(c, v)))
    x = generation.sample(posterior, prior, lambda call: noise)
    exact = mean + (variance / (variance + LEVELS.k_max**2)).sqrt() * (LEVELS.k_max * noise - mean)
    torch.testing.assert_close(x, exact, rtol=0, atol=0.01)
    torch.testing.assert_close(x.mean(0), mean, rtol=0, atol=0.03)
    torch.testing.assert_close(x.var(0), variance, rtol=0.08, atol=0)
    guided = Generation(path=path, levels=LEVELS, guidance=2.0).sample(posterior, prior, lambda call: noise)
    # D_u + 2 (D_c - D_u) of two Gaussians sharpens: the mean is moved further, the spread becomes smaller
    assert (guided.mean(0)[[0, 4]].abs() > mean[[0, 4]].abs()).all() and (guided.var(0) < x.var(0)).all()


@pytest.mark.parametrize("path", FORMS)
def test_the_loss_of_the_exact_net_of_a_constant_is_zero(path):
    generation = Generation(path=path)
    clean = torch.randn(6, 3, dtype=torch.float64)
    exact = net_of(generation, lambda y, k: clean)
    assert generation.loss(exact, clean).item() < 1e-16
    assert generation.loss(lambda z, level: torch.zeros_like(z), clean).item() > 0.1


def test_the_cauchy_loss_is_the_mean_square_of_small_errors_and_bounds_the_slope_of_large_ones():
    clean = torch.randn(6, 3, dtype=torch.float64)
    plain, wide, narrow = (Generation(cauchy=c) for c in (0.0, 1e4, 0.5))
    losses = []
    for generation in (plain, wide):
        torch.manual_seed(0)
        losses.append(generation.loss(lambda z, level: torch.zeros_like(z), clean))
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-6, atol=0)
    out = torch.full_like(clean, 1e3).requires_grad_()
    narrow.loss(lambda z, level: out, clean).backward()
    assert float(out.grad.abs().max()) < 0.5 * 2**0.5 / clean.numel()


def test_refusals():
    for cauchy in (-1.0, 1e-30, 1e200, float("nan")):
        with pytest.raises(ValueError, match="expected cauchy of 0, or from 1e-06 to 1e"):
            Generation(cauchy=cauchy)
    with pytest.raises(ValueError, match="expected a path among"):
        Generation(path="score")
    with pytest.raises(ValueError, match="expected dropout > 0 for guidance=2"):
        Generation(guidance=2.0, dropout=0.0)
    with pytest.raises(ValueError, match="expected 0 <= dropout < 1"):
        Generation(dropout=1.0)


METHODS = {
    "wdno": partial(WDNO, net=PointwiseNet, wavelet=None),
    "pde_refiner": partial(PDERefiner, net=PointwiseNet),
    "diffusion_pde": partial(DiffusionPDE, net=PointwiseNet, n_frames=3),
    "autoencoder": partial(Autoencoder, net=Perfect, kl=1.0),
}


class InMemory(Perfect):
    """Latent values with moments, laid out in memory like the frames."""

    def encode(self, u):
        return u.repeat(1, 1, 2, 1).movedim(1, 2)


@pytest.mark.parametrize("method", METHODS)
def test_the_noise_of_a_training_is_that_of_any_layout_in_memory(method):
    problem = make_problem()
    batch = make_batch(problem)
    model = METHODS[method](problem).double()
    if method == "autoencoder":
        model.net = InMemory()
    model.calibrate([batch])
    batch = batch.frames(slice(0, getattr(model, "n_frames", None)))
    other = dataclasses.replace(batch, u=batch.u.movedim(1, 3).contiguous().movedim(3, 1))
    losses = []
    for one in (batch, other):
        torch.manual_seed(0)
        losses.append(model.loss(one)[0])
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-9, atol=0)
