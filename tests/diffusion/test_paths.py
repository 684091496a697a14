"""Paths: published formulas, inverses to 1e-12, and residual diffusion in the core's coordinate."""

import math

import pytest
import torch

from pdekit.diffusion.paths import (
    CosinePath,
    ExplodingPath,
    FlowPath,
    LinearPath,
    ResidualPath,
    ShiftedPath,
    shifting_path,
)

PATHS = {
    "linear": LinearPath(),
    "cosine": CosinePath(),
    "exploding": ExplodingPath(),
    "flow": FlowPath(),
    "residual": ResidualPath(1.5),
}
K = torch.logspace(-6, 1.9, 25, dtype=torch.float64)


@pytest.mark.parametrize("path", PATHS)
def test_time_and_level_are_inverse(path):
    t = PATHS[path].time(K)
    assert (t > 0).all() and (t.diff() > 0).all()
    torch.testing.assert_close(PATHS[path].level(t), K, rtol=1e-12, atol=0)


@pytest.mark.parametrize("path", PATHS)
def test_sigma_over_signal_is_the_level(path):
    torch.testing.assert_close(PATHS[path].sigma(K) / PATHS[path].signal(K), K, rtol=1e-14, atol=0)


@pytest.mark.parametrize("noise", [0.0, -1.0, math.inf, math.nan])
def test_a_path_without_noise_is_refused(noise):
    with pytest.raises(ValueError, match="expected noise > 0, in units of the residual"):
        ResidualPath(noise)


def test_published_forms():
    t = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    flow, cosine, linear = FlowPath(), CosinePath(), LinearPath()
    torch.testing.assert_close(flow.signal(flow.level(t)), 1 - t)
    torch.testing.assert_close(flow.sigma(flow.level(t)), t)
    torch.testing.assert_close(cosine.signal(cosine.level(t)), torch.cos(math.pi * t / 2))
    # Song et al. (2021), equation 33: signal = exp(-t^2 (19.9)/4 - t 0.1/2)
    torch.testing.assert_close(linear.signal(linear.level(t)), torch.exp(-t.square() * 19.9 / 4 - t * 0.05))
    for path in (cosine, linear):
        torch.testing.assert_close(path.signal(K).square() + path.sigma(K).square(), torch.ones_like(K))


def test_residual_diffusion_is_the_core_s_path():
    """y = x + k e, and back."""
    path = shifting_path(6)
    clean, reference, noise = torch.randn(3, 4, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert (path.levels.diff() < 0).all()
    for i, k in enumerate(path.levels):
        z = path.noisy(clean, reference, noise, i)
        y = path.to_core(z, reference, i)
        torch.testing.assert_close(y, clean + k * noise, rtol=1e-12, atol=1e-11)
        torch.testing.assert_close(path.from_core(y, reference, i), z, rtol=1e-12, atol=1e-12)


def test_the_path_of_the_residual_goes_through_the_shifted_one():
    """z - r has the shares of the continuous path at each level."""
    shifted, path = shifting_path(6, noise=1.5), ResidualPath(1.5)
    clean, reference, noise = torch.randn(3, 4, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for i, k in enumerate(shifted.levels):
        z = path.signal(k) * (clean - reference) + path.sigma(k) * noise
        torch.testing.assert_close(z + reference, shifted.noisy(clean, reference, noise, i), rtol=1e-12, atol=1e-12)


def test_the_schedule_of_resshift():
    """Its ends: sqrt(eta) = 0.02 and 0.99 with a noise of 2 (Yue et al. 2023, appendix)."""
    path = shifting_path(15)
    assert path.eta[0].sqrt().item() == pytest.approx(0.99, rel=1e-14)
    assert path.eta[-1].sqrt().item() == pytest.approx(0.02, rel=1e-14)
    torch.testing.assert_close(path.sigma, 2 * path.eta.sqrt())


def test_a_share_of_one_is_refused():
    with pytest.raises(ValueError, match=r"expected shares eta in \[0, 1\)"):
        ShiftedPath(torch.tensor([1.0, 0.5]), torch.tensor([1.0, 1.0]))
