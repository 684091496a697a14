"""The wavelet transform and its filters in PyWavelets: the same coefficients to rounding."""

import itertools

import numpy as np
import pytest
import torch

from pdekit.calculus.wavelet_filters import wavelet
from pdekit.calculus.wavelets import from_wavelet_bands, wavelet_bands

pywt = pytest.importorskip("pywt")
pytestmark = pytest.mark.oracle

BIORTHOGONAL = (
    "bior1.1",
    "bior1.3",
    "bior1.5",
    "bior2.2",
    "bior2.4",
    "bior2.6",
    "bior2.8",
    "bior3.1",
    "bior3.3",
    "bior3.9",
)
NAMES = ("haar", *(f"db{n}" for n in range(1, 9)), *BIORTHOGONAL)
THEIRS = {"periodized": "periodization", "zero": "zero"}


@pytest.mark.parametrize("name", NAMES)
def test_filters(name):
    ours, theirs = wavelet(name), pywt.Wavelet(name)
    for found, expected in zip(
        (ours.analysis_low, ours.analysis_high, ours.synthesis_low, ours.synthesis_high),
        theirs.filter_bank,
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)  # theirs are tabulated


@pytest.mark.parametrize("shape", [(16,), (16, 12), (8, 6, 10)])
@pytest.mark.parametrize("mode", THEIRS)
@pytest.mark.parametrize("name", NAMES)
def test_coefficients(name, mode, shape):
    u = np.random.default_rng(0).standard_normal(shape)
    found = wavelet_bands(torch.from_numpy(u)[None, None], name, (mode,) * len(shape))[0, :, 0].numpy()
    expected = pywt.dwtn(u, name, THEIRS[mode])
    for band, key in zip(found, itertools.product("ad", repeat=len(shape)), strict=True):
        np.testing.assert_allclose(band, expected["".join(key)], rtol=0, atol=1e-9)
    back = from_wavelet_bands(torch.from_numpy(found)[None, :, None], name, (mode,) * len(shape), shape)
    np.testing.assert_allclose(back[0, 0].numpy(), pywt.idwtn(expected, name, THEIRS[mode]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["haar", "db3", "bior2.4"])
def test_an_odd_number_of_points(name):
    u = np.random.default_rng(1).standard_normal(21)
    found = wavelet_bands(torch.from_numpy(u)[None, None], name, ("zero",))[0, :, 0].numpy()
    for ours, theirs in zip(found, pywt.dwt(u, name, "zero"), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
