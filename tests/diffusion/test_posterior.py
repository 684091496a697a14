"""Guided denoisers on a Gaussian field, whose posterior is known in closed form."""

import pytest
import torch

from pdekit.diffusion.levels import log_levels
from pdekit.diffusion.observations import Observation, linear_map, masked, point_sensors
from pdekit.diffusion.posterior import DDS, DPS, MMPS, DiffPIR, FlowChef, PiGDM
from pdekit.diffusion.samplers.ddim import DDIM
from tests.diffusion.gaussian_field import COVARIANCE, SPECTRUM, N, denoise, draws, fields, matrix, posterior

MASK = torch.zeros(N, dtype=torch.float64)
MASK[torch.arange(3, N, 8)] = 1
SENSORS = point_sensors(torch.tensor([[3.5], [20.25], [63.5]]).double(), torch.zeros(3, dtype=int), (1, N), (True,))
OPERATORS = {
    "mask": masked(MASK),
    "sensors": SENSORS,
    "sums": linear_map(lambda x: x.unflatten(-1, (4, 16)).sum(-1), (1, N)),
}


def observed(operator, noise=0.05, seed=7):
    exact = operator.forward(fields(1, seed))
    # the error lies where something is observed
    error = torch.sign(operator.forward(torch.ones(1, 1, N, dtype=torch.float64))).abs() * draws(*exact.shape, seed=8)
    return Observation(operator, exact + noise * error, noise)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("k", [1e-2, 0.3, 20.0])
def test_mmps_is_the_posterior_denoiser_of_a_gaussian_field(name, k):
    """E[x | y, observation] with y = x + k e, at every level, by dense matrices."""
    observation, y = observed(OPERATORS[name]), (1 + k) * draws(1, 1, N, seed=3)
    after, covariance = posterior(observation, torch.zeros(N).double(), COVARIANCE)
    expected = after + covariance @ torch.linalg.solve(covariance + k**2 * torch.eye(N).double(), y.flatten() - after)
    found = MMPS(iterations=80)(denoise, observation, log_levels(3))(y, k)
    torch.testing.assert_close(found.flatten(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("guide", [MMPS(60), PiGDM(), DiffPIR()])
def test_an_observation_without_precision_changes_nothing(guide):
    observation, y = observed(OPERATORS["mask"], noise=1e9), draws(4, 1, N)
    found = guide(denoise, observation, log_levels(3))(y, 0.5)
    torch.testing.assert_close(found, denoise(y, 0.5), rtol=0, atol=1e-8)


def test_a_full_observation_is_weighted_mode_by_mode():
    """D_y = (c z + s^2 D) / (c + s^2) with c = k^2 v / (k^2 + v), the posterior variance of a mode."""
    k, noise, y = 0.7, 0.3, draws(1, 1, N)
    z = fields(1)
    c = k**2 * SPECTRUM / (k**2 + SPECTRUM)
    expected = torch.fft.ifft((c * torch.fft.fft(z) + noise**2 * torch.fft.fft(denoise(y, k))) / (c + noise**2)).real
    observation = Observation(masked(torch.ones(N)), z, noise)
    found = MMPS(80)(denoise, observation, log_levels(3))(y, k)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_the_proximal_guides_solve_their_minimisation():
    k, y, observation = 0.5, draws(2, 1, N), observed(SENSORS)
    a = matrix(SENSORS)
    for guide, weight in ((DDS(iterations=20), 5.0), (DiffPIR(2.0), k**2 / (2 * 0.05**2))):
        clean = denoise(y, k)
        system = torch.eye(N) + weight * a.T @ a
        expected = torch.linalg.solve(system, (clean[:, 0] + weight * (observation.values @ a)).T).T
        found = guide(denoise, observation, log_levels(3))(y, k)
        torch.testing.assert_close(found[:, 0], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("guide", [DPS(0.3), FlowChef(0.3)])
def test_a_shift_after_the_step_is_a_change_of_the_denoiser(guide):
    """With Euler's rule, the step is that of the prior plus the published shift of y."""
    levels, y, observation = torch.tensor([2.0, 0.5], dtype=torch.float64), draws(2, 1, N), observed(SENSORS)
    clean = denoise(y, 2.0)
    residual = observation.residual(clean)
    pull = SENSORS.adjoint(residual)
    if guide == DPS(0.3):
        pull = denoise(pull, 2.0) / residual.norm(dim=1)[:, None, None]  # J is the denoiser itself
    expected = clean + 0.25 * (y - clean) + 0.3 * pull
    guided = guide(denoise, observation, levels)
    found = guided(y, 2.0)
    torch.testing.assert_close(found + 0.25 * (y - found), expected, rtol=0, atol=1e-12)


@pytest.fixture(scope="module")
def distances():
    """Root mean square distance of mean and deviation to the closed-form posterior: 12 % observed, 64 levels."""
    observation, n = observed(OPERATORS["mask"]), 256
    mean, covariance = posterior(observation, torch.zeros(N).double(), COVARIANCE)
    levels, start = log_levels(64), 20 * draws(n, 1, N, seed=5)
    fresh = torch.Generator().manual_seed(6)
    found = {}
    for guide, eta in ((MMPS(), 1.0), (PiGDM(), 1.0), (DPS(), 0.0), (DDS(), 0.85), (DiffPIR(), 1.0), (FlowChef(), 0.0)):
        sample = DDIM(eta)(
            guide(denoise, observation, levels),
            start,
            levels,
            lambda i: torch.randn(n, 1, N, dtype=torch.float64, generator=fresh),
        )[:, 0]
        error = ((sample.mean(0) - mean).square() + (sample.std(0) - covariance.diagonal().sqrt()).square()).mean()
        found[type(guide).__name__] = float(error.sqrt())
    return found


def test_mmps_samples_the_posterior_of_a_gaussian_field(distances):
    """Mean and deviation at each point; 256 samples leave 0.02."""
    assert distances["MMPS"] < 0.06, distances


def test_the_other_guides_do_not(distances):
    """Their updates touch observed points, or forget the correlations of the prior."""
    others = {name: value for name, value in distances.items() if name != "MMPS"}
    assert min(others.values()) > 2 * distances["MMPS"], distances
