"""Denoisers made of others: residuals around a mean, guidance, and gradients without stored activations."""

import pytest
import torch

from pdekit.diffusion.closed_forms import GaussianModes
from pdekit.diffusion.denoiser import centred, checkpointed
from pdekit.diffusion.guidance import classifier_free, guided
from pdekit.diffusion.levels import log_levels
from pdekit.diffusion.samplers.adams_bashforth import AdamsBashforth
from pdekit.diffusion.samplers.base import no_noise

VARIANCE = torch.tensor([1.0, 1e-2, 1e-4], dtype=torch.float64)


def state(n=5):
    return torch.randn(n, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_a_centred_denoiser_is_that_of_the_moved_and_scaled_data():
    mean = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    found = centred(GaussianModes(VARIANCE), mean, 0.1)
    expected = GaussianModes(0.01 * VARIANCE, mean)
    for k in (0.01, 1.0, 10.0):
        torch.testing.assert_close(found(state(), k), expected(state(), k), rtol=1e-12, atol=1e-12)


def test_guidance_is_off_below_its_level():
    denoise = GaussianModes(VARIANCE)
    moved = guided(denoise, lambda clean, y, k: clean + k * y, until=0.5)
    assert torch.equal(moved(state(), 1.0), denoise(state(), 1.0) + state())
    assert torch.equal(moved(state(), 0.4), denoise(state(), 0.4))


def test_classifier_free_guidance_of_two_gaussians():
    """Equal variances: the guided denoiser is that of a Gaussian with the mean m_u + w (m_c - m_u)."""
    calls = []

    def free(y, k):
        calls.append(k)
        return GaussianModes(VARIANCE, -1.0)(y, k)

    conditional = GaussianModes(VARIANCE, 2.0)
    found = classifier_free(conditional, free, 1.5, until=0.1)
    torch.testing.assert_close(found(state(), 1.0), GaussianModes(VARIANCE, 3.5)(state(), 1.0))
    assert torch.equal(found(state(), 0.01), conditional(state(), 0.01)) and calls == [1.0]


def test_a_gradient_through_sampling_is_exact_with_and_without_checkpoints():
    """dx/dy_0 of a Gaussian mode is sqrt(v / (v + k_0^2)) for a converged sampler."""
    variance = torch.tensor([1.0, 0.3, 0.1], dtype=torch.float64)
    levels, gradients = log_levels(400, 20.0, 1e-4), []
    for wrap in (lambda denoise: denoise, checkpointed):
        y = (20 * state()).requires_grad_()
        AdamsBashforth()(wrap(GaussianModes(variance)), y, levels, no_noise).sum().backward()
        gradients.append(y.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-12, atol=0)
    expected = torch.sqrt(variance / (variance + 400)).expand_as(gradients[0])
    torch.testing.assert_close(gradients[0], expected, rtol=2e-3, atol=0)


def test_a_sampler_that_is_given_no_noise_may_not_draw():
    with pytest.raises(ValueError, match="expected a sampler that draws no noise"):
        no_noise(0)
