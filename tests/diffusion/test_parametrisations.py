"""Parametrisations: exact in both directions, on every path and at levels from 1e-6 to 1e3."""

import pytest
import torch

from pdekit.diffusion.denoiser import NetDenoiser
from pdekit.diffusion.parametrisations import CLEAN, EPSILON, VELOCITY, V, edm
from pdekit.diffusion.paths import CosinePath, ExplodingPath, FlowPath, LinearPath

KINDS = {"epsilon": EPSILON, "clean": CLEAN, "v": V, "velocity": VELOCITY, "edm": edm(), "edm of 0.5": edm(0.5)}
PATHS = {"linear": LinearPath(), "cosine": CosinePath(), "exploding": ExplodingPath(), "flow": FlowPath()}
LEVELS = torch.logspace(-3, 2, 11, dtype=torch.float64)[:, None]


def pair(n=11):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, n, 16, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_output_gives_back_data_and_noise(kind, path):
    clean, noise = pair()
    signal, sigma = PATHS[path].signal(LEVELS), PATHS[path].sigma(LEVELS)
    z = signal * clean + sigma * noise
    output = KINDS[kind].output(clean, noise, signal, sigma)
    # y = x + k e fixes x to rounding times k, and e to rounding over k
    of_data, of_noise = 1 / (1 + LEVELS), LEVELS / (1 + LEVELS)
    found = KINDS[kind].clean(output, z, signal, sigma)
    torch.testing.assert_close(of_data * found, of_data * clean, rtol=0, atol=1e-12)
    found = KINDS[kind].noise(output, z, signal, sigma)
    torch.testing.assert_close(of_noise * found, of_noise * noise, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_output_comes_back_from_data_and_noise(kind):
    """output -> (x, e) -> output."""
    output, z = pair()
    signal, sigma = FlowPath().signal(LEVELS), FlowPath().sigma(LEVELS)
    clean, noise = (part(output, z, signal, sigma) for part in (KINDS[kind].clean, KINDS[kind].noise))
    torch.testing.assert_close(KINDS[kind].output(clean, noise, signal, sigma), output, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(signal * clean + sigma * noise, z, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gain_is_the_derivative_of_the_denoised_data(kind):
    output, z = pair()
    signal, sigma = LinearPath().signal(LEVELS), LinearPath().sigma(LEVELS)
    moved = KINDS[kind].clean(output + 1, z, signal, sigma) - KINDS[kind].clean(output, z, signal, sigma)
    expected = KINDS[kind].gain(signal, sigma).expand_as(moved)
    torch.testing.assert_close(moved.abs(), expected, rtol=1e-10, atol=1e-12)


def test_formulas_of_the_papers():
    """v = signal e - sigma x; the velocity is dz/dt = e - x; EDM's skip and output coefficients (table 1)."""
    clean, noise = pair()
    signal, sigma = LinearPath().signal(LEVELS), LinearPath().sigma(LEVELS)
    torch.testing.assert_close(V.output(clean, noise, signal, sigma), signal * noise - sigma * clean)
    torch.testing.assert_close(VELOCITY.output(clean, noise, signal, sigma), noise - clean)
    s, k, y = 0.5, LEVELS, clean + LEVELS * noise
    skip, out = s**2 / (s**2 + k**2), s * k / (s**2 + k**2).sqrt()
    expected = (clean - skip * y) / out
    torch.testing.assert_close(edm(s).output(clean, noise, signal, sigma), expected, rtol=1e-9, atol=1e-9)


def test_the_target_of_edm_has_unit_variance_at_every_level():
    clean, noise = pair(1)
    clean = torch.randn(1, 200_000, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 0.5
    noise = torch.randn(1, 200_000, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    signal, sigma = FlowPath().signal(LEVELS), FlowPath().sigma(LEVELS)
    found = edm(0.5).output(clean, noise, signal, sigma).var(1)
    torch.testing.assert_close(found, torch.ones_like(found), rtol=0.02, atol=0)  # 1/sqrt(n) is 0.002


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_scale_that_is_not_positive_is_refused(scale):
    with pytest.raises(ValueError, match="expected scale > 0"):
        edm(scale)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_wrapped_perfect_net_is_the_denoiser(kind, path):
    """A net that knows x returns D = x and e = (y - x) / k."""
    clean, noise = pair(3)
    for k in (0.01, 1.0, 20.0):
        level = torch.tensor(k, dtype=torch.float64)
        signal, sigma = PATHS[path].signal(level), PATHS[path].sigma(level)

        def net(z, at, signal=signal, sigma=sigma):
            return KINDS[kind].output(clean, (z - signal * clean) / sigma, signal, sigma)

        denoiser = NetDenoiser(net, PATHS[path], KINDS[kind])
        y = clean + k * noise
        torch.testing.assert_close(denoiser(y, k), clean, rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(denoiser.noise(y, k), noise, rtol=1e-11, atol=1e-11)
