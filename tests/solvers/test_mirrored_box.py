"""Smoke between free-slip walls: closed forms, an independent right-hand side, balances, symmetry and orders."""

import dataclasses
from math import log2, pi

import numpy as np
import pytest
import torch

from pdekit.calculus.mirrored import Mirrored, resample_mirrored, signs_at_walls
from pdekit.fields import Grid
from pdekit.pdes import Boussinesq
from pdekit.solvers import integrate, mirrored_box

WALLS = (("wall free_slip",) * 2,) * 2
PLUMES = Boussinesq(0.6, 2e-3, 1e-3, 0.3, 0.25, 0.06, 1.0, 0.7, 0.4, 0.05, 0.8)


def box(n):
    return Grid((n, n), (1.0, 1.0), layout=("cells", "cells"))


def step_of(pde, n, dt, **options):
    return mirrored_box(pde, box(n), dt, boundary=WALLS, **options)


def rest(n):
    return torch.zeros(1, 3, n, n, dtype=torch.float64)


@pytest.fixture(scope="module")
def plumes():
    """Two plumes from rest, 32 cells, to t = 2.5."""
    return integrate(step_of(PLUMES, 32, 0.05), rest(32), 6, substeps=10)


def test_vortices_fade_as_the_closed_form_says():
    """Advection of these modes vanishes, so that only RK4's error of the decay is left: 1e-10."""
    pde = Boussinesq(viscosity=0.01)
    (solution,) = pde.exact()
    grid = box(16)
    end = integrate(step_of(pde, 16, 0.02), solution.on(grid, 0.0), 2, substeps=50)[:, -1]
    torch.testing.assert_close(end, solution.on(grid, 1.0), rtol=0, atol=1e-9)


def test_weak_smoke_drives_the_flow_of_the_linear_equation():
    """s = eps cos(k x) exp(-kappa k^2 t) drives w = -eps b k sin(k x) sum_n 4/(pi n) sin(pi n y) f_n(t), n odd, with
    f_n = (exp(-kappa k^2 t) - exp(-nu q t)) / (nu q - kappa k^2), q = k^2 + (pi n)^2: the walls and the sign of b."""
    pde, n, eps, t = Boussinesq(0.8, 0.02, 0.01), 24, 1e-8, 1.5
    x, y = box(n).mesh()
    k, start = 2 * pi, rest(n)
    start[0, 2] = eps * torch.cos(k * x)
    step = step_of(pde, n, 0.025)
    state = step.encode(start)
    for _ in range(60):
        state = step.advance(state)
    expected, slow = torch.zeros(n, n, dtype=torch.float64), 0.01 * k**2
    for m in range(1, 16, 2):  # 24 cells keep 15 modes; their amplitudes differ from 4/(pi n) by the sum over aliases
        fast = 0.02 * (k**2 + (pi * m) ** 2)
        amplitude = 2 / n * torch.sin(pi * m * y[0]).sum()
        shape = torch.sin(k * x) * torch.sin(pi * m * y)
        expected -= eps * 0.8 * k * amplitude * shape * (np.exp(-slow * t) - np.exp(-fast * t)) / (fast - slow)
    torch.testing.assert_close(state[0, 0] / eps, expected / eps, rtol=0, atol=1e-6)
    u, v = step.decode(state)[0, :2]
    assert v[0, n // 2] > 0 > v[n // 4, n // 2], "smoke at the walls x = 0 and 1/2 cells further rises"
    assert (u.abs().max() > 0) and torch.allclose(u.sum(0), torch.zeros(n, dtype=torch.float64), atol=1e-15)


def test_the_rate_is_that_of_transforms_on_the_doubled_box():
    """Written a second time with NumPy's FFT on 2 n x 2 n points, where gravity points down in the mirrored half."""
    n, tiny = 24, 1e-4
    generator = np.random.default_rng(0)
    kept = np.arange(n) <= -(-2 * n // 3) - 1
    centres = pi * (np.arange(n) + 0.5) / n
    cosine, sine = (wave(centres[:, None] * np.arange(n)) for wave in (np.cos, np.sin))
    amplitude = generator.standard_normal((2, n, n)) * (kept[:, None] & kept)
    w, s = sine @ amplitude[0] @ sine.T, cosine @ amplitude[1] @ cosine.T
    step = step_of(PLUMES, n, tiny, scheme="euler")
    state = torch.from_numpy(np.stack([w, s]))[None]
    found = ((step.advance(state) - state) / tiny)[0].numpy()

    def double(a, sx, sy):
        a = np.concatenate([a, sx * a[::-1]], 0)
        return np.concatenate([a, sy * a[:, ::-1]], 1)

    m = np.fft.fftfreq(2 * n, 1 / (2 * n))
    kx, ky = np.meshgrid(pi * m, pi * m, indexing="ij")
    mask = (np.abs(kx) < pi * 2 * n / 3) & (np.abs(ky) < pi * 2 * n / 3)
    fft, real = np.fft.fft2, lambda a: np.fft.ifft2(a).real
    w_hat, s_hat = fft(double(w, -1, -1)), fft(double(s, 1, 1))
    psi = w_hat / np.where(kx**2 + ky**2 == 0, 1, kx**2 + ky**2)
    u, v = real(1j * ky * psi), real(-1j * kx * psi)
    up = np.where(np.arange(2 * n) < n, 1.0, -1.0)  # gravity of the mirror image
    x, y = (np.arange(n) + 0.5)[:, None] / n, (np.arange(n) + 0.5) / n
    source = np.exp(-((x - 0.3) ** 2 + (y - 0.25) ** 2) / (2 * 0.06**2))
    source = source + 0.8 * np.exp(-((x - 0.7) ** 2 + (y - 0.4) ** 2) / (2 * 0.05**2))
    w_t = -2e-3 * (kx**2 + ky**2) * w_hat + fft(0.6 * up * real(1j * kx * s_hat))
    w_t = w_t - fft(u * real(1j * kx * w_hat) + v * real(1j * ky * w_hat))
    s_t = -1e-3 * (kx**2 + ky**2) * s_hat + fft(double(source, 1, 1))
    s_t = s_t - fft(u * real(1j * kx * s_hat) + v * real(1j * ky * s_hat))
    for one, other in zip(found, (w_t, s_t), strict=True):
        expected = real(other * mask)[:n, :n]
        assert np.abs(one - expected).max() < 1e-9 * np.abs(expected).max()


def test_smoke_grows_by_what_the_inlets_feed(plumes):
    d = Mirrored(box(32))
    fed = float(PLUMES.source(d).mean())  # the rate of the sum over cells
    found = plumes[0, :, 2].mean((1, 2))
    expected = fed * 0.5 * torch.arange(6, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)
    exact = 2 * pi * (1.0 * 0.06**2 + 0.8 * 0.05**2)  # the integral of two Gaussians over the plane
    assert abs(fed - exact) < 2e-4 * exact  # their tails cross the walls


def test_the_flow_has_no_divergence_and_does_not_cross_the_walls(plumes):
    d = Mirrored(box(32))
    vx, vy, _ = d.field(plumes[0], signs_at_walls(PLUMES.fields, 2)).components()
    assert float(vx.samples.abs().max()) > 0.1
    assert float((d.x(vx) + d.y(vy)).samples.abs().max()) < 1e-11
    assert float(vx.samples.sum(-1).abs().max()) < 1e-11, "no net flow through any vertical line of a closed box"


def test_energy_is_fed_by_buoyancy_and_drained_by_friction():
    """d/dt <u^2 + v^2>/2 = b <s v> - nu <w^2>: central differences over a short time, with their error of dt^2."""
    step = step_of(PLUMES, 32, 0.02)
    frames = integrate(step, rest(32), 3, substeps=1, warmup=50)
    vx, vy, s = frames[0].unbind(1)
    w = torch.stack([step.encode(frame[None])[0, 0] for frame in frames[0]])
    energy = ((vx**2 + vy**2) / 2).mean((1, 2))
    rate = (0.6 * s * vy - 2e-3 * w**2).mean((1, 2))
    assert abs(float((energy[2] - energy[0]) / 0.04 - rate[1])) < 1e-3 * float(rate[1])


def test_a_mirrored_inlet_gives_the_mirrored_flow(plumes):
    mirrored = dataclasses.replace(PLUMES, x_1=0.7, x_2=0.3)
    found = integrate(step_of(mirrored, 32, 0.05), rest(32), 3, substeps=10)
    signs = torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64).reshape(3, 1, 1)
    torch.testing.assert_close(found[0], plumes[0, :3].flip(2) * signs, rtol=0, atol=1e-12)


def test_orders_in_time_and_space():
    """RK4 has order 4; smoke that touches no wall has a spectrum that decays faster than any power."""
    wide = dataclasses.replace(PLUMES, x_1=0.4, y_1=0.5, radius_1=0.09, rate_2=0.0)

    def end(n, steps):
        return integrate(step_of(wide, n, 1.0 / steps), rest(n), 2, substeps=steps)[0, -1]

    reference = end(16, 48)
    errors = [float((end(16, steps) - reference).norm()) for steps in (6, 12)]
    assert 3.7 < log2(errors[0] / errors[1]) < 4.4 and errors[1] < 1e-5 * float(reference.norm())
    fine, signs, errors = end(32, 16)[None], signs_at_walls(PLUMES.fields, 2), []
    for n in (12, 20):
        exact = resample_mirrored(fine, (n, n), signs)[0]
        errors.append(float((end(n, 16) - exact).norm() / exact.norm()))
    assert errors[1] < 0.01 and errors[1] < 0.1 * errors[0], errors


def test_single_precision_follows_double(plumes):
    found = integrate(step_of(PLUMES, 32, 0.05, dtype=torch.float32), rest(32), 3, substeps=10)
    assert found.dtype == torch.float32
    assert float((found - plumes[:, :3]).norm()) < 1e-5 * float(plumes[:, :3].norm())


@pytest.mark.parametrize(
    "change, message",
    [
        ({"boundary": (("wall no_slip",) * 2,) * 2}, "expected a plane box with 'wall free_slip' at every end"),
        ({"scheme": "rk5"}, "expected a scheme among"),
        ({"dt": -0.1}, "expected"),
    ],
)
def test_what_it_does_not_solve_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        mirrored_box(**{"pde": PLUMES, "grid": box(8), "dt": 0.1, "boundary": WALLS, **change})
