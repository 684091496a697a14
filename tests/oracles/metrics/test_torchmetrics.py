"""Errors next to torchmetrics where it is right, and its normalisation that is not."""

from math import sqrt

import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.correlation import correlation
from pdekit.metrics.ensembles import crps
from pdekit.metrics.pointwise import mae, nrmse, rmse, vrmse

tm = pytest.importorskip("torchmetrics.functional")
regression = pytest.importorskip("torchmetrics.regression")

pytestmark = pytest.mark.oracle

SHAPE = (16, 12)
PROBLEM = Problem(Grid(SHAPE, (1.0, 1.0)), (Field("u"),), dt=1.0, n_frames=2)


@pytest.fixture
def pair():
    u, reference = torch.randn(2, 1, 1, 1, *SHAPE, dtype=torch.float64)
    return u + 0.8 * reference + 3, reference + 2


def one(measure, u, reference):
    return float(measure(u[None], reference, PROBLEM))


def test_errors_and_correlation(pair):
    u, reference = (v.flatten() for v in pair)
    assert one(rmse, *pair) == pytest.approx(float(tm.mean_squared_error(u, reference, squared=False)), rel=1e-12)
    assert one(mae, *pair) == pytest.approx(float(tm.mean_absolute_error(u, reference)), rel=1e-12)
    assert one(correlation, *pair) == pytest.approx(float(tm.pearson_corrcoef(u, reference)), rel=1e-10)


def test_the_share_of_variance_explained_is_one_minus_the_square_of_vrmse(pair):
    u, reference = (v.flatten() for v in pair)
    assert 1 - one(vrmse, *pair) ** 2 == pytest.approx(float(tm.r2_score(u, reference)), rel=1e-10)
    by_deviation = regression.NormalizedRootMeanSquaredError(normalization="std")(u, reference)
    assert one(vrmse, *pair) == pytest.approx(float(by_deviation), rel=1e-6)


def test_their_error_over_the_euclidean_norm_is_too_small_by_the_root_of_the_size(pair):
    """A root mean square over a root sum of squares: a forecast of zero has the error 1/sqrt(n)."""
    u, reference = (v.flatten() for v in pair)
    theirs = regression.NormalizedRootMeanSquaredError(normalization="l2")
    n = u.numel()
    assert one(nrmse, *pair) == pytest.approx(sqrt(n) * float(theirs(u, reference)), rel=1e-6)
    assert one(nrmse, 0 * pair[0], pair[1]) == 1.0
    theirs.reset()
    assert float(theirs(0 * u, reference)) == pytest.approx(1 / sqrt(n), rel=1e-6)


def test_their_crps_is_that_of_the_finite_ensemble():
    """Ours is fair: without what a finite number of members adds, 1/(2 n^2 (n - 1)) of the sum of differences."""
    u, reference = torch.randn(5, 1, 1, 1, *SHAPE, dtype=torch.float64), torch.randn(1, 1, 1, *SHAPE).double()
    theirs = regression.ContinuousRankedProbabilityScore()(u.flatten(1).T, reference.flatten())
    differences = (u.unsqueeze(0) - u.unsqueeze(1)).abs().sum((0, 1)).mean()
    excess = differences / 2 * (1 / 20 - 1 / 25)
    assert float(crps(u, reference, PROBLEM)) == pytest.approx(float(theirs - excess), rel=1e-6)
