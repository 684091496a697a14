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


MASK, NOISE = torch.tensor([1.0, 0, 1, 0, 0, 1]).double(), 0.1
VALUES = MASK * torch.tensor([0.5, 0, -0.2, 0, 0, 0.1]).double().expand(20, 6)


def guided_by_both(iterations):
    """Return (ours, theirs), the guided denoisers."""
    covariance = IsotropicCovariance(NOISE**2)
    denoiser = MMPSDenoiser(Exact(), VALUES, lambda x: MASK * x, covariance, solver="cg", iterations=iterations)
    return MMPS(iterations)(DENOISE, Observation(masked(MASK), VALUES, NOISE), LEVELS), denoiser


@pytest.mark.parametrize("iterations", [3, 5])
def test_moment_matching(iterations):
    """Three observed modes, for which three conjugate gradients are exact, at each level of a whole sample."""
    denoise, denoiser = guided_by_both(iterations)
    found = Exponential("clean", 2)(denoise, Y, LEVELS, no_noise)
    torch.testing.assert_close(found, theirs(xEABSampler, denoiser, order=2), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("iterations", [1, 2])
def test_moment_matching_by_few_conjugate_gradients(iterations):
    """Ours is one of their iterates, the start among them: theirs is the last, ours has the smallest residual."""
    others = 0
    for t in torch.linspace(0, 1, 13, dtype=torch.float64):
        k = float(SCHEDULE.sigma(t))
        y = (1 + k) / 20 * Y
        found = guided_by_both(iterations)[0](y, k)
        iterates = [DENOISE(y, k), *(guided_by_both(n)[1](y, t).mean for n in range(1, iterations + 1))]
        distance = (torch.stack(iterates) - found).abs().amax(2)
        assert distance.amin(0).max() < 1e-8
        others += int((distance[-1] > 1e-4).sum())
    assert others > 0
