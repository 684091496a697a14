"""Grids of levels: their ends, their spacing, and what is refused."""

import math

import pytest
import torch

from pdekit.diffusion.levels import LogLevels, checked_levels, log_levels, path_levels, power_levels, random_levels
from pdekit.diffusion.paths import FlowPath, LinearPath

GRIDS = {
    "log": log_levels,
    "power": power_levels,
    "flow": lambda n, k_max, k_min: path_levels(FlowPath(), n, k_max, k_min),
    "linear": lambda n, k_max, k_min: path_levels(LinearPath(), n, k_max, k_min),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_runs_from_the_largest_to_the_smallest_level(name):
    levels = GRIDS[name](9, 20.0, 1e-3)
    assert levels[0].item() == pytest.approx(20.0, rel=1e-12) and levels[-1].item() == pytest.approx(1e-3, rel=1e-12)
    assert checked_levels(levels) == levels.tolist() and levels.dtype == torch.float64


def test_spacings():
    assert torch.allclose(log_levels(7).log().diff().diff(), torch.zeros(5, dtype=torch.float64), atol=1e-12)
    even = FlowPath().time(path_levels(FlowPath(), 7))
    assert torch.allclose(even.diff().diff(), torch.zeros(5, dtype=torch.float64), atol=1e-12)
    # Karras et al. (2022), equation 5, by hand for i = 1 of N = 3
    expected = (80 ** (1 / 7) + 0.5 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert power_levels(3)[1].item() == pytest.approx(expected, rel=1e-12)


def test_training_levels_are_uniform_in_their_logarithm():
    torch.manual_seed(0)
    share = torch.log(random_levels(1000, 20.0, 1e-3) / 1e-3) / math.log(2e4)
    counts = torch.histc(share, 10, 0.0, 1.0)
    assert counts.tolist() == [100.0] * 10  # stratified: exactly even
    assert not torch.equal(share, share.sort().values)


@pytest.mark.parametrize("wrong", [[1.0, 1.0], [1.0, 2.0], [1.0, 0.0], [math.inf, 1.0], [], [1.0, math.nan]])
def test_levels_that_no_sampler_can_use_are_refused(wrong):
    with pytest.raises(ValueError, match="expected finite levels"):
        checked_levels(torch.tensor(wrong, dtype=torch.float64))


@pytest.mark.parametrize("arguments", [(0, 1.0, 0.1), (3, 0.1, 1.0), (3, 1.0, 0.0), (3, math.inf, 0.1)])
def test_impossible_ranges_are_refused(arguments):
    with pytest.raises(ValueError, match="expected n >= 1"):
        log_levels(*arguments)


def test_the_levels_of_a_method_agree_in_training_and_sampling():
    levels = LogLevels(5, 0.1, 10.0)
    assert torch.equal(levels.grid(), log_levels(5, 10.0, 0.1))
    even = torch.linspace(1, 0, 5, dtype=torch.float64)
    torch.testing.assert_close(levels.share(levels.grid()), even, atol=1e-14, rtol=0)
    torch.manual_seed(0)
    assert ((levels.share(levels.random(50)) >= 0) & (levels.share(levels.random(50)) <= 1)).all()
    with pytest.raises(ValueError, match="expected n >= 1"):
        LogLevels(5, 30.0)
