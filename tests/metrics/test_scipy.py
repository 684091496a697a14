"""Patterns and spectra next to scipy (time series and distributions: test_series.py and test_attractors.py)."""

import pytest
import torch
from scipy import signal, stats

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.correlation import correlation
from pdekit.metrics.pointwise import vrmse
from pdekit.metrics.spectra import energy_spectrum


def fields(*shape, channels=2):
    problem = Problem(Grid(shape, (1.0,) * len(shape)), tuple(Field(f"u{i}") for i in range(channels)), 1.0, 3)
    u, reference = torch.randn(2, 3, 2, channels, *shape, dtype=torch.float64)
    return problem, u + 0.5 * reference + 7, reference


@pytest.mark.parametrize("shape", [(16,), (9, 8), (4, 5, 6)])
def test_correlation_is_pearsons(shape):
    problem, u, reference = fields(*shape)
    found = correlation(u[None], reference, problem)[0]
    expected = stats.pearsonr(u.flatten(3).numpy(), reference.flatten(3).numpy(), axis=-1).statistic
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=0, atol=1e-12)


def test_the_error_that_a_regression_leaves_is_what_correlation_misses():
    """r^2 is the share of the variance that the best line through (u, reference) explains."""
    problem, u, reference = fields(40, channels=1)
    line = stats.linregress(u[0, 0, 0].numpy(), reference[0, 0, 0].numpy())
    fitted = line.intercept + line.slope * u
    left = float(vrmse(fitted[None], reference, problem)[0, 0, 0, 0])
    assert left**2 == pytest.approx(1 - float(correlation(u[None], reference, problem)[0, 0, 0, 0]) ** 2, rel=1e-10)


@pytest.mark.parametrize("n", [16, 17])
def test_the_spectrum_of_a_line_is_half_the_periodogram(n):
    problem, u, _ = fields(n)
    _, power = signal.periodogram(u.numpy(), detrend=False, scaling="spectrum")
    # scipy doubles all modes but the mean and the one at the end of an even grid, as we do; ours is 1/2 |u_hat|^2
    torch.testing.assert_close(energy_spectrum(u, None, problem), torch.from_numpy(power) / 2)
