"""ETDRK: exact where it should be, the same for a batch as one by one, differentiable, free of aliasing."""

from math import pi

import pytest
import torch

from pdekit.calculus import Fourier
from pdekit.fields import Grid
from pdekit.pdes import KuramotoSivashinsky, NavierStokes2D
from pdekit.pdes.burgers import Burgers
from pdekit.solvers import etdrk, imex, integrate, runge_kutta
from pdekit.solvers.spectral import spectral_form
from pdekit.solvers.traced import PATIENCE, traced

SQUARE = (2 * pi, 2 * pi)


def relative(found, expected):
    return float((found - expected).norm() / expected.norm())


def column(*values):
    """A parameter "batch 1 *1" of a 1-D problem."""
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)


# exact


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_small_waves_grow_as_the_symbol_says(order):
    # with amplitude 1e-9 the nonlinearity is rounding, and one big step is exact
    grid, dt = Grid((64,), (20.0,)), 3.0
    k = 2 * pi * 2 / 20.0
    u = 1e-9 * torch.cos(k * grid.coordinates(0)).reshape(1, 1, -1)
    end = etdrk(KuramotoSivashinsky(), grid, dt, order)(u)
    torch.testing.assert_close(end, u * torch.exp(torch.tensor((k**2 - k**4) * dt)).double(), rtol=1e-7, atol=1e-17)


def test_small_sound_travels_without_damping_or_dispersion(sound_waves):
    # r = v = f(x - c t) solves the linear part without viscosity; 20 steps of c dt = 0.45 box lengths
    grid, dt, c = Grid((64,), (1.0,)), 0.15, 3.0
    x = grid.coordinates(0)

    def wave(t):
        phase = 2 * pi * (x - c * t)
        return 1e-10 * (torch.cos(phase) + torch.sin(5 * phase)).expand(1, 2, -1)

    end = integrate(etdrk(sound_waves(c, viscosity=0.0), grid, dt), wave(0.0), 2, 20)[:, -1]
    assert relative(end, wave(20 * dt)) < 1e-8


def test_taylor_green_vortices_decay_at_the_viscous_rate():
    pde, grid = NavierStokes2D(viscosity=0.05, drag=0.1), Grid((32, 32), SQUARE)
    exact = pde.exact()[0]
    end = integrate(etdrk(pde, grid, 0.1), exact.on(grid, 0.0), 2, 10)[:, -1]
    assert relative(end, exact.on(grid, 1.0)) < 1e-13


def test_laminar_kolmogorov_flow_is_a_fixed_point_whatever_the_step():
    pde, grid = NavierStokes2D(viscosity=0.05, forcing=1.0, wavenumber=2, drag=0.1), Grid((32, 32), SQUARE)
    u = pde.exact()[0].on(grid, 0.0)
    for dt in (0.01, 1.0, 30.0):
        assert relative(etdrk(pde, grid, dt)(u), u) < 1e-13


def test_like_signed_vortices_turn_counter_clockwise():
    grid = Grid((64, 64), SQUARE)
    x, y = grid.mesh()

    def vortex(x0, y0):
        return torch.exp(-8 * ((x - x0) ** 2 + (y - y0) ** 2))

    u = (10 * (vortex(pi - 0.6, pi) + vortex(pi + 0.6, pi))).reshape(1, 1, 64, 64)
    end = integrate(etdrk(NavierStokes2D(viscosity=1e-3), grid, 0.01), u - u.mean(), 2, 50)[0, -1, 0]
    right = torch.where(x > pi, (end - end.median()).clamp(min=0), 0)
    assert float((right * y).sum() / right.sum()) > pi + 0.15


# batches


def test_a_batch_with_its_own_parameter_step_and_length_equals_one_by_one(smooth):
    nus, dts, lengths = (0.8, 1.0, 1.3), (0.02, 0.05, 0.03), (60.0, 64.0, 70.0)
    grid = Grid((64,), (column(*lengths),))
    u = smooth(Grid((64,), (64.0,)), 3)
    for make in (etdrk, imex, lambda *a: runge_kutta(*a[:2], a[2] / 100)):
        together = integrate(make(KuramotoSivashinsky(column(*nus)), grid, column(*dts)), u, 3, 5)
        for i in range(3):
            step = make(KuramotoSivashinsky(nus[i]), Grid((64,), (lengths[i],)), dts[i])
            torch.testing.assert_close(together[i : i + 1], integrate(step, u[i : i + 1], 3, 5), rtol=1e-11, atol=1e-12)


def test_a_batch_of_coupled_equations_equals_one_by_one(smooth, sound_waves):
    speeds, dts, lengths = (1.0, 4.0), (0.02, 0.005), (5.0, 7.0)
    u = 0.2 * smooth(Grid((32,), (6.0,)), 2, 2)
    for make in (etdrk, imex, runge_kutta):
        step = make(sound_waves(column(*speeds)), Grid((32,), (column(*lengths),)), column(*dts))
        together = integrate(step, u, 3, 5)
        for i in range(2):
            step = make(sound_waves(speeds[i]), Grid((32,), (lengths[i],)), dts[i])
            torch.testing.assert_close(together[i : i + 1], integrate(step, u[i : i + 1], 3, 5), rtol=1e-11, atol=1e-12)


def test_a_batch_with_its_own_viscosity_and_forcing_in_2d_equals_one_by_one(smooth):
    def params(*values):
        return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1, 1)

    grid = Grid((24, 20), SQUARE)
    u = smooth(grid, 2)
    together = etdrk(NavierStokes2D(params(0.01, 0.1), params(1.0, 2.0), 4, params(0.0, 0.2)), grid, 0.02)(u)
    for i, (nu, forcing, drag) in enumerate(((0.01, 1.0, 0.0), (0.1, 2.0, 0.2))):
        alone = etdrk(NavierStokes2D(nu, forcing, 4, drag), grid, 0.02)(u[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-12, atol=1e-13)


# aliasing


@pytest.mark.parametrize("n", [30, 31, 32, 33])
def test_products_of_kept_modes_are_free_of_aliasing(n):
    """The highest kept mode squared must not come back as a kept mode; on a fine grid nothing can alias."""
    coarse, fine = Grid((n,), (2 * pi,)), Grid((4 * n,), (2 * pi,))
    top = int(Fourier(coarse, degree=2).limits[0])
    assert top == (n - 1) // 3  # the largest m with 3 m < n
    nonlinear = []
    for grid in (coarse, fine):
        form = spectral_form(Burgers(), grid)
        x = grid.coordinates(0)
        u = (torch.cos(top * x + 0.3) + torch.cos((top - 1) * x + 1.1)).reshape(1, 1, -1)
        u_hat = form.nonlinear(form.fourier.forward(u)) / grid.shape[0]
        nonlinear.append(u_hat[0, 0, : top + 1])
    torch.testing.assert_close(nonlinear[0], nonlinear[1], rtol=0, atol=1e-13)


def test_modes_that_are_not_kept_vanish_at_once_and_stay_away(smooth):
    grid = Grid((32, 32), SQUARE)
    step = etdrk(NavierStokes2D(forcing=1.0), grid, 0.01)
    u_hat = torch.fft.rfft2(step(torch.randn(1, 1, 32, 32, dtype=torch.float64)))
    m = torch.fft.fftfreq(32, 1 / 32).abs()
    outside = (m[:, None] > 10) | (m[None, :17] > 10)
    assert float(u_hat[..., outside].abs().max()) < 1e-12 * float(u_hat.abs().max())


def test_burgers_keeps_its_energy_but_for_what_viscosity_takes():
    # aliasing would make energy: d/dt int u^2/2 = 0 for the truncated inviscid equation, to the order of the scheme
    grid = Grid((64,), (2 * pi,))
    u = torch.sin(grid.coordinates(0)).reshape(1, 1, -1)
    end = integrate(etdrk(Burgers(viscosity=0.0), grid, 1e-3), u, 2, 1500)[:, -1]  # the shock forms at t = 1
    assert abs(float(end.square().mean() / u.square().mean()) - 1) < 1e-7


# precision, gradients, recording


@pytest.mark.parametrize("name", ["ks", "vorticity"])
@pytest.mark.slow
def test_single_precision_stays_within_its_stated_floor(name, smooth):
    """1e-5 after a turnover time, as `etdrk` says; and not below 1e-7, or the test would not have run in float32."""
    if name == "ks":
        pde, grid, dt, n = KuramotoSivashinsky(), Grid((128,), (64.0,)), 0.05, 400
        u = integrate(etdrk(pde, grid, dt), smooth(grid, 4), 2, 2000)[:, -1]  # on the attractor
    else:
        pde, grid, dt, n = NavierStokes2D(1e-3, 1.0, 4, 0.1), Grid((32, 32), SQUARE), 0.01, 100
        u = 4 * smooth(grid, 2, modes=5)
    double = integrate(etdrk(pde, grid, dt), u, 2, n)[:, -1]
    single = integrate(etdrk(pde, grid, dt, dtype=torch.float32), u.float(), 2, n)[:, -1]
    assert single.dtype == torch.float32
    assert 1e-7 < relative(single.double(), double) < 1e-5


@pytest.mark.parametrize("make", [etdrk, imex, runge_kutta], ids=["etdrk", "imex", "explicit"])
@pytest.mark.slow
def test_gradients_through_ten_steps_equal_finite_differences(make, smooth):
    grid = Grid((16, 16), SQUARE)
    start, direction = smooth(grid, 2), smooth(grid, 2)
    nu = torch.tensor(0.02, dtype=torch.float64, requires_grad=True)

    def final(u, viscosity):
        state = u
        step = make(NavierStokes2D(viscosity, forcing=1.0, wavenumber=2), grid, 0.02)
        for _ in range(10):
            state = step(state)
        return (state**3).mean()

    u = start.clone().requires_grad_()
    by_state, by_viscosity = torch.autograd.grad(final(u, nu), (u, nu))
    h = 1e-4
    with torch.no_grad():
        slope = (final(start + h * direction, nu) - final(start - h * direction, nu)) / (2 * h)
        nu_slope = (final(start, nu + h) - final(start, nu - h)) / (2 * h)
    assert float((by_state * direction).sum()) == pytest.approx(float(slope), rel=1e-7)
    assert float(by_viscosity) == pytest.approx(float(nu_slope), rel=1e-6)


@pytest.mark.slow
def test_a_recorded_step_gives_the_same_numbers_for_each_shape(smooth, sound_waves):
    problems = (
        (NavierStokes2D(forcing=1.0), Grid((12, 10), SQUARE), 1),
        (sound_waves(), Grid((32,), (6.0,)), 2),
    )
    for pde, grid, channels in problems:
        step = etdrk(pde, grid, 0.001)
        for batch in (1, 2):
            u = 0.1 * smooth(grid, batch, channels)
            first = step(u)
            for _ in range(PATIENCE):
                last = step(u)
            assert torch.equal(last, first)


def test_recording_is_left_aside_where_a_parameter_wants_a_gradient(smooth):
    nu = torch.tensor(0.02, dtype=torch.float64, requires_grad=True)
    step = etdrk(NavierStokes2D(nu), Grid((12, 12), SQUARE), 0.01)
    u = smooth(Grid((12, 12), SQUARE))
    for _ in range(PATIENCE + 1):
        u = step(u).detach()
    assert step(u).requires_grad


def test_a_function_that_decides_on_values_is_not_recorded():
    double_or_flip = traced(lambda u: 2 * u if float(u.sum()) > 0 else -u)
    for _ in range(PATIENCE + 1):
        assert double_or_flip(torch.ones(2)).tolist() == [2, 2]
    assert double_or_flip(-torch.ones(2)).tolist() == [1, 1]


# bad input


def test_bad_input_says_what_was_expected():
    line = Grid((32,), (10.0,))
    with pytest.raises(ValueError, match="order among 1, 2, 3, 4, got 5"):
        etdrk(KuramotoSivashinsky(), line, 0.1, order=5)
    with pytest.raises(ValueError, match=r"scheme among \['ark4'.*got 'cn'"):
        imex(KuramotoSivashinsky(), line, 0.1, scheme="cn")
    with pytest.raises(ValueError, match=r"scheme among .*'rk4'.*got 'rk5'"):
        runge_kutta(KuramotoSivashinsky(), line, 0.1, scheme="rk5")
    for make in (etdrk, imex, runge_kutta):
        with pytest.raises(ValueError, match="1 dimensions for KuramotoSivashinsky, got shape"):
            make(KuramotoSivashinsky(), Grid((8, 8), SQUARE), 0.1)
        with pytest.raises(ValueError, match="expected a periodic grid"):
            make(KuramotoSivashinsky(), Grid((32,), (1.0,), layout=("nodes",)), 0.1)
        for dt in (0.0, -0.1, float("nan"), column(0.1, -0.1)):
            with pytest.raises(ValueError, match="expected a positive, finite step"):
                make(KuramotoSivashinsky(), line, dt)
