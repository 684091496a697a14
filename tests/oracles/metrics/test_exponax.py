"""Spectra and errors next to exponax, with what is known to differ: corners, sums over channels, centring, a cut."""

from math import pi, sqrt

import numpy as np
import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.correlation import correlation
from pdekit.metrics.pointwise import mae, nrmse, rmse, symmetric_nrmse
from pdekit.metrics.spectra import energy_spectrum, relative_h1, rmse_low, spectral_nrmse

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
ex = pytest.importorskip("exponax")

pytestmark = pytest.mark.oracle


def problem_of(n, ndim, channels=1, length=2 * pi):
    return Problem(Grid((n,) * ndim, (length,) * ndim), tuple(Field(f"u{i}") for i in range(channels)), 1.0, 2)


def theirs(u):
    return jax.numpy.asarray(u.numpy())


@pytest.mark.parametrize(("ndim", "n"), [(1, 32), (2, 24), (3, 12)])
def test_spectra_agree_inside_the_sphere_and_only_ours_keeps_the_corners(ndim, n):
    u = torch.randn(1, 1, 2, *(n,) * ndim, dtype=torch.float64)
    ours = energy_spectrum(u, None, problem_of(n, ndim, 2))[0, 0]
    expected = torch.from_numpy(np.array(ex.get_spectrum(theirs(u[0, 0]))))
    torch.testing.assert_close(ours[:, : n // 2 + 1], expected, rtol=1e-10, atol=1e-14)
    half_mean_square = u[0, 0].flatten(1).square().mean(1) / 2
    torch.testing.assert_close(ours.sum(1), half_mean_square)
    assert (expected.sum(1) < 0.999 * half_mean_square).all() if ndim > 1 else True


def test_pointwise_errors_agree_up_to_their_sum_over_channels():
    problem = problem_of(20, 2, channels=3)
    u, reference = torch.randn(2, 1, 1, 3, 20, 20, dtype=torch.float64) + 0.5
    pairs = {rmse: ex.metrics.RMSE, mae: ex.metrics.MAE, nrmse: ex.metrics.nRMSE, symmetric_nrmse: ex.metrics.sRMSE}
    for ours, other in pairs.items():
        each = [float(other(theirs(u[0, 0, c : c + 1]), theirs(reference[0, 0, c : c + 1]))) for c in range(3)]
        found = ours(u[None], reference, problem)[0, 0, 0]
        # theirs integrate over a box of unit length, ours are means: the same
        torch.testing.assert_close(found, torch.tensor(each, dtype=torch.float64), rtol=1e-12, atol=0)
        assert float(other(theirs(u[0, 0]), theirs(reference[0, 0]))) == pytest.approx(sum(each), rel=1e-12)


def test_their_correlation_is_not_centred():
    problem = problem_of(64, 1)
    u, reference = torch.randn(2, 1, 1, 1, 64, dtype=torch.float64)
    u, reference = u - u.mean(), reference - reference.mean()
    centred = float(ex.metrics.correlation(theirs(u[0, 0]), theirs(reference[0, 0])))
    assert float(correlation(u[None], reference, problem)) == pytest.approx(centred, abs=1e-12)
    warm = float(ex.metrics.correlation(theirs(u[0, 0] + 300), theirs(reference[0, 0] + 300)))
    assert warm > 0.9999 and abs(centred) < 0.5
    assert float(correlation(u[None] + 300, reference + 300, problem)) == pytest.approx(centred, abs=1e-9)


def test_their_h1_error_is_a_sum_of_two_relative_errors_and_ours_one_norm():
    problem = problem_of(48, 1)
    x = problem.grid.coordinates(0)
    reference, error = torch.sin(2 * x) + 0.3 * torch.cos(5 * x), 0.01 * torch.cos(7 * x)
    both = (theirs((reference + error)[None]), theirs(reference[None]))
    value = float(ex.metrics.nRMSE(*both))
    gradient = 0.07 / sqrt(4 + 2.25)
    assert float(ex.metrics.H1_nRMSE(*both, domain_extent=2 * pi)) == pytest.approx(value + gradient, rel=1e-10)
    norms = [0.01**2 * (1 + 49), (1 + 4) + 0.3**2 * (1 + 25)]
    ours = float(relative_h1((reference + error)[None, None, None, None], reference[None, None, None], problem))
    assert ours == pytest.approx(sqrt(norms[0] / norms[1]), rel=1e-12)
    assert value < ours < gradient


def test_bands_agree_and_only_ours_sees_an_error_below_their_cut():
    problem = problem_of(64, 1, length=2 * pi)
    u, reference = torch.randn(2, 1, 1, 1, 64, dtype=torch.float64)
    both = (theirs(u[0, 0]), theirs(reference[0, 0]))
    low = float(ex.metrics.fourier_RMSE(*both, low=0, high=3, domain_extent=1.0))
    assert float(rmse_low(u[None], reference, problem)) == pytest.approx(low, rel=1e-10)

    # a smooth field's tail: coefficients (of the unscaled transform) below 1e-5 count as zero there
    x = problem.grid.coordinates(0)
    smooth, tail = torch.cos(x), 1e-7 * torch.cos(20 * x)
    both = (theirs((smooth + tail)[None]), theirs((smooth + 0.5 * tail)[None]))
    assert float(ex.metrics.fourier_RMSE(*both, low=15, high=30)) == 0
    pair = ((smooth + tail)[None, None, None, None], (smooth + 0.5 * tail)[None, None, None])
    assert float(spectral_nrmse(*pair, problem)[..., 20]) == pytest.approx(1.0, rel=1e-6)
