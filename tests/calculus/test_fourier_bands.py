"""Cosines and sines as two bands: orthonormal, in pairs of neighbouring scales, as NumPy and SciPy have them."""

import numpy as np
import pytest
import torch
from scipy.fft import dct

from pdekit.calculus.fourier_bands import fourier_matrix
from pdekit.calculus.wavelets import from_wavelet_bands, wavelet_bands


def test_a_periodic_axis_has_the_real_and_imaginary_parts_of_the_spectrum():
    u = np.random.default_rng(0).normal(size=16)
    u_hat = np.fft.rfft(u, norm="ortho")
    cosines, sines = np.split(fourier_matrix(16, True) @ u, 2)
    np.testing.assert_allclose(cosines[1:], np.sqrt(2) * u_hat.real[1:8], atol=1e-12)
    np.testing.assert_allclose(sines[1:], -np.sqrt(2) * u_hat.imag[1:8], atol=1e-12)
    np.testing.assert_allclose([cosines[0], sines[0]], u_hat.real[[0, 8]], atol=1e-12)


@pytest.mark.parametrize("n", [7, 8])
def test_an_axis_with_ends_has_the_cosines_of_even_then_of_odd_wavenumbers(n):
    u = np.random.default_rng(0).normal(size=n)
    even, odd = np.split(fourier_matrix(n, False) @ u, 2)
    expected = np.append(dct(u, norm="ortho"), 0.0)[: n + n % 2]
    np.testing.assert_allclose(even, expected[::2], atol=1e-12)
    np.testing.assert_allclose(odd, expected[1::2], atol=1e-12)


def test_bands_keep_the_energy_and_are_inverted():
    u = torch.randn(2, 3, 7, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    modes = ("zero", "periodized")
    bands = wavelet_bands(u, "fourier", modes)
    assert bands.shape == (2, 4, 3, 4, 4)
    assert bands.square().sum().item() == pytest.approx(u.square().sum().item(), rel=1e-12)
    torch.testing.assert_close(from_wavelet_bands(bands, "fourier", modes, (7, 8)), u, rtol=0, atol=1e-12)
