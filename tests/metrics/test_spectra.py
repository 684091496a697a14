"""Spectra: Parseval on every kind of grid, known modes, a slow transform, and the defects of others."""

import cmath
import itertools
import math

import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics import shells
from pdekit.metrics.pointwise import rmse
from pdekit.metrics.quadrature import average
from pdekit.metrics.spectra import (
    coherence,
    coherent_wavenumber,
    energy_spectrum,
    frmse_high,
    frmse_low,
    frmse_mid,
    log_spectral_distance,
    relative_h1,
    rmse_high,
    rmse_low,
    rmse_middle,
    sobolev_norm,
    spectral_nrmse,
    wavenumbers,
)  # fmt: skip

TWO_PI = 2 * math.pi
GRIDS = [
    Grid((8,), (TWO_PI,)),
    Grid((9,), (3.0,)),
    Grid((8, 8), (1.0, 1.0)),
    Grid((7, 12), (1.0, 2.0)),
    Grid((4, 5, 6), (1.0, 2.0, 1.0)),
    Grid((10,), (1.0,), layout=("cells",)),
    Grid((7,), (1.0,), layout=("half_open",)),
    Grid((11,), (1.0,), layout=("nodes",)),
    Grid((6, 7, 5), (1.0, 1.0, 2.0), layout=("nodes", "periodic", "cells")),
]


def problem_on(grid):
    return Problem(grid, (Field("a"), Field("b")), dt=1.0, n_frames=2)


def one(u):
    return u.expand(1, 1, 2, *u.shape)


@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: f"{g.shape} {'/'.join(g.layout)}")
def test_parseval(grid):
    problem = problem_on(grid)
    u = torch.randn(2, 3, 2, *grid.shape, dtype=torch.float64) + 0.5
    spectrum = energy_spectrum(u, None, problem)
    torch.testing.assert_close(spectrum.sum(-1), average(u**2, problem) / 2, rtol=1e-12, atol=0)
    assert spectrum.shape[-1] == len(wavenumbers(grid))


@pytest.mark.parametrize("grid", [GRIDS[1], GRIDS[3], Grid((4, 3, 5), (1.0, 1.0, 2.0))], ids=lambda g: str(g.shape))
def test_agrees_with_a_slow_transform(grid):
    u = torch.randn(*grid.shape, dtype=torch.float64)
    unit = TWO_PI / max(grid.extent)
    expected = [0.0] * len(wavenumbers(grid))
    modes = [range(-(n // 2) if n % 2 else -(n // 2) + 1, n // 2 + 1) for n in grid.shape]
    for mode in itertools.product(*modes):
        k = math.sqrt(sum((TWO_PI * m / length) ** 2 for m, length in zip(mode, grid.extent, strict=True)))
        amplitude = 0
        for point in itertools.product(*(range(n) for n in grid.shape)):
            phase = sum(m * i / n for m, i, n in zip(mode, point, grid.shape, strict=True))
            amplitude += u[point].item() * cmath.exp(-2j * math.pi * phase)
        expected[math.floor(k / unit + 0.5)] += abs(amplitude / u.numel()) ** 2 / 2
    result = energy_spectrum(one(u), None, problem_on(grid))[0, 0, 0]
    torch.testing.assert_close(result, torch.tensor(expected, dtype=torch.float64), rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("sign", [1, -1])
def test_modes_of_mixed_sign_count(sign):
    # PDEBench's bands lose cos(x - y) and keep cos(x + y)
    grid = Grid((16, 16), (TWO_PI, TWO_PI))
    x, y = grid.mesh()
    error = torch.cos(3 * x + sign * 4 * y)
    spectrum = energy_spectrum(one(error), None, problem_on(grid))[0, 0, 0]
    assert spectrum[5].item() == pytest.approx(0.25, rel=1e-13) and spectrum.sum().item() == pytest.approx(0.25)


def test_shells_of_an_oblong_box_are_wavenumbers_not_indices():
    # one wave across the short side of length 1 is as short as four along the side of length 4
    grid = Grid((8, 32), (1.0, 4.0))
    x, y = grid.mesh()
    for wave in (torch.cos(TWO_PI * x), torch.cos(TWO_PI * y)):
        spectrum = energy_spectrum(one(wave), None, problem_on(grid))[0, 0, 0]
        assert wavenumbers(grid)[spectrum.argmax()].item() == pytest.approx(TWO_PI)


def test_a_cosine_on_a_bounded_axis_is_one_mode():
    for layout in ("nodes", "cells"):
        grid = Grid((20,), (2.0,), layout=(layout,))
        u = torch.cos(3 * math.pi * grid.coordinates(0) / 2.0)  # one and a half waves on a length of 2
        spectrum = energy_spectrum(one(u), None, problem_on(grid))[0, 0, 0]
        assert wavenumbers(grid)[spectrum.argmax()].item() == pytest.approx(3 * math.pi / 2)
        assert spectrum.max().item() == pytest.approx(0.25, rel=1e-12)


def test_error_of_one_shell_stays_in_its_shell():
    grid = Grid((32,), (TWO_PI,))
    x = grid.coordinates(0)
    reference = torch.cos(2 * x) + 0.1 * torch.cos(5 * x)
    u = torch.cos(2 * x) + 0.1 * torch.cos(5 * x + math.pi / 3)  # |1 - exp(i pi/3)| = 1
    value = spectral_nrmse(one(u), one(reference), problem_on(grid))[0, 0, 0]
    assert value[5].item() == pytest.approx(1, rel=1e-12) and value[2].item() < 1e-13
    nothing = spectral_nrmse(one(0 * u), one(reference), problem_on(grid))[0, 0, 0]
    assert nothing[[2, 5]].tolist() == pytest.approx([1, 1])


def test_log_spectral_distance():
    grid = Grid((32,), (TWO_PI,))
    x, problem = grid.coordinates(0), problem_on(grid)
    reference = torch.cos(2 * x) + 0.1 * torch.cos(5 * x) + 1e-9 * torch.cos(9 * x)

    def distance(u):
        return log_spectral_distance(one(u), one(reference), problem)[0, 0, 0].item()

    assert distance(torch.cos(2 * x + 1) + 0.1 * torch.cos(5 * x - 2)) == pytest.approx(0, abs=1e-12)  # phases only
    weaker = torch.cos(2 * x) + 0.01 * torch.cos(5 * x) + 1e-9 * torch.cos(9 * x)
    assert distance(weaker) == pytest.approx(2 / math.sqrt(2), rel=1e-9)  # two decades of energy in one of two shells
    assert distance(0 * x) == math.inf
    assert log_spectral_distance(one(x), one(0 * x), problem).isinf().all()
    assert (log_spectral_distance(one(0 * x), one(0 * x), problem) == 0).all()


@pytest.mark.parametrize("grid", [g for g in GRIDS if "nodes" not in g.layout], ids=lambda g: f"{g.shape} {g.layout}")
def test_the_squares_of_the_bands_add_up(grid):
    u, reference = torch.randn(2, 2, 3, 2, *grid.shape, dtype=torch.float64)
    bands = sum(band(u, reference, problem_on(grid)) ** 2 for band in (rmse_low, rmse_middle, rmse_high))
    torch.testing.assert_close(bands.sqrt(), rmse(u, reference, problem_on(grid)), rtol=1e-12, atol=0)


def pdebench_bands(error):
    """PDEBench's band errors of a square field as its code has them: wavenumbers from 0 to n/2 along both axes only."""
    n = len(error)
    power = torch.fft.fft2(error).abs() ** 2
    bins = torch.zeros(n // 2, dtype=torch.float64)
    for i, j in itertools.product(range(n // 2), repeat=2):
        k = math.floor(math.hypot(i, j))
        if k < n // 2:
            bins[k] += power[i, j]
    bins = bins.sqrt() / n**2
    return [part.mean().item() for part in (bins[:4], bins[4:12], bins[12:])]


def test_an_error_of_mixed_sign_is_seen_where_pdebench_sees_none():
    grid = Grid((32, 32), (1.0, 1.0))
    x, y = grid.mesh()
    for sign in (1, -1):
        error = torch.cos(TWO_PI * (x + sign * y))
        ours = [band(one(error), one(0 * error), problem_on(grid)).max().item() for band in
                (rmse_low, rmse_middle, rmse_high)]  # fmt: skip
        assert ours == pytest.approx([math.sqrt(0.5), 0, 0], abs=1e-12)
        by_name = [band(one(error), one(0 * error), problem_on(grid)).max().item() for band in
                   (frmse_low, frmse_mid, frmse_high)]  # fmt: skip
        assert by_name == pytest.approx([math.sqrt(0.5) / 4, 0, 0], abs=1e-12), "one of four shells"
        assert (max(pdebench_bands(error)) > 0.1) == (sign == 1)


def test_coherence_is_the_cosine_of_a_phase_error_at_its_scale():
    grid = Grid((32,), (TWO_PI,))
    x, problem = grid.coordinates(0), problem_on(grid)
    reference = torch.cos(2 * x) + 0.1 * torch.cos(5 * x) + torch.cos(7 * x)
    u = torch.cos(2 * x) + 0.7 * torch.cos(5 * x + 1.0)  # too strong and shifted; nothing at 7
    value = coherence(one(u), one(reference), problem)[0, 0, 0]
    assert value[[2, 5]].tolist() == pytest.approx([1, math.cos(1.0)], abs=1e-12)
    # where only the reference has energy the spectrum of the forecast is rounding
    assert coherence(one(0 * u), one(reference), problem)[0, 0, 0, 7] == 0


def test_coherence_of_noise_falls_as_the_noise_does_not():
    grid, generator = Grid((64, 64), (1.0, 1.0)), torch.Generator().manual_seed(0)
    noise = torch.randn(2, 40, 1, 2, 64, 64, dtype=torch.float64, generator=generator)
    value = coherence((noise[0] + noise[1])[None], noise[0], problem_on(grid))
    assert value[..., 5:40].mean().item() == pytest.approx(1 / math.sqrt(2), abs=0.01)


class TestCoherentWavenumber:
    grid = Grid((64,), (TWO_PI,))

    def of(self, *waves):
        """Waves (k, amplitude, phase error) on a mean."""
        x = self.grid.coordinates(0)
        reference = 3 + sum(a * torch.cos(k * x) for k, a, _ in waves)
        u = 3 + sum(a * torch.cos(k * x + error) for k, a, error in waves)
        return coherent_wavenumber(one(u), one(reference), problem_on(self.grid))[0, 0, 0].item()

    def test_the_crossing_is_interpolated_between_filled_shells(self):
        # coherence 1, cos(1), cos(1.2), -1 at k = 2, 6, 10, 20
        value = self.of((2, 1.0, 0.0), (6, 1.0, 1.0), (10, 0.1, 1.2), (20, 0.01, math.pi))
        a, b = math.cos(1.0), math.cos(1.2)
        assert value == pytest.approx(6 + 4 * (a - 0.5) / (a - b), rel=1e-9)

    def test_the_first_fall_counts(self):
        assert self.of((2, 1.0, 0.0), (6, 1.0, math.pi / 2), (10, 1.0, 0.0)) == pytest.approx(4)

    def test_a_fall_at_the_largest_scale_is_interpolated_from_one(self):
        assert self.of((2, 1.0, math.pi)) == pytest.approx(0.5)

    def test_what_the_reference_does_not_fill_is_passed_over(self):
        assert self.of((2, 1.0, 0.0), (6, 1e-5, math.pi), (9, 0.5, 0.1)) == 32
        assert coherent_wavenumber(one(-self.grid.coordinates(0)), one(torch.ones(64).double()),
                                   problem_on(self.grid))[0, 0, 0] == 32  # fmt: skip

    def test_lengths_count(self):
        grid = Grid((64,), (2.0,))
        x = grid.coordinates(0)
        value = coherent_wavenumber(one(torch.sin(math.pi * 4 * x)), one(torch.cos(math.pi * 4 * x)), problem_on(grid))
        assert value[0, 0, 0].item() == pytest.approx(2 * math.pi)  # half of 4 pi


@pytest.mark.parametrize("order", [-2, -1, 0, 1, 2])
def test_sobolev_norms_of_waves(order):
    # (1 + k^2)^(s/2); torch-cfd takes the root twice, and halves the order
    grid = Grid((64,), (1.0,))
    norms = []
    for m in (1, 2, 4, 8):
        wave = one(torch.cos(TWO_PI * m * grid.coordinates(0)))
        expected = math.sqrt(0.5) * (1 + (TWO_PI * m) ** 2) ** (order / 2)
        assert sobolev_norm(wave, problem_on(grid), order).max().item() == pytest.approx(expected, rel=1e-12)
        norms.append(expected)
    assert norms[3] / norms[2] == pytest.approx(2**order, rel=2e-3)


def test_relative_h1_is_that_of_the_exact_gradient():
    grid = Grid((16, 20), (1.0, 2.0))
    x, y = (TWO_PI * v for v in grid.mesh())
    reference, error = torch.sin(3 * x) * torch.cos(2 * y), 0.01 * torch.cos(x + y)
    # y has period 2: cos(2 pi m y) has m = 1/2 waves on a unit, and |grad|^2 is that of the two factors
    norms = [0.25 * (1 + TWO_PI**2 * (9 + 4)), 0.5e-4 * (1 + TWO_PI**2 * 2)]
    value = relative_h1(one(reference + error), one(reference), problem_on(grid))[0, 0, 0].item()
    assert value == pytest.approx(math.sqrt(norms[1] / norms[0]), rel=1e-10)


@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: f"{g.shape} {'/'.join(g.layout)}")
def test_modes_are_weighted_as_those_that_a_real_transform_leaves_out_require(grid):
    modes, u = shells.Shells(grid), torch.randn(2, 3, *grid.shape, dtype=torch.float64)
    u_hat = modes.transform(u)
    assert modes.multiplicity.sum() == math.prod(modes.counts) and (modes.index == 0).sum() == 1
    if grid.periodic:
        torch.testing.assert_close(modes.total(u_hat, torch.ones(())), u.square().mean(tuple(range(-grid.ndim, 0))))
    by_shell = torch.stack([modes.total(u_hat, (modes.index == j).double()) for j in range(modes.n)], -1)
    torch.testing.assert_close(
        modes.total(u_hat, modes.index.double()), by_shell @ torch.arange(modes.n, dtype=torch.float64)
    )
