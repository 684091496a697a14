"""Every sampler draws what it declares: spectrum, energy, divergence, peak; the same function on every grid."""

import numpy as np
import pytest
import torch

from pdekit.calculus import Fourier
from pdekit.fields import Field, Grid
from pdekit.pdes import CompressibleEuler, KortewegDeVries, NavierStokes2D, NonlinearSchroedinger
from pdekit.recipes import initial
from pdekit.recipes.initial.gaussian_bumps import periodic_gaussian
from pdekit.recipes.initial.modes import half_lattice, sum_of_modes
from pdekit.solvers import etdrk, integrate

U, V, W = Field("u"), Field("v"), Field("w")
SAMPLERS = [
    (initial.RandomFourierSeries(), 1, (U,)),
    (initial.RandomFourierSeries(max_mode=2), 2, (U, V)),
    (initial.GaussianRandomField(max_mode=6), 1, (U, V)),
    (initial.GaussianRandomField(max_mode=5, exponent=0.0, mean=0.3), 2, (U,)),
    (initial.FilteredVelocity(max_mode=7), 2, (U,)),
    (initial.FilteredVelocity(max_mode=7), 2, (U, V)),
    (initial.FilteredVelocity(max_mode=4, peak=2.0), 3, (U, V, W)),
    (initial.McWilliams(max_mode=7), 2, (U,)),
    (initial.GaussianBumps(signed=True, zero_mean=True), 2, (U,)),
    (initial.Rescaled(initial.RandomFourierSeries(n_terms=2)), 1, (U, V)),
    (initial.PerlinPatches(), 1, (U,)),
    (initial.PerlinPatches(sharpness=2.0), 2, (U,)),
    (initial.PerlinPatches(cells=2), 3, (U,)),
    (initial.Seeds(max_mode=5), 2, (U, V)),
    (initial.KdVSolitons(), 1, (U,)),
    (initial.SchroedingerSolitons(), 1, (U, V)),
    (initial.Channels((initial.GaussianBumps(background=1.0), initial.Constant(0.5))), 1, (U, V)),
]
IDS = [f"{type(sampler).__name__}-{ndim}D-{len(fields)}" for sampler, ndim, fields in SAMPLERS]


def box(ndim, n=None, length=40.0, layout="periodic", origin=-3.0):
    n = n or {1: 96, 2: 36, 3: 18}[ndim]
    return Grid((n,) * ndim, (length,) * ndim, (origin,) * ndim, (layout,) * ndim)


def draw(sampler, grid, fields, seed=0):
    return sampler(grid, fields, np.random.default_rng(seed))


@pytest.mark.parametrize("sampler, ndim, fields", SAMPLERS, ids=IDS)
def test_the_same_function_on_every_grid(sampler, ndim, fields):
    coarse = draw(sampler, box(ndim), fields)
    n = box(ndim).shape[0]
    fine = draw(sampler, box(ndim, 2 * n), fields)
    assert coarse.dtype == torch.float64 and coarse.shape == (len(fields), *(n,) * ndim)
    torch.testing.assert_close(fine[(slice(None), *(slice(None, None, 2),) * ndim)], coarse, rtol=0, atol=1e-11)
    # cell centres of a grid with n cells are every second point of one with 2 n points, shifted by one
    centres = draw(sampler, box(ndim, layout="cells"), fields)
    torch.testing.assert_close(fine[(slice(None), *(slice(1, None, 2),) * ndim)], centres, rtol=0, atol=1e-11)


@pytest.mark.parametrize("sampler, ndim, fields", SAMPLERS, ids=IDS)
def test_another_seed_gives_another_function_of_the_same_kind(sampler, ndim, fields):
    one, other = draw(sampler, box(ndim), fields, 1), draw(sampler, box(ndim), fields, 2)
    assert (one - other).abs().max() > 1e-3
    assert torch.isfinite(one).all()


@pytest.mark.parametrize("sampler, ndim, fields", SAMPLERS, ids=IDS)
def test_periodic(sampler, ndim, fields):
    """Moving the origin by a whole period changes nothing; the step across the seam is an ordinary one."""
    n = 8 * box(ndim).shape[0] if ndim == 1 else 4 * box(ndim).shape[0] if ndim == 2 else 36
    u = draw(sampler, box(ndim, n), fields)
    for axis in range(1, ndim + 1):
        steps = (u - u.roll(1, axis)).abs().amax(tuple(a for a in range(ndim + 1) if a != axis))
        assert steps[0] <= 1.2 * steps[1:].max() + 1e-12


def test_modes_are_the_sum_they_say():
    modes = np.array([[1, -2], [3, 0]])
    grid = Grid((9, 12), (2.0, 5.0), (0.3, -1.0), ("periodic", "cells"))
    u = sum_of_modes(grid, modes, np.array([0.5, -1.0]), np.array([2.0, 0.25]))
    x, y = (axis - o for axis, o in zip(grid.mesh(), grid.origin, strict=True))
    first, second = 2 * torch.pi * (x / 2 - 2 * y / 5), 2 * torch.pi * 3 * x / 2
    expected = 0.5 * first.cos() + 2 * first.sin() - second.cos() + 0.25 * second.sin()
    torch.testing.assert_close(u, expected)


def test_a_larger_lattice_continues_a_smaller_one():
    for ndim in (1, 2, 3):
        small, large = half_lattice(2, ndim), half_lattice(3, ndim)
        assert len(small) == (5**ndim - 1) // 2
        np.testing.assert_array_equal(small, large[: len(small)])


def test_a_grid_too_coarse_is_refused():
    with pytest.raises(ValueError, match=r"more than \[24\] points .* got \(24,\); refine"):
        draw(initial.GaussianRandomField(max_mode=12), box(1, 24), (U,))
    with pytest.raises(ValueError, match="periodic or cell axes"):
        draw(initial.GaussianRandomField(), box(1, layout="nodes"), (U,))


def spectrum(u):
    """Energy of each shell of |m|, summed over channels."""
    ndim = u.ndim - 1
    power = (torch.fft.fftn(u, dim=tuple(range(1, ndim + 1)), norm="forward").abs() ** 2).sum(0)
    m = torch.fft.fftfreq(u.shape[-1], 1 / u.shape[-1])
    k = torch.stack(torch.meshgrid(*[m] * ndim, indexing="ij")).norm(dim=0).round().long()
    return torch.zeros(int(k.max()) + 1, dtype=power.dtype).index_add(0, k.flatten(), power.flatten())


def test_gaussian_field_has_the_declared_spectrum_and_variance():
    sampler = initial.GaussianRandomField(std=2.0, exponent=1.5, tau=2.0, max_mode=20, mean=0.7)
    u = torch.cat([draw(sampler, box(1, 48), (U,), seed) for seed in range(4000)])
    # 4000 samples: standard error of a variance is sqrt(2/4000) = 2.2 %
    assert abs(u.mean(1) - 0.7).max() < 1e-12
    assert u.var(0, correction=0).mean().item() == pytest.approx(4.0, rel=0.03)
    power = (torch.fft.rfft(u, norm="forward").abs() ** 2).mean(0)[1:21]
    k = torch.arange(1.0, 21.0, dtype=torch.float64)
    expected = (4 + k**2) ** -1.5
    torch.testing.assert_close(power / power.sum(), expected / expected.sum(), rtol=0.1, atol=0)


def test_noise_is_white_up_to_its_highest_mode():
    sampler = initial.GaussianRandomField(std=0.1, exponent=0.0, max_mode=10)
    power = torch.stack([spectrum(draw(sampler, box(1, 48), (U,), seed)) for seed in range(500)]).mean(0)
    torch.testing.assert_close(power[1:11], torch.full((10,), 0.001, dtype=torch.float64), rtol=0.2, atol=0)
    assert power[11:].max() < 1e-30 and power[0] < 1e-30


@pytest.mark.parametrize("ndim", [2, 3])
def test_flow_is_solenoidal_with_the_declared_peak_and_speed(ndim):
    sampler = initial.FilteredVelocity(peak=4.0, max_velocity=7.0, max_mode=10)
    grid = box(ndim, 40, length=2 * torch.pi)
    fields = (U, V, W)[:ndim]
    u = draw(sampler, grid, fields)
    d = Fourier(grid)
    assert d.div(d.field(u[None])).samples.abs().max() < 1e-11 * 7 * 10
    assert u.norm(dim=0).max() == pytest.approx(7.0, rel=1e-12)  # 40 = 4 max_mode: the grid of the scaling
    energy = torch.stack([spectrum(draw(sampler, box(ndim, 24), fields, seed)) for seed in range(12)]).mean(0)
    assert energy[1:].argmax() + 1 in (3, 4, 5)
    # log-normal: E(8)/E(4) = exp(-ln(2)^2 / 0.5) = 0.38; a shell's count of modes scatters by some 20 %
    assert energy[8] / energy[4] == pytest.approx(np.exp(-(np.log(2) ** 2) / 0.5), rel=0.35)


def test_vorticity_is_the_curl_of_the_flow():
    grid = box(2, 32, length=2 * torch.pi)
    sampler = initial.FilteredVelocity(max_mode=8)
    velocity, vorticity = draw(sampler, grid, (U, V)), draw(sampler, grid, (U,))
    d = Fourier(grid)
    curl = d.curl(d.field(velocity[None])).samples[0]
    torch.testing.assert_close(curl, vorticity, rtol=0, atol=1e-10)


def test_mcwilliams_has_the_declared_energy_and_spectrum():
    length = 3.0
    grid = box(2, 48, length=length)
    sampler = initial.McWilliams(energy=0.5, peak=6.0, max_mode=20)
    vorticity = draw(sampler, grid, (U,))
    d = Fourier(grid)
    velocity = NavierStokes2D().velocity(d.field(vorticity[None]), d)
    energy = 0.5 * sum((part.samples**2).mean() for part in velocity)
    assert energy.item() == pytest.approx(0.5, rel=1e-12)
    shells = torch.stack([spectrum(draw(sampler, grid, (U,), seed)) for seed in range(20)]).mean(0)
    k = torch.arange(3.0, 18.0, dtype=torch.float64)
    # |w_k|^2 = k^4 |psi_k|^2, and 2 pi k modes in a shell
    expected = k * k**4 / (k * (1 + (k / 6) ** 4))
    ratio = shells[3:18] / expected
    assert (ratio / ratio.mean() - 1).abs().max() < 0.35


def test_fourier_series_has_only_the_declared_modes():
    u = draw(initial.RandomFourierSeries(min_mode=2, max_mode=4, mean=0.5), box(1), (U,))
    power = spectrum(u)
    assert power[0] == pytest.approx(0.25) and power[1] < 1e-28 and power[5:].max() < 1e-28
    assert power[2:5].min() > 1e-8


def test_a_rescaled_function_has_the_declared_range_and_shape():
    sines = initial.RandomFourierSeries(n_terms=2, max_mode=4)
    u, inner = (draw(sampler, box(1, 960), (U, V)) for sampler in (initial.Rescaled(sines, -2.0, 3.0), sines))
    extremes = torch.stack((u.amin(1), u.amax(1)), 1)
    torch.testing.assert_close(extremes, torch.tensor([[-2.0, 3.0]] * 2).double(), rtol=0, atol=1e-3)
    scaled = 5 * (inner - inner.amin(1, keepdim=True)) / (inner.amax(1) - inner.amin(1))[:, None] - 2
    torch.testing.assert_close(u, scaled, rtol=0, atol=2e-3)
    with pytest.raises(ValueError, match="expected low < high, got 1"):
        initial.Rescaled(sines, 1.0, 0.0)


def test_bumps_have_the_declared_mean_and_height():
    sampler = initial.GaussianBumps((1, 1), (2.0, 2.0), (0.1, 0.1), background=0.3)
    u = draw(sampler, box(2, 200), (U,))
    assert u.max() == pytest.approx(2.3, abs=2e-3) and u.min() == pytest.approx(0.3, abs=1e-4)
    assert u.mean() == pytest.approx(0.3 + 2.0 * 2 * np.pi * 0.01, rel=1e-9)
    vortices = draw(initial.GaussianBumps(signed=True, zero_mean=True), box(2, 100), (U,))
    assert abs(vortices.mean()) < 1e-13
    with pytest.raises(ValueError, match=r"0 to 0\.25 lengths"):
        initial.GaussianBumps(radius=(0.1, 0.6))


def test_periodic_gaussian_is_periodic():
    x = torch.linspace(-0.5, 0.5, 11, dtype=torch.float64)
    torch.testing.assert_close(periodic_gaussian(x, 0.25, 1.0), periodic_gaussian(x + 1, 0.25, 1.0), rtol=1e-8, atol=0)


def test_perlin_vanishes_on_its_lattice_and_is_smooth():
    sampler = initial.PerlinPatches(cells=4, octaves=1)
    u = draw(sampler, box(2, 32), (U,))[0]
    assert u[::8, ::8].abs().max() < 1e-12 and u.abs().max() > 0.2
    fine = draw(sampler, box(1, 4096, origin=0.0), (U,))[0]
    second = (fine.roll(1) - 2 * fine + fine.roll(-1)) * 4096**2 / 16
    assert (second - second.roll(1)).abs().max() < 0.02 * second.abs().max()  # no jump across lattice points
    plateaus = draw(initial.PerlinPatches(sharpness=20.0), box(2, 64), (U,))
    assert (plateaus.abs() > 0.9).double().mean() > 0.5


def test_seeds_are_squares_of_the_other_state():
    sampler = initial.Seeds(number=(1, 1), width=(0.25, 0.25), noise=0.0)
    u, v = draw(sampler, box(2, 128), (U, V))
    assert u.min() == pytest.approx(0.5, abs=1e-9) and u.max() == pytest.approx(1.0, abs=1e-9)
    assert (v > 0.125).double().mean() == pytest.approx(1 / 16, rel=0.05)
    torch.testing.assert_close(v, 0.5 * (1 - u))
    with pytest.raises(ValueError, match="one number for each of the 1 fields"):
        draw(sampler, box(2), (U,))


def advanced(pde, grid, u, time, steps):
    step = etdrk(pde, grid, time / steps)
    return integrate(step, u[None], 2, substeps=steps)[0, 1]


def test_a_kdv_soliton_moves_with_its_speed():
    """One soliton keeps its shape and moves by a A t / 3: 12 points in this time."""
    pde = KortewegDeVries(nonlinearity=2.0, dispersion=0.5)
    grid = Grid((256,), (40.0,))
    sampler = initial.KdVSolitons((1, 1), (1.5, 1.5), nonlinearity=2.0, dispersion=0.5)
    u = draw(sampler, grid, pde.fields)
    time = 12 * (40 / 256) / (2.0 * 1.5 / 3)
    torch.testing.assert_close(advanced(pde, grid, u, time, 800), u.roll(12, -1), rtol=0, atol=1e-7)


def test_a_schroedinger_soliton_moves_with_its_speed():
    pde = NonlinearSchroedinger(dispersion=0.7, nonlinearity=1.3)
    grid = Grid((512,), (50.0,))
    sampler = initial.SchroedingerSolitons((1, 1), (1.2, 1.2), (0.8, 0.8), dispersion=0.7, nonlinearity=1.3)
    u = draw(sampler, grid, pde.fields)
    time = 8 * (50 / 512) / 0.8
    density = (advanced(pde, grid, u, time, 800) ** 2).sum(0)
    torch.testing.assert_close(density, (u**2).sum(0).roll(8, -1), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "sampler, ndim, fields, sentence",
    [
        (initial.FilteredVelocity(), 1, (U,), "expected velocity"),
        (initial.FilteredVelocity(), 3, (U,), "expected velocity"),
        (initial.McWilliams(), 2, (U, V), "expected one field"),
        (initial.KdVSolitons(), 2, (U,), "expected a line"),
        (initial.Channels((initial.Constant(),)), 1, (U, V), "expected a sampler for each"),
        (initial.Rescaled(initial.Constant()), 1, (U,), "expected fields that vary"),
    ],
)
def test_what_does_not_fit_is_refused(sampler, ndim, fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        draw(sampler, box(ndim), fields)


def test_a_random_constant_has_the_declared_mean_and_deviation():
    sampler, grid, fields = initial.RandomConstant(mean=2.0, std=3.0), Grid((4,), (1.0,)), (Field("u"), Field("v"))
    drawn = np.random.default_rng(5).standard_normal(2)
    u = sampler(grid, fields, np.random.default_rng(5))
    assert u.tolist() == [[2 + 3 * value] * 4 for value in drawn.tolist()]


def test_states_of_a_tube_are_averages_on_any_grid():
    """Averages of three cells are those of the cell that they make; a jump inside a cell is shared."""
    fields = CompressibleEuler(1.4, 2).fields
    for layout in ("cells", "periodic"):
        coarse, fine = (draw(initial.RiemannStates(pieces=3), box(2, n, layout=layout), fields, 3) for n in (10, 30))
        shift = (1, 1) if layout == "periodic" else (0, 0)  # the cells around a point
        blocks = fine.roll(shift, (1, 2)).unflatten(1, (10, 3)).unflatten(3, (10, 3)).mean((2, 4))
        torch.testing.assert_close(blocks, coarse, rtol=0, atol=1e-12)


def test_states_of_a_tube_have_the_ranges_that_are_declared():
    sampler = initial.RiemannStates(1.6, density=(0.5, 2.0), pressure=(0.1, 3.0), velocity=0.7)
    grid = box(1, 64, layout="cells")
    u = torch.stack([draw(sampler, grid, CompressibleEuler(1.6).fields, seed) for seed in range(200)])[..., [0, -1]]
    velocity = u[:, 1] / u[:, 0]
    pressure = 0.6 * (u[:, 2] - u[:, 0] * velocity**2 / 2)
    for values, low, high in ((u[:, 0], 0.5, 2.0), (pressure, 0.1, 3.0), (velocity, -0.7, 0.7)):
        assert low <= float(values.min()) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < float(values.max()) <= high


def test_states_of_a_tube_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="density, 2 momenta and energy"):
        draw(initial.RiemannStates(), box(2), (U, V))
    with pytest.raises(ValueError, match="least <= most for the pressure"):
        initial.RiemannStates(pressure=(0.0, 1.0))
    with pytest.raises(ValueError, match=r"jitter from 0 to below 0.5"):
        initial.RiemannStates(jitter=0.5)
