"""Tables of levels and the ancestral step next to closed forms."""

import pytest
import torch

from pdekit.diffusion.chain import geometric_sigmas, refinement_chain, variance_preserving
from pdekit.diffusion.samplers.ancestral import ancestral_step, posterior

# standard deviations of the released schedule (min_noise_std 4e-7, a variance), computed in float64 with its formulas
TABLE = {
    1: [1, 6.32e-4],
    2: [1, 2.516e-2, 6.32e-4],
    3: [1, 8.615e-2, 7.395e-3, 6.325e-4],
    4: [1, 1.606e-1, 2.547e-2, 4.04e-3, 6.32e-4],
    8: [1, 0.4285, 0.1725, 6.88e-2, 2.74e-2, 1.09e-2, 4.34e-3, 1.71e-3, 6.32e-4],
}


@pytest.mark.parametrize("n_steps", TABLE)
def test_the_table_of_the_released_schedule(n_steps):
    chain = refinement_chain(n_steps, 4e-7**0.5)
    torch.testing.assert_close(chain.sigma, torch.tensor(TABLE[n_steps], dtype=torch.float64), rtol=2e-3, atol=0)
    torch.testing.assert_close(chain.signal**2 + chain.sigma**2, torch.ones_like(chain.sigma), rtol=1e-15, atol=0)


def test_the_finest_variance_keeps_its_digits():
    # in float32, 1 - (1 - 4e-7) is 4.17e-7
    assert refinement_chain(3, 4e-7**0.5).sigma[-1].item() ** 2 == pytest.approx(4e-7, rel=1e-14)
    assert refinement_chain(3, 1e-6).sigma[-1].item() == pytest.approx(1e-6, rel=1e-14)


def test_the_papers_sigmas_are_geometric():
    sigma = geometric_sigmas(3, 4e-7**0.5)
    expected = torch.tensor([1, 0.0858374, 0.00736806, 0.000632456], dtype=torch.float64)
    torch.testing.assert_close(sigma, expected, rtol=1e-6, atol=0)
    assert geometric_sigmas(0, 1e-3).tolist() == [1.0]


@pytest.mark.parametrize(("n_steps", "sigma_min"), [(3, 0.0), (3, 1.0), (3, -1e-3), (-1, 1e-3)])
def test_impossible_schedules_are_refused(n_steps, sigma_min):
    with pytest.raises(ValueError, match="expected"):
        geometric_sigmas(n_steps, sigma_min)


def test_velocity_gives_the_clean_data_back():
    chain = refinement_chain(4, 1e-3)
    clean, noise = torch.randn(5, 2, 8, dtype=torch.float64), torch.randn(5, 2, 8, dtype=torch.float64)
    level = torch.arange(5)
    z, v = chain.noisy(clean, noise, level), chain.velocity(clean, noise, level)
    torch.testing.assert_close(chain.clean_from_velocity(z, v, level), clean, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("level", range(7))
def test_the_posterior_is_that_of_the_forward_chain(level):
    """Against Bayes' rule for two Gaussians: q(z' | z, y) ~ q(z | z') q(z' | y)."""
    chain = variance_preserving(torch.linspace(0.05, 0.6, 8, dtype=torch.float64))
    a, finer = chain.signal[level] ** 2, chain.signal[level + 1] ** 2
    keep = a / finer  # z = sqrt(keep) z' + sqrt(1 - keep) e,  z' = sqrt(finer) y + sqrt(1 - finer) e
    precision = keep / (1 - keep) + 1 / (1 - finer)
    share_noisy = keep.sqrt() / (1 - keep) / precision
    share_clean = finer.sqrt() / (1 - finer) / precision
    expected = torch.stack((share_clean, share_noisy, precision**-0.5))
    torch.testing.assert_close(torch.tensor(posterior(chain, level), dtype=torch.float64), expected, rtol=1e-12, atol=0)


def test_an_ancestral_step_has_the_marginal_of_the_finer_level():
    chain = refinement_chain(3, 0.05)
    n = 200_000
    clean = torch.full((n,), 0.7, dtype=torch.float64)
    z = chain.signal[1] * clean + chain.sigma[1] * torch.randn(n, dtype=torch.float64)
    finer = ancestral_step(chain, 1, z, clean, torch.randn(n, dtype=torch.float64))
    assert finer.mean().item() == pytest.approx(chain.signal[2].item() * 0.7, abs=5 * chain.sigma[2].item() / n**0.5)
    assert finer.std().item() == pytest.approx(chain.sigma[2].item(), rel=0.01)


def test_the_first_step_starts_afresh():
    """The coarsest level has no signal: what follows is the clean estimate noised again, whatever z was."""
    share_clean, share_noisy, deviation = posterior(refinement_chain(3, 1e-2), 0)
    chain = refinement_chain(3, 1e-2)
    assert share_noisy == 0
    assert share_clean == pytest.approx(chain.signal[1].item(), rel=1e-14)
    assert deviation == pytest.approx(chain.sigma[1].item(), rel=1e-14)
