"""The wavelet transform: perfect reconstruction, vanishing moments, orthogonality, known filters, locality."""

import itertools

import numpy as np
import pytest
import torch

from pdekit.calculus.wavelet_filters import wavelet
from pdekit.calculus.wavelets import MODES, coefficients, from_wavelet_bands, wavelet_bands

NAMES = ("haar", "db2", "db4", "db8", "bior1.1", "bior1.3", "bior1.5", "bior2.2", "bior2.4", "bior3.1", "bior3.3")
MOMENTS = {"haar": 1, "db2": 2, "db4": 4, "db8": 8, "bior1.3": 1, "bior2.2": 2, "bior2.4": 2, "bior3.3": 3}


def fields(*shape):
    return torch.randn(2, 3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(16,), (6, 20), (4, 8, 10)])
@pytest.mark.parametrize("name", NAMES)
def test_a_periodized_transform_is_inverted_to_rounding(name, shape):
    u, modes = fields(*shape), ("periodized",) * len(shape)
    bands = wavelet_bands(u, name, modes)
    assert bands.shape == (2, 2 ** len(shape), 3, *(n // 2 for n in shape))
    torch.testing.assert_close(from_wavelet_bands(bands, name, modes, shape), u, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(1,), (16,), (21,), (5, 9), (3, 4, 7)])
@pytest.mark.parametrize("name", NAMES)
def test_a_zero_padded_transform_is_inverted_to_rounding(name, shape):
    """Any number of points, odd ones and one alone too."""
    u, modes = fields(*shape), ("zero",) * len(shape)
    bands, taps = wavelet_bands(u, name, modes), wavelet(name).length
    assert bands.shape[3:] == tuple(coefficients(n, taps, "zero") for n in shape)
    torch.testing.assert_close(from_wavelet_bands(bands, name, modes, shape), u, rtol=0, atol=1e-12)


@pytest.mark.parametrize("modes", list(itertools.product(MODES, repeat=2)))
def test_axes_may_differ(modes):
    """Time is zero-padded where space is periodic."""
    u = fields(22, 8)
    torch.testing.assert_close(
        from_wavelet_bands(wavelet_bands(u, "bior2.4", modes), "bior2.4", modes, (22, 8)), u, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("name", MOMENTS)
def test_the_high_band_of_a_polynomial_vanishes(name):
    """Of degree below the number of vanishing moments, away from the ends."""
    x = torch.linspace(-1, 1, 64, dtype=torch.float64)
    for degree in range(MOMENTS[name] + 1):
        inside = wavelet_bands((x**degree)[None, None], name, ("zero",))[0, 1, 0, 8:-8].abs().max().item()
        assert inside < 1e-12 if degree < MOMENTS[name] else inside > 1e-8


@pytest.mark.parametrize("name", ["haar", "db2", "db4", "db8", "bior1.1"])
def test_orthogonal_wavelets_keep_the_energy(name):
    u = fields(8, 16)
    bands = wavelet_bands(u, name, ("periodized", "periodized"))
    torch.testing.assert_close(bands.square().sum(), u.square().sum(), rtol=1e-12, atol=0)


def test_published_filters():
    """Daubechies (1988), table 1 for N = 2; bior2.2 of Cohen, Daubechies and Feauveau (1992): the 5/3 filters."""
    root = 3**0.5
    expected = np.array([1 + root, 3 + root, 3 - root, 1 - root]) / (4 * 2**0.5)
    np.testing.assert_allclose(wavelet("db2").synthesis_low, expected, rtol=1e-14)
    np.testing.assert_allclose(wavelet("haar").analysis_low, [2**-0.5] * 2, rtol=1e-15)
    short, long = np.array([0, 2, 4, 2, 0, 0]) / 8, np.array([0, -1, 2, 6, 2, -1]) / 8
    np.testing.assert_allclose(wavelet("bior2.2").synthesis_low, 2**0.5 * short, rtol=1e-14)
    np.testing.assert_allclose(wavelet("bior2.2").analysis_low, 2**0.5 * long, rtol=1e-14, atol=1e-16)
    third = np.array([-1, 1, 8, 8, 1, -1]) / 16
    np.testing.assert_allclose(wavelet("bior1.3").analysis_low, 2**0.5 * third, rtol=1e-14)


def test_bands_name_the_axis_that_was_high_pass_filtered():
    """A field that alternates along the second axis only lies in band 01."""
    u = torch.ones(1, 1, 8, 1, dtype=torch.float64) * torch.tensor([1.0, -1.0] * 4, dtype=torch.float64)
    energy = wavelet_bands(u, "haar", ("periodized", "periodized")).square().sum((0, 2, 3, 4))
    torch.testing.assert_close(energy, torch.tensor([0.0, 64.0, 0.0, 0.0], dtype=torch.float64), rtol=0, atol=1e-12)


def test_a_jump_touches_few_coefficients():
    """Where a wavelet pays: 256 points, one jump, one high coefficient of Haar; a Fourier series needs them all."""
    u = torch.zeros(1, 1, 256, dtype=torch.float64)
    u[..., 101:] = 1.0
    high = wavelet_bands(u, "haar", ("zero",))[0, 1, 0]
    assert (high.abs() > 1e-12).sum() == 1


def test_gradients_flow_through_both_directions():
    u = fields(6, 9).requires_grad_()
    modes = ("periodized", "zero")
    back = from_wavelet_bands(wavelet_bands(u, "db2", modes), "db2", modes, (6, 9))
    (gradient,) = torch.autograd.grad(back.square().sum(), u)
    torch.testing.assert_close(gradient, 2 * u.detach(), rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", ["db9", "db0", "sym4", "bior2.3", "bior4.4", "bior", "dbx"])
def test_unknown_wavelets_are_refused(name):
    with pytest.raises(ValueError, match="expected haar"):
        wavelet(name)


def test_odd_periodized_axes_and_unknown_modes_are_refused():
    with pytest.raises(ValueError, match="expected an even number of points"):
        wavelet_bands(fields(7), "haar", ("periodized",))
    with pytest.raises(ValueError, match="expected a mode among"):
        wavelet_bands(fields(8), "haar", ("symmetric",))


@pytest.mark.parametrize("n", [20, 21])
def test_the_number_of_coefficients_is_that_of_the_bands(n):
    assert coefficients(n, 6, "zero") == (n + 5) // 2
    bands = wavelet_bands(torch.randn(1, 1, n, dtype=torch.float64), "db3", ("zero",))
    assert bands.shape[-1] == coefficients(n, 6, "zero")
