"""The linear denoiser that is given known values: the Gaussian conditional by dense matrices, and the net on it."""

import pytest
import torch

from pdekit.fields import Field, Grid
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.models.linear_posterior import KNOWN_ERROR, KnownValues
from pdekit.models.masking import Masking
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem
from tests.models.test_linear_prior import N, calibrated, samples

MASK = torch.zeros(2, N).double()
MASK[0, ::5] = 1
TRUE = samples(3)
KNOWN = KnownValues(MASK * TRUE, MASK.expand(3, 2, N))


def kriged(mean, covariance, values, rows, noise):
    """E[x | rows of x with independent errors], by dense matrices."""
    system = rows @ covariance @ rows.T + torch.diag(noise**2)
    return mean + (values - rows @ mean) @ torch.linalg.solve(system, rows @ covariance)


def test_in_strong_noise_it_is_kriging_with_the_covariance_of_the_samples():
    x = samples(300)
    rows = torch.eye(2 * N).double()[MASK.flatten() > 0]
    values, noise = TRUE.flatten(1) @ rows.T, torch.full((len(rows),), KNOWN_ERROR).double()
    expected = torch.stack([kriged(x.flatten(1).mean(0), torch.cov(x.flatten(1).T), v, rows, noise) for v in values])
    found = calibrated(x)(samples(3) + 5, torch.full((3,), 1e7).double(), KNOWN)
    torch.testing.assert_close(found.flatten(1), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("k", [20.0, 1.0, 0.05])
def test_known_and_noisy_values_are_two_observations(k):
    prior = calibrated(samples(4000, noise=0.3), n_modes=4)
    modes, rest = prior.modes.flatten(1), prior.rest.repeat_interleave(N)
    covariance = modes.T @ torch.diag(prior.variance - modes.square() @ rest) @ modes + torch.diag(rest)
    y = TRUE + k * torch.randn(3, 2, N, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    eye = torch.eye(2 * N).double()
    rows = torch.cat((eye, eye[MASK.flatten() > 0]))
    noise = torch.cat((torch.full((2 * N,), k), torch.full((len(rows) - 2 * N,), KNOWN_ERROR))).double()
    both = torch.cat((y.flatten(1), TRUE.flatten(1)[:, MASK.flatten() > 0]), 1)
    expected = torch.stack([kriged(prior.mean.flatten(), covariance, z, rows, noise) for z in both])
    found = prior(y, torch.full((3,), k).double(), KNOWN)
    torch.testing.assert_close(found.flatten(1), expected, rtol=0, atol=1e-9)


def test_with_nothing_known_it_is_the_linear_denoiser():
    prior, level = calibrated(samples(300)), torch.full((3,), 0.5).double()
    nothing = KnownValues(torch.zeros_like(TRUE), torch.zeros_like(TRUE))
    torch.testing.assert_close(prior(TRUE, level, nothing), prior(TRUE, level), rtol=0, atol=1e-7)


def test_a_net_that_returns_nothing_samples_the_known_values():
    """Before training a sample agrees with what is known, which that of path=linear does not."""
    problem = make_problem(n_frames=1, dt=None, coeffs=(Field("c"),), grid=Grid((4, 4), (1, 1)))
    batch = make_batch(problem)
    errors = {}
    for path in ("linear", "kriging"):
        torch.manual_seed(0)
        model = DiffusionPDE(problem, PointwiseNet, path=path).double()
        model.calibrate([batch])
        model.net = FunctionNet(lambda u, condition: torch.zeros_like(u[:, :3]))
        known = torch.zeros(len(batch), 3, 4, 4).double()
        known[:, 1, ::2, ::2] = 1
        values = (model.joint(batch) - model.mean) / model.scale
        found = model.sample(batch, values, known, lambda like, call: torch.randn_like(like))
        errors[path] = ((found - values) * known).abs().max().item()
    assert errors["kriging"] < 0.1 < errors["linear"]


def test_it_needs_the_masks_of_the_amortised_net():
    with pytest.raises(ValueError, match=r"expected masking.amortised=true with path=kriging"):
        DiffusionPDE(make_problem(), PointwiseNet, path="kriging", masking=Masking(amortised=False))
