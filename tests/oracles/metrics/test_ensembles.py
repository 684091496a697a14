"""Scores of ensembles next to scoringrules and properscoring."""

import numpy as np
import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.ensembles import crps, energy_score

scoringrules = pytest.importorskip("scoringrules")
properscoring = pytest.importorskip("properscoring")

pytestmark = pytest.mark.oracle

N = 48
PROBLEM = Problem(Grid((N,), (1.0,)), (Field("u"),), dt=1.0, n_frames=4)


@pytest.fixture(params=[2, 3, 10])
def draws(request):
    u = torch.randn(request.param, 2, 3, 1, N, dtype=torch.float64)
    return u, 0.5 + torch.randn(2, 3, 1, N, dtype=torch.float64)


def test_crps_is_their_fair_estimate(draws):
    u, reference = draws
    expected = scoringrules.crps_ensemble(reference.numpy(), u.numpy(), m_axis=0, estimator="fair").mean(-1)
    np.testing.assert_allclose(crps(u, reference, PROBLEM).numpy(), expected, rtol=1e-12, atol=1e-14)


def test_crps_is_that_of_the_finite_ensemble_less_what_few_members_add(draws):
    """properscoring integrates the squared difference of step functions: the difference of members counts n^2 times
    instead of n (n - 1) times. For ten members of a normal law theirs is 9 % larger."""
    u, reference = draws
    n = len(u)
    theirs = properscoring.crps_ensemble(reference.numpy(), u.movedim(0, -1).numpy()).mean(-1)
    pairs = (u.unsqueeze(0) - u.unsqueeze(1)).abs().sum((0, 1)).mean(-1).numpy()
    excess = pairs / 2 * (1 / (n * (n - 1)) - 1 / n**2)
    np.testing.assert_allclose(crps(u, reference, PROBLEM).numpy(), theirs - excess, rtol=1e-12, atol=1e-14)


def test_many_members_of_a_normal_law_have_its_closed_form():
    u = torch.randn(4000, 1, 1, 1, N, dtype=torch.float64)
    reference = torch.linspace(-2, 2, N, dtype=torch.float64).reshape(1, 1, 1, N)
    expected = properscoring.crps_gaussian(reference.numpy(), mu=0.0, sig=1.0).mean()
    assert float(crps(u, reference, PROBLEM)) == pytest.approx(expected, rel=0.01)


def test_energy_score_is_their_fair_estimate_over_the_root_of_the_size(draws):
    """Their norm is Euclidean, ours a root mean square, so that it does not grow with the grid."""
    u, reference = draws
    expected = scoringrules.es_ensemble(reference.numpy(), u.numpy(), m_axis=0, v_axis=-1, estimator="fair")
    found = energy_score(u, reference, PROBLEM)
    np.testing.assert_allclose(found.numpy(), expected / np.sqrt(N), rtol=1e-12, atol=1e-14)
