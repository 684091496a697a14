"""Known values of the pointwise measures and of the correlation, and the defects of others."""

import math

import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.correlation import correlation, correlation_all
from pdekit.metrics.pointwise import boundary_rmse, max_error, nrmse, rmse, vrmse
from pdekit.metrics.quadrature import joint


def problem_of(grid, *fields):
    return Problem(grid, fields or (Field("u"),), dt=1.0, n_frames=2)


def frames(*channels):
    return torch.stack(channels)[None, None]


def test_quadrature_on_nodes_is_the_integral():
    # e = x on [0, 1] with both ends: the trapezoidal rule gives 1/3 + h^2/6 for the mean of x^2
    grid = Grid((11,), (1.0,), layout=("nodes",))
    x = grid.coordinates(0)
    value = rmse(frames(x), frames(torch.zeros_like(x)), problem_of(grid)).item()
    assert value == pytest.approx(math.sqrt(1 / 3 + 0.01 / 6), rel=1e-14)


def test_vrmse_of_the_mean_is_one():
    u = torch.randn(2, 3, 1, 8, 8, dtype=torch.float64) + 5
    mean = u.mean((-2, -1), keepdim=True).expand_as(u)
    value = vrmse(mean, u, problem_of(Grid((8, 8), (1.0, 1.0))))
    torch.testing.assert_close(value, torch.ones_like(value), rtol=1e-12, atol=0)


def test_a_component_that_vanishes_is_measured_against_its_vector():
    # a uniform stream along x with a small spurious flow along y: 5 % of the speed, not infinitely wrong
    problem = problem_of(Grid((4,), (1.0,)), Field("u", vector="velocity"), Field("v", vector="velocity"))
    stream, still = torch.full((4,), 2.0, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    value = nrmse(frames(stream, still + 0.1), frames(stream, still), problem)
    torch.testing.assert_close(value, torch.full_like(value, 0.05))


def test_nrmse_of_a_vector_is_invariant_under_rotation():
    problem = problem_of(Grid((16,), (1.0,)), Field("u", vector="velocity"), Field("v", vector="velocity"))
    u, reference = torch.randn(2, 1, 1, 2, 16, dtype=torch.float64)
    c, s = math.cos(0.7), math.sin(0.7)
    rotation = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    turned = [torch.einsum("ij,btjx->btix", rotation, v) for v in (u, reference)]
    for measure in (nrmse, correlation):
        centred = [v - v.mean(-1, keepdim=True) for v in (u, reference)]
        turned_centred = [v - v.mean(-1, keepdim=True) for v in turned]
        torch.testing.assert_close(
            measure(*turned_centred, problem), measure(*centred, problem), rtol=1e-12, atol=1e-13
        )


def test_a_zero_reference():
    problem, zero = problem_of(Grid((4,), (1.0,))), torch.zeros(1, 1, 1, 4)
    assert nrmse(zero, zero, problem).item() == 0
    assert nrmse(zero + 1e-9, zero, problem).item() == math.inf
    assert vrmse(zero + 3, zero + 3, problem).item() == 0
    assert vrmse(zero + 3.1, zero + 3, problem).item() == math.inf


def test_max_error_is_the_largest_and_keeps_a_nan():
    problem, zero = problem_of(Grid((4,), (1.0,))), torch.zeros(1, 1, 1, 4)
    assert max_error(torch.tensor([[[[1.0, -7.0, 2.0, 0.0]]]]), zero, problem).item() == 7
    assert max_error(torch.tensor([[[[1.0, -7.0, math.nan, 0.0]]]]), zero, problem).item() == math.inf


class TestCorrelation:
    problem = problem_of(Grid((64,), (2 * math.pi,)))
    x = problem.grid.coordinates(0)

    @pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, math.pi / 2, 2.5, math.pi])
    def test_of_shifted_waves_is_the_cosine_of_the_shift(self, shift):
        value = correlation(frames(torch.sin(self.x)), frames(torch.sin(self.x + shift)), self.problem).item()
        assert value == pytest.approx(math.cos(shift), abs=1e-14)

    def test_ignores_offset_and_scale(self):
        u, v = torch.randn(2, 1, 1, 1, 64, dtype=torch.float64)
        expected = correlation(u, v, self.problem)
        torch.testing.assert_close(correlation(3 * u + 100, 0.1 * v - 7, self.problem), expected, rtol=0, atol=1e-13)
        uncentred = ((u + 100) * (v + 100)).mean() / ((u + 100).square().mean() * (v + 100).square().mean()).sqrt()
        assert uncentred > 0.99 > abs(expected.item())  # what the un-centred form of others would say

    @pytest.mark.parametrize("n", [8, 64, 4096])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_of_a_field_with_itself_is_exactly_one(self, n, dtype):
        # the biased covariance over unbiased deviations of The Well gives (n - 1)/n
        u = torch.randn(3, 2, 1, n, dtype=dtype) * 10 + 273
        assert (correlation(u.expand(4, -1, -1, -1, -1), u, problem_of(Grid((n,), (1.0,)))) == 1).all()

    def test_of_constant_fields(self):
        flat, wave = torch.full((1, 1, 1, 64), 0.1, dtype=torch.float64), frames(torch.sin(self.x))
        assert correlation(flat, wave, self.problem).item() == 0
        assert correlation(wave, flat, self.problem).item() == 0
        assert correlation(flat + 0.2, flat, self.problem).item() == 1

    @pytest.mark.parametrize("shape", [(64,), (101,), (85, 85), (31, 33, 35)])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_of_constant_fields_whatever_their_size(self, shape, dtype):
        # spectra of constants have rounding where there should be nothing
        problem, generator = problem_of(Grid(shape, (1.0,) * len(shape))), torch.Generator().manual_seed(0)
        for value in (0.1, 300.0, 1e-5):
            flat = torch.full((1, 1, 1, *shape), value, dtype=dtype)
            noise = torch.randn(flat.shape, dtype=dtype, generator=generator)
            assert correlation(flat, noise, problem).item() == 0 == correlation(noise, flat, problem).item()
            assert correlation(flat + 1, flat, problem).item() == 1

    def test_resolves_the_distance_from_one(self):
        # rho = cos(shift) = 1 - shift^2/2; a quotient of sums in float32 could not resolve 1e-8
        u = frames(torch.sin(self.x)).double()
        v = frames(torch.sin(self.x + 1e-7)).double()
        assert 1 - correlation(u, v, self.problem).item() == pytest.approx(5e-15, rel=0.05)

    def test_over_all_channels_is_the_flattened_one(self):
        problem = problem_of(Grid((16,), (1.0,)), Field("a"), Field("b"))
        u, v = torch.randn(2, 3, 2, 2, 16, dtype=torch.float64) + torch.tensor([[0.0], [2.0]], dtype=torch.float64)
        value = correlation_all(u, v, problem)
        expected = torch.corrcoef(torch.stack([u[1, 1].flatten(), v[1, 1].flatten()]))[0, 1]
        torch.testing.assert_close(value[1, 1], expected.expand(2), rtol=1e-12, atol=0)
        assert (value[1, 1] - correlation(u, v, problem)[1, 1]).abs().max() > 0.1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_diverged_forecast_of_a_constant_reference_has_the_worst_correlation(bad):
    reference = torch.ones(1, 1, 1, 8, dtype=torch.float64)
    u = reference.clone()
    u[..., 3] = bad
    problem = problem_of(Grid((8,), (1.0,)))
    assert correlation(u, reference, problem).item() == correlation_all(u, reference, problem).item() == -math.inf
    assert correlation(reference + 1, reference, problem).item() == 1, "neither has a pattern"


@pytest.mark.parametrize("bad", [0.0, 1.0, math.nan])
def test_an_edge_without_points_has_no_error(bad):
    """It was 0 for a forecast of NaN: perfect."""
    problem = Problem(Grid((5,), (1.0,), layout=("nodes",)), (Field("a"), Field("b")), dt=1.0, n_frames=1)
    mask = torch.tensor([[0.0, 1, 1, 1, 0], [1, 1, 1, 1, 1]])[None]
    reference = torch.zeros(1, 1, 2, 5)
    found = boundary_rmse(reference + bad, reference, problem, mask)[0, 0]
    assert found[0].isnan() and found[1] == (math.inf if math.isnan(bad) else bad)


def test_the_joint_value_is_a_mean_over_components():
    vectors = (Field("a"), Field("u", vector="v"), Field("w", vector="v"))
    problem = Problem(Grid((4,), (1.0,)), vectors, dt=1.0, n_frames=1)
    assert joint(torch.tensor([5.0, 1.0, 3.0]), problem).tolist() == [5.0, 2.0, 2.0]
    shells = torch.tensor([[5.0, 6.0], [1.0, 2.0], [3.0, 8.0]])
    assert joint(shells, problem, -2).tolist() == [[5.0, 6.0], [2.0, 5.0], [2.0, 5.0]]
