"""What is wrong with measures of others, each reproduced in a line next to ours, which is not.

tests/oracles/metrics asks the libraries themselves where they are installed.
"""

import math

import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.correlation import correlation
from pdekit.metrics.pointwise import nrmse, vrmse
from pdekit.metrics.spectra import log_spectral_distance, rmse_high, rmse_low, rmse_middle, sobolev_norm, spectral_nrmse

BOX = 2 * math.pi


def line(n):
    return Problem(Grid((n,), (BOX,)), (Field("u"),), dt=1.0, n_frames=2)


def one(u):
    return u.reshape(1, 1, 1, *u.shape)


def test_pdebench_adds_modes_of_one_quadrant():
    grid = Grid((32, 32), (1.0, 1.0))
    x, y = (BOX * axis for axis in grid.mesh())
    problem = Problem(grid, (Field("u"),), dt=1.0, n_frames=2)
    for error, seen in ((torch.cos(x + y), True), (torch.cos(x - y), False)):
        quadrant = torch.fft.fft2(error)[:16, :16].abs().square().sum().sqrt() / 32**2
        assert (quadrant > 0.1) == seen
        bands = [band(one(error), one(0 * error), problem).item() for band in (rmse_low, rmse_middle, rmse_high)]
        assert math.hypot(*bands) == pytest.approx(error.square().mean().sqrt().item(), rel=1e-12)


@pytest.mark.parametrize("n", [8, 64])
def test_the_well_correlates_a_field_with_itself_to_less_than_one(n):
    u = torch.randn(n, dtype=torch.float64)
    biased = ((u - u.mean()) ** 2).mean()
    assert (biased / (u.std() * u.std())).item() == pytest.approx((n - 1) / n, rel=1e-12)
    assert correlation(one(u), one(u), line(n)).item() == 1


def test_the_well_adds_a_constant_with_a_unit_to_the_variance():
    # a concentration of micromoles in mol: the same forecast in another unit
    u, error = torch.sin(line(32).grid.coordinates(0)), 0.1 * torch.cos(line(32).grid.coordinates(0))
    for unit in (1.0, 1e-6):
        theirs = ((unit * error).square().mean() / ((unit * u).var() + 1e-7)).sqrt()
        assert (theirs.item() == pytest.approx(0.1, rel=0.02)) == (unit == 1.0)
        assert vrmse(one(unit * (u + error)), one(unit * u), line(32)).item() == pytest.approx(0.1, rel=1e-12)


def test_exponax_and_jax_cfd_do_not_centre():
    u, v = 300 + torch.randn(2, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert (u @ v / (u.norm() * v.norm())).item() > 0.9999, "two unrelated temperatures"
    assert abs(correlation(one(u), one(v), line(64)).item()) < 0.4


def test_exponax_cuts_small_coefficients_by_an_absolute_threshold():
    # the tail of a dissipative spectrum, and all of a field in small units
    n, x = 64, line(64).grid.coordinates(0)
    reference, u = torch.sin(x) + 1e-6 * torch.sin(9 * x), torch.sin(x) + 3e-6 * torch.sin(9 * x)

    def cut(v):
        v_hat = torch.fft.rfft(v, norm="forward")
        return torch.where(v_hat.abs() < 1e-5, 0, v_hat)

    assert (cut(u)[9], cut(reference)[9]) == (0, 0)
    assert spectral_nrmse(one(u), one(reference), line(n))[..., 9].item() == pytest.approx(2, rel=1e-6)
    assert log_spectral_distance(one(1e-6 * u), one(1e-6 * reference), line(n)).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("order", [-2, -1, 1, 2])
def test_torch_cfd_takes_the_root_of_its_weights_twice(order):
    n, norms, theirs = 64, [], []
    for m in (2, 4, 8, 16):
        wave = torch.cos(m * line(n).grid.coordinates(0))
        wave_hat = torch.fft.fft(wave, norm="forward")
        k = torch.fft.fftfreq(n, 1 / n).double()
        theirs.append((((1 + k**2).sqrt() ** (order / 2) * wave_hat.abs()).square().sum().sqrt()).item())
        norms.append(sobolev_norm(one(wave), line(n), order).item())
    assert norms[-1] / norms[-2] == pytest.approx(2**order, rel=0.02)
    assert theirs[-1] / theirs[-2] == pytest.approx(2 ** (order / 2), rel=0.02)


def test_torch_cfd_measures_order_one_at_order_zero():
    wave = torch.cos(7 * line(64).grid.coordinates(0))
    assert sobolev_norm(one(wave), line(64), 0).item() == pytest.approx(wave.square().mean().sqrt().item(), rel=1e-12)
    assert sobolev_norm(one(wave), line(64), 1).item() == pytest.approx(math.sqrt(50 / 2), rel=1e-12)


def test_torchmetrics_divides_by_a_norm_that_grows_with_the_number_of_points():
    for n in (16, 64):
        reference = torch.randn(n, dtype=torch.float64)
        theirs = (0.1 * reference).square().mean().sqrt() / reference.norm()
        assert theirs.item() == pytest.approx(0.1 / math.sqrt(n), rel=1e-12)
        assert nrmse(one(1.1 * reference), one(reference), line(n)).item() == pytest.approx(0.1, rel=1e-12)
