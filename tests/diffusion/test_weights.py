"""Loss weights next to the forms in which they are published."""

import torch

from pdekit.diffusion.parametrisations import EPSILON, V, edm
from pdekit.diffusion.paths import LinearPath
from pdekit.diffusion.weights import edm_weight, min_snr_weight

K = torch.logspace(-3, 2, 21, dtype=torch.float64)
SIGNAL, SIGMA = LinearPath().signal(K), LinearPath().sigma(K)
SNR = K**-2


def test_the_edm_weight_is_one_on_the_output():
    for scale in (0.5, 1.0):
        found = edm_weight(K, scale) * edm(scale).gain(SIGNAL, SIGMA).square()
        torch.testing.assert_close(found, torch.ones_like(K))


def test_min_snr_on_each_output():
    """min(SNR, 5) / SNR on epsilon, min(SNR, 5) / (SNR + 1) on v (Hang et al. 2023)."""
    weight = min_snr_weight(K)
    torch.testing.assert_close(weight, SNR.clamp(max=5))
    torch.testing.assert_close(weight * EPSILON.gain(SIGNAL, SIGMA).square(), SNR.clamp(max=5) / SNR)
    torch.testing.assert_close(weight * V.gain(SIGNAL, SIGMA).square(), SNR.clamp(max=5) / (SNR + 1))
