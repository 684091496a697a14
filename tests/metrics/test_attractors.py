"""Sets with a known dimension, measures at a known distance, and Lorenz's attractor."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from pdekit.metrics.attractors import correlation_dimension, sliced_wasserstein


def uniform(*shape, seed=0):
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dimension, tolerance", [(1, 0.05), (2, 0.1), (3, 0.3)])
def test_a_cube_has_the_dimension_of_a_cube(dimension, tolerance):
    x = torch.zeros(1500, 4, dtype=torch.float64)
    x[:, :dimension] = uniform(1500, dimension)  # a constant coordinate adds nothing
    assert correlation_dimension(x) == pytest.approx(dimension, abs=tolerance)
    assert correlation_dimension(x * torch.tensor([1.0, 1e3, 1e-3, 1.0])) == pytest.approx(correlation_dimension(x))


def test_cantor_dust():
    digits = (uniform(1500, 30) > 0.5).double() * 2
    x = (digits / 3.0 ** torch.arange(1, 31)).sum(1, keepdim=True)
    assert correlation_dimension(x) == pytest.approx(math.log(2) / math.log(3), abs=0.06)


def test_neighbours_in_time_are_not_neighbours_in_space():
    # slow motion on a random walk's path: pairs in time are near whatever the set
    steps = torch.randn(2000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.01
    x = torch.sin(steps.cumsum(0) * 10)
    near, apart = correlation_dimension(x, apart=1), correlation_dimension(x, apart=100)
    assert near < apart - 0.3


def test_what_cannot_be_told():
    assert math.isnan(correlation_dimension(uniform(50, 2))), "too short"
    assert math.isnan(correlation_dimension(uniform(400, 2), apart=399))
    assert math.isnan(correlation_dimension(torch.randn(600, 40, dtype=torch.float64))), "2 log10(600) = 5.6"
    bad = uniform(600, 2)
    bad[3, 1] = math.inf
    assert correlation_dimension(bad) == math.inf and correlation_dimension(torch.ones(600, 2)) == 0


def lorenz(n, gap, seed, dt=0.01):
    """States of Lorenz-63 by the classical Runge-Kutta method, "trajectory time 3"."""

    def rate(x):
        a, b, c = x.unbind(-1)
        return torch.stack([10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c], -1)

    x = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + torch.tensor(
        [0, 0, 25.0]
    )
    states = []
    for step in range(1000 + n * gap):
        k1 = rate(x)
        k2 = rate(x + dt / 2 * k1)
        k3 = rate(x + dt / 2 * k2)
        x = x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + rate(x + dt * k3))
        if step >= 1000 and step % gap == 0:
            states.append(x)
    return torch.stack(states, 1)


@pytest.mark.slow
def test_the_dimension_of_lorenz_63():
    # 2.05 +- 0.01 (Grassberger and Procaccia 1983, table I); four trajectories of 400 units each
    found = [correlation_dimension(x, apart=20, most=4096) for x in lorenz(4000, 10, seed=0)]
    assert np.mean(found) == pytest.approx(2.05, abs=0.06) and np.std(found) < 0.1


@pytest.mark.slow
def test_two_trajectories_of_lorenz_63_visit_the_same_states():
    x = lorenz(2000, 20, seed=1)
    same = sliced_wasserstein(x[:3], x[1:])
    mirrored = sliced_wasserstein(x * torch.tensor([-1.0, -1.0, 1.0]), x)  # a symmetry of the equations
    assert same.mean() < 0.1 and mirrored.mean() < 0.1 and (sliced_wasserstein(0.7 * x, x) > 0.2).all()


def test_sliced_distances():
    y = torch.randn(2, 500, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = y - y.mean(1, keepdim=True)
    assert sliced_wasserstein(1.1 * y, y).tolist() == pytest.approx([0.1, 0.1], rel=1e-9)
    assert (sliced_wasserstein(y[:, torch.randperm(500)], y) < 1e-12).all()
    # a shift by d along a direction: W_1 is |d cos| for each direction
    shifted = sliced_wasserstein(y + torch.tensor([10.0, 0, 0]), y)
    cosine = stats.uniform(0, 1).mean()  # mean |cos| over the sphere is 1/2
    assert shifted.tolist() == pytest.approx([10 * cosine / math.sqrt(2 / math.pi)] * 2, rel=0.15)


def test_a_rotation_is_seen_by_more_than_its_coordinates():
    # the same marginal distributions, another measure: independent against equal coordinates
    a = torch.randn(1, 2000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    equal, independent = a.expand(-1, -1, 2), torch.cat([a, a.roll(1, 1)], -1)
    assert sliced_wasserstein(independent, equal).item() > 0.1


def test_divergence_stays_with_its_trajectory():
    y = uniform(3, 50, 4)
    x = y.clone()
    x[1, 7, 2] = math.nan
    assert sliced_wasserstein(x, y).tolist() == [0, math.inf, 0]
