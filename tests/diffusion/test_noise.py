"""Noise draws: variance one at each point, the spectrum asked for, and the moments of PFGM++."""

import pytest
import torch

from pdekit.diffusion.noise import poisson_flow, random_field, white


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(4000, 1, 16), (500, 2, 8, 8)])
def test_a_random_field_has_unit_variance_and_its_spectrum(shape):
    noise = random_field(3.0, 0.5)(shape, generator())
    assert noise.shape == shape and noise.dtype == torch.float64
    assert noise.var().item() == pytest.approx(1.0, rel=0.05)
    axes = tuple(range(2, len(shape)))
    power = torch.fft.fftn(noise, dim=axes, norm="ortho").abs().square().mean((0, 1))
    along = power[(slice(0, 4), *(0,) * (len(shape) - 3))]
    k = torch.arange(4, dtype=torch.float64)
    torch.testing.assert_close(along / along[0], (1 + 0.25 * k**2) ** -1.5, rtol=0.15, atol=0)


def test_white_noise_is_a_random_field_without_correlation():
    found = random_field(0.0, 1.0)((2, 1, 8), generator())
    torch.testing.assert_close(found, white((2, 1, 8), generator()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("extra", [8, 128])
def test_the_second_moment_of_poisson_flow_noise(extra):
    """E|e|^2 = N D / (D - 2)."""
    n = 40_000
    square = poisson_flow(extra)((n, 2, 5), generator()).square().sum((1, 2))
    expected, error = 10 * extra / (extra - 2), square.std().item() / n**0.5
    assert square.mean().item() == pytest.approx(expected, abs=5 * error)
    # heavy tails: |e|^2 / N is F-distributed with N and D degrees of freedom
    variance = 2 * extra**2 * (10 + extra - 2) / (10 * (extra - 2) ** 2 * (extra - 4)) * 100
    assert square.var().item() == pytest.approx(variance, rel=0.3 if extra == 8 else 0.05)


def test_poisson_flow_noise_has_no_direction():
    noise = poisson_flow(16)((20_000, 1, 3), generator())
    unit = noise / noise.norm(dim=2, keepdim=True)
    torch.testing.assert_close(unit.mean(0), torch.zeros(1, 3, dtype=torch.float64), atol=0.02, rtol=0)
    covariance = torch.einsum("nci,ncj->ij", unit, unit) / len(unit)
    torch.testing.assert_close(covariance, torch.eye(3, dtype=torch.float64) / 3, atol=0.01, rtol=0)


def test_too_few_extra_dimensions_are_refused():
    with pytest.raises(ValueError, match="expected at least 3 extra dimensions"):
        poisson_flow(2)
