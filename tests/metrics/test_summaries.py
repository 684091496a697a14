"""Numbers of other papers: known values, order of reductions, and divergence that stays."""

import numpy as np
import pytest

from pdekit.metrics.summaries import (
    conserved_rmse,
    geometric_mean_of_mean,
    pooled_spectral_distance,
    pooled_wasserstein,
    window_mean,
)


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


class TestPooled:
    """32 short samples of one process, and of one that is a tenth wider."""

    generator = np.random.default_rng(0)
    levels = (np.arange(32) + 0.5) / 32

    def quantiles(self, scale, n=32):
        return np.quantile(scale * self.generator.standard_normal((n, 60)), self.levels, axis=1).T

    def test_together_they_tell_what_each_does_not(self):
        wide, same, reference = self.quantiles(1.1), self.quantiles(1.0), self.quantiles(1.0)
        single = np.median([pooled_wasserstein(a[None], b[None]) for a, b in zip(same, reference, strict=True)])
        floor = pooled_wasserstein(reference[:16], reference[16:])
        assert pooled_wasserstein(same, reference) < floor < single
        # E|0.1 z| = 0.08
        assert pooled_wasserstein(wide, reference) == pytest.approx(0.08, abs=0.03) and single > 0.1

    def test_spectra_are_averaged_first(self):
        reference = self.generator.exponential(size=(4, 200, 50)) * np.exp(-np.arange(50) / 10)
        same = self.generator.permuted(reference, axis=1)
        single = pooled_spectral_distance(same[:, :1], reference[:, :1])
        assert (pooled_spectral_distance(same, reference) < 1e-12).all() and (single > 0.3).all()
        half = pooled_spectral_distance(0.5 * same, reference)
        assert half == pytest.approx(np.full(4, np.log10(2)))
        tail = reference.copy()
        tail[..., -1] = 1e-12
        assert pooled_spectral_distance(reference, tail) == pytest.approx(np.zeros(4)), "rounding is not compared"

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_divergence_is_not_hidden(self, bad):
        reference, u = np.ones((2, 3, 5)), np.ones((2, 3, 5))
        u[1, 2, 3] = bad
        for summary in (pooled_wasserstein, pooled_spectral_distance):
            assert summary(u, reference).tolist() == [0, np.inf]
