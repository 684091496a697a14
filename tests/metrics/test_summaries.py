"""Numbers of other papers: known values, order of reductions, and divergence that stays."""

import numpy as np
import pytest

from pdekit.metrics.summaries import conserved_rmse, geometric_mean_of_mean, window_mean


def test_the_mean_over_trajectories_comes_first():
    error = np.array([[1.0, 1.0], [100.0, 1.0]])
    assert geometric_mean_of_mean(error) == pytest.approx(np.sqrt(50.5))  # not the mean of 1 and 10, which is 5.5
    assert geometric_mean_of_mean(error, first=1) == pytest.approx(50.5)


def test_exponential_growth_has_the_error_of_its_middle():
    error = np.exp(0.1 * np.arange(201))[None]
    assert geometric_mean_of_mean(error, 101) == pytest.approx(np.exp(5.0))


def test_windows():
    error = np.arange(40.0).reshape(1, 40) ** 2
    assert window_mean(error, 6, 12)[0] == pytest.approx(np.mean(np.arange(6, 12) ** 2))
    with pytest.raises(ValueError, match="a window within 0:40, got 13:50; evaluate with horizon=50"):
        window_mean(error, 13, 50)


def test_what_is_made_and_what_is_lost_do_not_cancel():
    assert conserved_rmse(np.array([[1.0, 0.0], [-1.0, 0.0]])).tolist() == [1, 0]


@pytest.mark.parametrize("summary", [geometric_mean_of_mean, conserved_rmse, lambda e: window_mean(e, 0, 3)])
def test_divergence_stays(summary):
    error = np.ones((2, 4))
    error[1, 2] = np.inf
    assert np.isinf(summary(error)).any()
