"""Multistep samplers and posterior sampling in azula: the same samples on a common grid of levels."""

import pytest
import torch

from pdekit.diffusion.closed_forms import IntermittentModes
from pdekit.diffusion.levels import log_levels
from pdekit.diffusion.observations import Observation, masked
from pdekit.diffusion.posterior import MMPS
from pdekit.diffusion.samplers.base import no_noise
from pdekit.diffusion.samplers.ddim import DDIM
from pdekit.diffusion.samplers.exponential import Exponential

azula = pytest.importorskip("azula")
from azula.denoise import Denoiser, DiracPosterior  # noqa: E402
from azula.guidance.mmps import MMPSDenoiser  # noqa: E402
from azula.linalg.covariance import IsotropicCovariance  # noqa: E402
from azula.noise import VESchedule  # noqa: E402
from azula.sample import DDIMSampler, xEABSampler, zABSampler, zEABSampler  # noqa: E402

pytestmark = pytest.mark.oracle

DENOISE = IntermittentModes(torch.logspace(0, -3, 6, dtype=torch.float64))
LEVELS = log_levels(13, 20.0, 1e-2)
SCHEDULE = VESchedule(1e-2, 20.0)
Y = 20 * torch.randn(20, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Exact(Denoiser):
    """The closed form as one of their denoisers: with alpha = 1, x_t is y and sigma_t is k."""

    schedule = SCHEDULE

    def forward(self, x_t, t):
        return DiracPosterior(DENOISE(x_t, float(SCHEDULE.sigma(t))))


def theirs(kind, denoiser, **options):
    """Their sampler steps to the last level, where ours jump to D."""
    sampler = kind(denoiser, steps=len(LEVELS) - 1, silent=True, dtype=torch.float64, **options)
    return denoiser(sampler(Y), torch.zeros((), dtype=torch.float64)).mean


@pytest.mark.parametrize(
    ("ours", "kind", "options"),
    [
        (DDIM(), DDIMSampler, {}),
        *((Exponential("clean", order), xEABSampler, {"order": order}) for order in (1, 2, 3)),
        *((Exponential("noise", order), zEABSampler, {"order": order}) for order in (1, 2, 3)),
        *((Exponential("level", order), zABSampler, {"order": order}) for order in (1, 2, 3)),
    ],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_samplers(ours, kind, options):
    torch.testing.assert_close(
        ours(DENOISE, Y, LEVELS, no_noise), theirs(kind, Exact(), **options), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("iterations", [3, 5])
def test_moment_matching(iterations):
    """Three observed modes, for which three conjugate gradients are exact, at each level of a whole sample."""
    mask, noise = torch.tensor([1.0, 0, 1, 0, 0, 1]).double(), 0.1
    values = mask * torch.tensor([0.5, 0, -0.2, 0, 0, 0.1]).double().expand(20, 6)
    guided = MMPSDenoiser(
        Exact(), values, lambda x: mask * x, IsotropicCovariance(noise**2), solver="cg", iterations=iterations
    )
    denoise = MMPS(iterations)(DENOISE, Observation(masked(mask), values, noise), LEVELS)
    found = Exponential("clean", 2)(denoise, Y, LEVELS, no_noise)
    torch.testing.assert_close(found, theirs(xEABSampler, guided, order=2), rtol=1e-5, atol=1e-5)
