"""The weighted ensemble: a mixture posterior, where unweighted guidance is wrong."""

import torch

from pdekit.diffusion.closed_forms import PointMixture
from pdekit.diffusion.ensemble import weighted_ensemble
from pdekit.diffusion.levels import log_levels
from pdekit.diffusion.observations import Observation, linear_map, masked
from pdekit.diffusion.posterior import MMPS
from pdekit.diffusion.samplers.ddim import DDIM

CENTRES = torch.tensor([[-1.0, 0.0], [1.5, 2.0], [0.2, -1.5]], dtype=torch.float64)
WIDTH, NOISE = 0.3, 0.5
FIRST = linear_map(lambda x: x[:, :1], (2,))


def exact(value):
    """(mean, deviation) of the mixture after its first component was observed: each Gaussian is updated alone."""
    total = WIDTH**2 + NOISE**2
    share = torch.softmax(-0.5 * (value - CENTRES[:, 0]).square() / total, 0)[:, None]
    means = CENTRES.clone()
    means[:, 0] += WIDTH**2 / total * (value - means[:, 0])
    variance = torch.tensor([WIDTH**2 * NOISE**2 / total, WIDTH**2]).double()
    mean = (share * means).sum(0)
    return mean, (variance + (share * (means - mean).square()).sum(0)).sqrt()


def test_weights_make_a_mixture_posterior_right():
    prior, value, n = PointMixture(CENTRES, WIDTH), 0.4, 1500
    observation = Observation(FIRST, torch.full((1, 1), value).double(), NOISE)
    fresh = torch.Generator().manual_seed(0)

    def noise(i):
        return torch.randn(n, 2, dtype=torch.float64, generator=fresh)

    levels = log_levels(50, 20.0, 0.02)
    guided = MMPS(2)(prior, observation, levels)
    found = weighted_ensemble(prior, guided, observation, 20 * noise(0), levels, noise)
    mean, deviation = exact(value)
    torch.testing.assert_close(found.mean(), mean, rtol=0, atol=0.08)
    torch.testing.assert_close(found.deviation(), deviation, rtol=0, atol=0.08)
    # the same guide without weights
    plain = DDIM(1.0)(guided, 20 * noise(0), levels, noise)
    assert float((plain.mean(0) - mean).abs().max()) > 2 * float((found.mean() - mean).abs().max())
    assert float(found.effective.min()) > 0.3 * n  # MMPS is a good proposal


def test_a_mask_over_a_batch_of_particles_broadcasts():
    observation = Observation(masked(torch.tensor([1.0, 0.0])), torch.tensor([[0.4, 0.0]]).double(), NOISE)
    fresh = torch.Generator().manual_seed(0)
    prior, levels = PointMixture(CENTRES, WIDTH), log_levels(10, 20.0, 0.02)

    def noise(i):
        return torch.randn(50, 2, dtype=torch.float64, generator=fresh)

    found = weighted_ensemble(prior, prior, observation, 20 * noise(0), levels, noise)
    assert found.x.shape == (50, 2) and abs(float(found.weight.sum()) - 1) < 1e-12
