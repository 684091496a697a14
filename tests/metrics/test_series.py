"""Time series: Parseval, known frequencies and memories, oracles in scipy, and what nothing is said of."""

import math

import numpy as np
import pytest
import torch
from scipy import signal, stats

from pdekit.metrics.series import (
    autocorrelation,
    autocorrelation_time,
    frequency_spectrum,
    quantiles,
    wasserstein,
)


def noise(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n", [16, 17, 400])
def test_parseval(n):
    x = noise(3, 5, n) + 2
    window = torch.sin(math.pi * (torch.arange(n, dtype=torch.float64) + 0.5) / n) ** 2 * math.sqrt(8 / 3)
    expected = ((window * (x - x.mean(-1, keepdim=True))) ** 2).mean((-2, -1)) / 2
    torch.testing.assert_close(frequency_spectrum(x).sum(-1), expected, rtol=1e-12, atol=0)
    assert window.square().mean().item() == pytest.approx(1, rel=1e-12)


def test_the_spectrum_adds_up_to_half_the_variance_of_noise():
    x = noise(200, 64)
    assert frequency_spectrum(x).sum().item() == pytest.approx(x.var().item() / 2, rel=0.03)


def test_agrees_with_scipy():
    # a midpoint window is scipy's symmetric one with two points more, without its ends
    x, n = noise(1, 1, 100), 100
    window = np.sin(math.pi * (np.arange(n) + 0.5) / n) ** 2
    _, density = signal.periodogram(x[0, 0].numpy(), fs=1.0, window=window, detrend="constant")
    torch.testing.assert_close(frequency_spectrum(x)[0], torch.from_numpy(density / n / 2), rtol=1e-10, atol=1e-15)


def test_what_is_not_periodic_does_not_spill():
    # 5.5 periods: without a window the spectrum would fall like f^-2 only
    x = torch.cos(2 * math.pi * 5.5 * torch.arange(512, dtype=torch.float64) / 512).reshape(1, 1, -1)
    s = frequency_spectrum(x)[0]
    bare = torch.fft.rfft(x[0, 0] - x.mean(), norm="forward").abs() ** 2
    assert s[100:].max() < 1e-8 * s.max() < 1e-5 * bare.max() < bare[100:].max()


@pytest.mark.parametrize("omega", [0.02, 0.3])
def test_the_memory_of_a_wave_is_one_over_its_frequency(omega):
    x = torch.cos(omega * torch.arange(20000, dtype=torch.float64) + noise(8, 1)).unsqueeze(0)
    assert autocorrelation_time(x).item() == pytest.approx(1 / omega, rel=0.02)


def test_the_memory_of_red_noise_is_its_time_constant():
    memory, n = 20.0, 20000
    a, kicks = math.exp(-1 / memory), noise(16, n)
    x = torch.from_numpy(signal.lfilter([1], [1, -a], kicks.numpy()))[None]
    assert autocorrelation_time(x).item() == pytest.approx(memory, rel=0.15)
    rho = autocorrelation(x)[0]
    assert rho[0] == 1 and rho[20].item() == pytest.approx(math.exp(-1), abs=0.05)


def test_white_noise_forgets_within_a_step():
    assert 0.4 < autocorrelation_time(noise(1, 64, 1000)).item() < 0.7


def test_points_are_samples_of_one_process():
    x = noise(2, 6, 50)
    slow = torch.stack([
        torch.stack([(c[:, : 50 - lag] * c[:, lag:]).mean() for lag in range(50)])
        for c in x - x.mean(-1, keepdim=True)
    ])  # fmt: skip
    torch.testing.assert_close(autocorrelation(x), slow / slow[:, :1], rtol=1e-10, atol=1e-12)


def test_what_does_not_move_never_forgets():
    x = torch.stack([torch.full((4, 30), 0.1, dtype=torch.float64), noise(4, 30)])
    x[1, 2, 5] = math.nan
    assert autocorrelation_time(x).isinf().all() and autocorrelation(x)[0].isnan().all()
    assert (frequency_spectrum(x)[0].abs() < 1e-30).all() and frequency_spectrum(x)[1].isinf().all()
    assert quantiles(x, 4)[1].isinf().all() and quantiles(x, 4)[0].tolist() == [0.1] * 4


def test_quantiles_and_distances_agree_with_scipy():
    x, y = noise(2, 7, 30), noise(2, 7, 30, seed=1).exp()
    for a, b, distance, found in zip(x, y, wasserstein(x, y), quantiles(x, 5), strict=True):
        assert distance.item() == pytest.approx(stats.wasserstein_distance(a.flatten(), b.flatten()), rel=1e-12)
        shares = (np.arange(5) + 0.5) / 5
        np.testing.assert_allclose(found, np.quantile(a.numpy(), shares), rtol=1e-12)


def test_samples_of_different_size_are_refused():
    with pytest.raises(ValueError, match="equal size"):
        wasserstein(noise(2, 10), noise(2, 11))
