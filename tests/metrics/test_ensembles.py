"""Ensembles: against definitions, against another implementation, and on draws whose law is known."""

import itertools
import math

import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.ensembles import ENSEMBLE, agreement, crps, energy_score, rank_counts, skill, spread

GRID = Grid((6, 5), (1.0, 1.0), layout=("nodes", "periodic"))
FIELDS = (Field("T", "K"), Field("u", vector="v"), Field("v", vector="v"))
PROBLEM = Problem(GRID, FIELDS, dt=1.0, n_frames=3)


def draws(members=4, seed=0, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    both = torch.randn(members + 1, 2, 3, len(FIELDS), *GRID.shape, dtype=torch.float64, generator=generator)
    return both[1:] + offset, both[0]


def slow_crps(members, value):
    """From the definition: the integral of (F_n(x) - 1[x >= value])^2, plus what a finite ensemble lacks."""
    n = len(members)
    points = sorted([*members, value])
    total = 0.0
    for a, b in itertools.pairwise(points):
        below = sum(m <= a for m in members) / n
        total += (below - (value <= a)) ** 2 * (b - a)
    pairs = sum(abs(a - b) for a in members for b in members)
    return total - pairs / 2 * (1 / (n * (n - 1)) - 1 / n**2)


def test_crps_is_the_integral_of_the_squared_difference_of_distributions():
    u, reference = draws(5)
    found = crps(u, reference, PROBLEM)
    w = GRID.weights() / GRID.weights().sum()
    expected = sum(
        float(w[i, j]) * slow_crps(u[:, 1, 2, 0, i, j].tolist(), reference[1, 2, 0, i, j].item())
        for i, j in itertools.product(*map(range, GRID.shape))
    )
    assert found[1, 2, 0].item() == pytest.approx(expected, rel=1e-12)


def test_crps_agrees_with_another_implementation():
    oracle = pytest.importorskip("scoringrules")
    u, reference = draws(7)
    values = oracle.crps_ensemble(reference.numpy(), u.movedim(0, -1).numpy(), estimator="fair")
    w = (GRID.weights() / GRID.weights().sum()).numpy()
    torch.testing.assert_close(crps(u, reference, PROBLEM), torch.from_numpy((values * w).sum((-2, -1))))


def test_crps_of_a_gaussian():
    # E|X - y| - E|X - X'|/2 for X normal and y = 0: sqrt(2/pi) - 1/sqrt(pi)
    problem = Problem(Grid((4000,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2)
    u = torch.randn(2, 1, 20, 1, 4000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = crps(u, torch.zeros(1, 20, 1, 4000, dtype=torch.float64), problem).mean().item()
    assert found == pytest.approx((math.sqrt(2) - 1) / math.sqrt(math.pi), rel=0.02)  # from two members only


def test_energy_score_of_one_point_is_the_crps():
    problem = Problem(Grid((1,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2)
    u, reference = torch.randn(6, 3, 2, 1, 1, dtype=torch.float64), torch.randn(3, 2, 1, 1, dtype=torch.float64)
    torch.testing.assert_close(energy_score(u, reference, problem), crps(u, reference, problem))


def test_energy_score_prefers_the_right_patterns():
    # members with the right law at every point, one set with and one without the reference's smoothness
    x = Grid((64,), (2 * math.pi,)).coordinates(0)
    problem = Problem(Grid((64,), (2 * math.pi,)), (Field("u"),), dt=1.0, n_frames=2)
    generator = torch.Generator().manual_seed(0)
    phase = 2 * math.pi * torch.rand(9, 2000, 1, 1, 1, dtype=torch.float64, generator=generator)
    waves = torch.cos(x + phase)
    rough = torch.cos(2 * math.pi * torch.rand(8, 2000, 1, 1, 64, dtype=torch.float64, generator=generator))
    smooth_score, rough_score = (energy_score(u, waves[0], problem).mean() for u in (waves[1:], rough))
    # ||cos(x + a) - cos(x + b)|| = sqrt(2) |sin((a - b)/2)|, on average 2 sqrt(2)/pi, and 1 for unrelated values
    assert smooth_score == pytest.approx(math.sqrt(2) / math.pi, rel=0.05)
    assert rough_score == pytest.approx(0.5, rel=0.02)
    smooth_crps, rough_crps = (crps(u, waves[0], problem).mean() for u in (waves[1:], rough))
    assert smooth_crps.item() == pytest.approx(rough_crps.item(), rel=0.05)


@pytest.mark.parametrize("members", [2, 3, 10])
def test_spread_equals_skill_where_the_reference_is_drawn_like_a_member(members):
    problem = Problem(Grid((2000,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2)
    both = 1.5 * torch.randn(
        members + 1, 1, 10, 1, 2000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    assert spread(both[1:], None, problem).mean().item() == pytest.approx(1.5, rel=0.02)
    assert skill(both[1:], both[0], problem).mean().item() == pytest.approx(1.5, rel=0.02)


def test_ranks():
    u, reference = torch.randn(2, 4, 1, 1, 1, 30000, generator=torch.Generator().manual_seed(0))[:, :, :1]
    flat = rank_counts(u, reference[0])
    assert (flat / flat.sum() - 0.2).abs().max() < 0.01 and flat.sum() == 30000
    narrow = rank_counts(0.3 * u, reference[0])[0]
    assert narrow[0] > 2 * narrow[2] and narrow[4] > 2 * narrow[2], "too little spread: the reference lies outside"
    tie = rank_counts(torch.zeros(3, 1, 1, 1, 1), torch.zeros(1, 1, 1, 1))
    assert tie.tolist() == [[0, 0.5, 0.5, 0]]
    mask = torch.zeros(1, 1, 30000)
    mask[..., :7] = 1
    assert rank_counts(u, reference[0], mask).sum() == 7


def test_agreement_is_the_correlation_of_members():
    x = Grid((32,), (2 * math.pi,)).coordinates(0)
    problem = Problem(Grid((32,), (2 * math.pi,)), (Field("u"),), dt=1.0, n_frames=2)
    u = torch.stack([torch.cos(x + shift) for shift in (0.0, 0.3, 0.9)]).reshape(3, 1, 1, 1, 32)
    expected = (math.cos(0.3) + math.cos(0.9) + math.cos(0.6)) / 3
    assert agreement(u, None, problem).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ENSEMBLE)
class TestAll:
    def test_members_that_are_the_reference(self, name):
        _, reference = draws()
        value = ENSEMBLE[name](reference.expand(3, *reference.shape), reference, PROBLEM)
        torch.testing.assert_close(value, torch.full_like(value, float(name == "agreement")), rtol=0, atol=1e-12)

    def test_units_and_order(self, name):
        u, reference = draws()
        value = ENSEMBLE[name](u, reference, PROBLEM)
        scale = 1 if name == "agreement" else 1000
        torch.testing.assert_close(ENSEMBLE[name](1000 * u[[2, 0, 3, 1]], 1000 * reference, PROBLEM), scale * value)

    def test_a_diverged_member_is_never_hidden(self, name):
        u, reference = draws()
        clean = ENSEMBLE[name](u, reference, PROBLEM)
        u[2, 1, 0, 0, 3, 3] = math.nan
        value = ENSEMBLE[name](u, reference, PROBLEM)
        assert value[1, 0, 0] == (-math.inf if name == "agreement" else math.inf)
        value[1, 0, 0] = clean[1, 0, 0]
        torch.testing.assert_close(value, clean)

    def test_points_outside_the_mask_do_not_count(self, name):
        u, reference = draws()
        mask = (torch.rand(2, len(FIELDS), *GRID.shape) > 0.4).double()
        clean = ENSEMBLE[name](u, reference, PROBLEM, mask)
        u[:, (mask == 0).unsqueeze(1).expand_as(reference)] = math.nan
        torch.testing.assert_close(ENSEMBLE[name](u, reference, PROBLEM, mask), clean)

    def test_one_member_is_no_ensemble(self, name):
        u, reference = draws()
        with pytest.raises(ValueError, match="at least two members, got 1; set members=8"):
            ENSEMBLE[name](u[:1], reference, PROBLEM)
