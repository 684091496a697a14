"""The ensemble trained on the CRPS: the score is right, and members spread as much as the data leave open."""

import itertools
import math

import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.ensembles import crps
from pdekit.models.crps_ensemble import CRPSEnsemble, almost_fair_crps
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem


@pytest.fixture
def errors():
    return torch.randn(5, 3, 2, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("fairness", [0.0, 0.95, 1.0])
def test_the_score_is_the_sum_over_all_pairs(errors, fairness):
    n, epsilon = len(errors), (1 - fairness) / len(errors)
    pairs = sum(
        errors[i].abs() + errors[j].abs() - (1 - epsilon) * (errors[i] - errors[j]).abs()
        for i, j in itertools.permutations(range(n), 2)
    )
    torch.testing.assert_close(almost_fair_crps(errors, fairness), pairs / (2 * n * (n - 1)))


def test_the_fair_score_is_the_measure_of_the_evaluation(errors):
    problem = Problem(Grid((7,), (1.0,)), (Field("u"), Field("v")), dt=1.0, n_frames=2)
    measured = crps(errors[:, :, None], torch.zeros(3, 1, 2, 7), problem)[:, 0]
    torch.testing.assert_close(almost_fair_crps(errors).mean(-1), measured)


def test_the_fair_score_of_two_members_is_that_of_a_gaussian():
    """Members N(0, s^2), reference at r: s (2 phi(w) + w (2 Phi(w) - 1) - 1 / sqrt(pi)) with w = r / s."""
    s, r = 0.7, 0.4
    members = s * torch.randn(2, 400_000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    w = r / s
    density = math.exp(-(w**2) / 2) / math.sqrt(2 * math.pi)
    exact = s * (2 * density + w * math.erf(w / math.sqrt(2)) - 1 / math.sqrt(math.pi))
    assert almost_fair_crps(members - r).mean().item() == pytest.approx(exact, rel=0.01)  # 4 standard errors


def test_the_loss_is_the_score_of_its_members(problem, batch):
    """A net whose members are the noise itself, in units of the change."""
    model = CRPSEnsemble(problem, PointwiseNet, n_noise=2, members=3, fairness=1.0).double()
    model.calibrate([batch])
    seen = []

    def noise_itself(u, scalars):
        seen.append(scalars)
        return scalars[:, :, None].expand(-1, -1, 8)

    model.net = FunctionNet(noise_itself)
    loss, logged = model.loss(batch)
    inside = model.normalised(batch).u
    wanted = (inside[:, 1] - inside[:, 0]) / model.scale(inside[:, 0])
    members = seen[0].unflatten(0, (3, 3))[..., None].expand(-1, -1, -1, 8)
    torch.testing.assert_close(loss, almost_fair_crps(members - wanted).mean())
    assert set(logged) == {"loss", "spread", "error"}


def test_members_learn_the_spread_that_the_score_favours():
    """A change of mean 1 and deviation 0.5; the almost fair score of two members is lowest at 0.952 of the spread."""
    problem = make_problem(grid=Grid((2,), (1.0,)), fields=(Field("u"),), n_frames=2)
    batch = make_batch(problem, n=1024)
    batch.u[:, 1] = batch.u[:, 0] + 1 + 0.5 * batch.u[:, 1, ..., :1].sub(3).div(2)
    torch.manual_seed(0)
    model = CRPSEnsemble(problem, PointwiseNet, n_noise=1, members=2).double()
    model.calibrate([batch])
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(60):
        optimiser.zero_grad()
        model.loss(batch)[0].backward()
        optimiser.step()
    given = batch.frames(slice(0, 1)).samples(slice(0, 4))
    members = model.forecast(given, batch.t[:4, 1:], members=300, generator=torch.Generator().manual_seed(0))
    change = members[:, :, 0] - given.u[:, 0]
    assert change.mean().item() == pytest.approx(1.0, abs=0.06)
    assert change.std(0).mean().item() == pytest.approx(0.952 * 0.5, abs=0.03)


def test_what_lies_outside_the_mask_does_not_count():
    problem = make_problem(has_mask=True)
    model, batch = CRPSEnsemble(problem, PointwiseNet).double(), make_batch(problem)
    model.calibrate([batch])
    outside = (batch.mask == 0)[:, None].expand_as(batch.u)
    torch.manual_seed(0)
    loss = model.loss(batch)[0]
    batch.u[outside] = math.nan
    torch.manual_seed(0)
    again = model.loss(batch)[0]
    assert outside.any() and torch.equal(loss, again)
    again.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize("options", [dict(target="delta"), dict(members=1), dict(n_noise=0), dict(fairness=1.1)])
def test_impossible_options_are_refused(problem, options):
    with pytest.raises(ValueError, match="expected"):
        CRPSEnsemble(problem, PointwiseNet, **options)
