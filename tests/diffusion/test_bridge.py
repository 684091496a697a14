"""The bridge from a known state: exact samples of a Gaussian, exact marginals, few times."""

import pytest
import torch

from pdekit.diffusion.bridge import bridge, bridge_shares, bridge_times


def draws(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return lambda i: torch.randn(n, dtype=torch.float64, generator=generator)


def gaussian(mean, variance, times):
    """D of x ~ N(mean, variance)."""
    signal, sigma = bridge_shares(times)

    def denoise(z, i):
        gain = signal[i] * variance / (signal[i] ** 2 * variance + sigma[i] ** 2)
        return mean + gain * (z - signal[i] * mean)

    return denoise


def test_samples_of_a_gaussian_have_its_mean_and_deviation():
    """The state 1.3 and the next one 0.8 x 1.3 + 0.6 e: a change of mean -0.26 and deviation 0.6."""
    times, zero = bridge_times(200, 1e-3), torch.zeros(20_000, dtype=torch.float64)
    sample = bridge(gaussian(-0.26, 0.36, times), zero, times, draws(len(zero)))
    assert sample.mean().item() == pytest.approx(-0.26, abs=0.02)  # five standard errors
    assert sample.std().item() == pytest.approx(0.6, rel=0.03)


def test_the_error_falls_with_the_number_of_times():
    """The figures of `InterpolantBridge`."""
    for n, expected in ((8, 0.66), (16, 0.81), (64, 0.95)):
        times, zero = bridge_times(n, 0.01), torch.zeros(40_000, dtype=torch.float64)
        found = bridge(gaussian(0.0, 1.0, times), zero, times, draws(len(zero))).std().item()
        assert found == pytest.approx(expected, abs=0.015)


def test_a_known_change_is_exact_and_the_state_has_its_marginals():
    """With D = x the process is the interpolant itself: z_s has mean s^2 x and deviation (1 - s) sqrt(s)."""
    times, seen = bridge_times(4, 0.05), {}

    def denoise(z, i):
        seen[i] = z
        return torch.full_like(z, 2.0)

    zero = torch.zeros(40_000, dtype=torch.float64)
    assert torch.equal(bridge(denoise, zero, times, draws(len(zero))), torch.full_like(zero, 2.0))
    signal, sigma = bridge_shares(times)
    assert torch.equal(seen[0], zero)
    for i in (1, 2, 3):
        assert seen[i].mean().item() == pytest.approx(2 * float(signal[i]), abs=5 * float(sigma[i]) / 200)
        assert seen[i].std().item() == pytest.approx(float(sigma[i]), rel=0.02)


def test_one_time_is_a_regression_and_impossible_times_are_refused():
    assert bridge_times(1, 0.1).tolist() == [0.0]
    for n, last in ((0, 0.1), (3, 0.0), (3, 1.0)):
        with pytest.raises(ValueError, match="expected n >= 1 times"):
            bridge_times(n, last)
