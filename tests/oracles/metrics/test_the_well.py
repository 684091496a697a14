"""Errors next to The Well's, and what is wrong with its correlation and its distance of histograms."""

from types import SimpleNamespace

import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.correlation import correlation
from pdekit.metrics.pointwise import mae, max_error, nrmse, rmse, vrmse
from pdekit.metrics.series import wasserstein

theirs = pytest.importorskip("the_well.benchmark.metrics")

pytestmark = pytest.mark.oracle

SHAPE = (12, 10)
N = 120
PROBLEM = Problem(Grid(SHAPE, (1.0, 1.0)), (Field("u"), Field("v")), dt=1.0, n_frames=3)
META = SimpleNamespace(n_spatial_dims=2)


@pytest.fixture
def pair():
    u, reference = torch.randn(2, 3, 2, 2, *SHAPE, dtype=torch.float64)
    return u + reference, 2 * reference + 5


def last(v):
    """Channels last, as The Well has them."""
    return v.movedim(2, -1)


@pytest.mark.parametrize(("ours", "name"), [(rmse, "RMSE"), (mae, "MAE"), (nrmse, "NRMSE"), (max_error, "LInfinity")])
def test_errors_agree(pair, ours, name):
    expected = getattr(theirs, name).eval(last(pair[0]), last(pair[1]), META)
    torch.testing.assert_close(ours(pair[0][None], pair[1], PROBLEM)[0], expected, rtol=1e-6, atol=0)


def test_vrmse_agrees_up_to_their_unbiased_variance(pair):
    expected = theirs.VRMSE.eval(last(pair[0]), last(pair[1]), META)
    found = vrmse(pair[0][None], pair[1], PROBLEM)[0]
    torch.testing.assert_close(found * ((N - 1) / N) ** 0.5, expected, rtol=1e-6, atol=0)


def test_their_correlation_of_a_field_with_itself_is_below_one(pair):
    """A covariance over n and deviations over n - 1."""
    own = theirs.PearsonR.eval(last(pair[1]), last(pair[1]), META)
    torch.testing.assert_close(own, torch.full_like(own, (N - 1) / N), rtol=1e-6, atol=0)
    assert (correlation(pair[1][None], pair[1], PROBLEM) == 1).all()
    found = correlation(pair[0][None], pair[1], PROBLEM)[0]
    expected = theirs.PearsonR.eval(last(pair[0]), last(pair[1]), META)
    torch.testing.assert_close(found * (N - 1) / N, expected, rtol=1e-6, atol=1e-9)


def test_their_distance_of_histograms_is_ours_before_its_normalisation(pair):
    """It divides by the mean square and not by its root: in another unit the same distance is another number."""
    from the_well.benchmark.metrics.temporal import HistogramW1

    def series(v):  # "batch channel point time"
        return v.movedim(1, -1).flatten(2, 3)

    plain = HistogramW1.eval(last(pair[0]), last(pair[1]), META, normalize=False)[:, 0]
    torch.testing.assert_close(wasserstein(series(pair[0]), series(pair[1])), plain)
    metres, millimetres = (
        HistogramW1.eval(scale * last(pair[0]), scale * last(pair[1]), META)[:, 0] for scale in (1.0, 1000.0)
    )
    torch.testing.assert_close(metres, 1000 * millimetres, rtol=1e-6, atol=0)
