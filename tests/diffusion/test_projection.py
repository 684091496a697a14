"""Hard constraints: exact after the last projection, nearest point, published sampler."""

import torch

from pdekit.diffusion.guidance import guided
from pdekit.diffusion.levels import log_levels
from pdekit.diffusion.observations import linear_map, masked, point_sensors
from pdekit.diffusion.projection import linear_constraint, nearest, newton_constraint, soft_constraint
from pdekit.diffusion.samplers.base import no_noise
from pdekit.diffusion.samplers.corrected import Corrected
from pdekit.diffusion.samplers.exponential import Exponential
from pdekit.diffusion.samplers.renoise import renoise
from tests.diffusion.gaussian_field import N, denoise, draws, matrix

TOTAL = linear_map(lambda x: x.sum(-1), (1, N))


def test_the_nearest_point_is_that_of_the_pseudo_inverse():
    sensors = point_sensors(torch.tensor([[3.5], [4.25], [63.5]]).double(), torch.zeros(3, dtype=int), (1, N), (True,))
    x, values = draws(2, 1, N), draws(2, 3, seed=1)
    a = matrix(sensors)
    found = nearest(x, sensors, values)
    expected = x[:, 0] - (x[:, 0] @ a.T - values) @ torch.linalg.pinv(a).T
    torch.testing.assert_close(found[:, 0], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(nearest(found, sensors, values), found, rtol=0, atol=1e-13)


def test_a_mask_is_imposed_exactly():
    mask, values = (draws(N) > 0).double(), draws(2, 1, N, seed=1)
    found = nearest(draws(2, 1, N, seed=2), masked(mask), mask * values)
    assert float((mask * (found - values)).abs().max()) < 1e-14


def test_every_sampler_ends_on_a_linear_constraint():
    values = torch.full((4, 1), 3.0).double()
    constrained = guided(denoise, linear_constraint(TOTAL, values))
    y = 20 * draws(4, 1, N)
    noise = torch.Generator().manual_seed(2)
    for sampler in (Exponential("clean", 2), Corrected(), Corrected(mixes=3, fresh=True)):
        found = sampler(
            constrained, y, log_levels(8), lambda i: torch.randn(4, 1, N, generator=noise, dtype=torch.float64)
        )
        assert float((found.sum(-1) - 3).abs().max()) < 1e-12
        assert float(found.std(0).mean()) > 0.3  # still samples


def test_a_nonlinear_constraint_is_met_by_newton_steps():
    """Energy sum u^2 = 40, quadratic: the error squares with each step."""

    def energy(x):
        return x.square().sum(-1) - 40

    clean = denoise(2 * draws(3, 1, N), 0.5)
    errors = [float(energy(newton_constraint(energy, steps)(clean, clean, 0.5)).abs().max()) for steps in (1, 3, 6)]
    assert errors[1] < 0.3 * errors[0] and errors[2] < 1e-6, errors
    sample = Exponential("clean", 2)(
        guided(denoise, newton_constraint(energy, 6)), 20 * draws(3, 1, N), log_levels(8), no_noise
    )
    assert float(energy(sample).abs().max()) < 1e-5


def test_the_corrected_sampler_is_renoising_with_kept_noise():
    y, levels = 20 * draws(2, 1, N), log_levels(5)
    e = y / 20
    found = Corrected()(denoise, y, levels, no_noise)
    expected = renoise(denoise, denoise(y, 20.0), levels[1:], lambda i: e)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)
    assert Corrected(3).calls(5) == 13


def test_a_soft_constraint_is_the_weighted_minimum():
    """Linear h: one step solves argmin |x - D|^2 / r^2 + |h|^2 / s^2."""
    clean, k, noise = draws(2, 1, N), 0.7, 0.2
    found = soft_constraint(lambda x: x.diff(dim=-1), noise, 200)(clean, clean, k)
    difference = torch.eye(N, dtype=torch.float64).diff(dim=0)
    share = k**2 / (1 + k**2)
    system = torch.eye(N).double() / share + difference.T @ difference / noise**2
    expected = torch.linalg.solve(system, clean[:, 0].T / share).T
    torch.testing.assert_close(found[:, 0], expected, rtol=0, atol=1e-9)
