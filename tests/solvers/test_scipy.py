"""ETDRK next to scipy's adaptive solvers on right-hand sides written independently, in NumPy and in another form."""

from math import pi

import numpy as np
import torch
from scipy import fft
from scipy.integrate import solve_ivp

from pdekit.fields import Grid
from pdekit.pdes import KuramotoSivashinsky, NavierStokes2D
from pdekit.solvers import etdrk, integrate


def scipy_solution(slope, amplitudes, t, method):
    """Complex amplitudes at time t, to a relative tolerance of 1e-10."""
    start = amplitudes.ravel().view(float)

    def rhs(_, state):
        return slope(np.ascontiguousarray(state).view(complex).reshape(amplitudes.shape)).ravel().view(float)

    solution = solve_ivp(rhs, (0, t), start, method=method, rtol=1e-10, atol=1e-13, t_eval=[t])
    assert solution.success
    return np.ascontiguousarray(solution.y[:, -1]).view(complex).reshape(amplitudes.shape)


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def test_kuramoto_sivashinsky_equals_radau():
    """The advective form u u_x, its products on a grid three times finer instead of by the 2/3 rule."""
    n, length, t, nu = 64, 22.0, 10.0, 0.9
    top, fine = (n - 1) // 3, 3 * n
    k = 2 * pi * np.arange(top + 1) / length

    def samples(amplitudes):
        padded = np.zeros(fine // 2 + 1, dtype=complex)
        padded[: top + 1] = amplitudes * fine
        return fft.irfft(padded, fine)

    def slope(amplitudes):
        product = samples(amplitudes) * samples(1j * k * amplitudes)
        return (k**2 - nu * k**4) * amplitudes - fft.rfft(product)[: top + 1] / fine

    x = length * np.arange(n) / n
    start = np.cos(2 * pi * x / length) + 0.5 * np.sin(6 * pi * x / length)
    expected = scipy_solution(slope, fft.rfft(start)[: top + 1] / n, t, "Radau")

    step = etdrk(KuramotoSivashinsky(viscosity=nu), Grid((n,), (length,)), 0.005)
    found = integrate(step, torch.from_numpy(start).reshape(1, 1, n), 2, 2000)[0, -1, 0].numpy()
    found = fft.rfft(found)[: top + 1] / n
    assert relative(found, expected) < 1e-8


def test_forced_vorticity_equals_dop853():
    """The advective form u w_x + v w_y by full complex transforms, on a grid and a box with unequal sides."""
    nx, ny, lx, ly, t = 24, 20, 2 * pi, 4 * pi, 1.0
    nu, forcing, wavenumber, drag = 0.02, 1.5, 2, 0.1
    mx, my = np.meshgrid(np.fft.fftfreq(nx, 1 / nx), np.fft.fftfreq(ny, 1 / ny), indexing="ij")
    kx, ky = 2 * pi * mx / lx, 2 * pi * my / ly
    k2 = kx**2 + ky**2
    kept = (np.abs(mx) <= (nx - 1) // 3) & (np.abs(my) <= (ny - 1) // 3)
    inverse = np.divide(1, k2, out=np.zeros_like(k2), where=k2 > 0)
    x, y = np.meshgrid(lx * np.arange(nx) / nx, ly * np.arange(ny) / ny, indexing="ij")
    curl_of_force = fft.fft2(-forcing * wavenumber * np.cos(wavenumber * y)) / (nx * ny)

    def samples(amplitudes):
        return fft.ifft2(amplitudes).real * (nx * ny)

    def slope(w):
        psi = inverse * w
        advection = samples(1j * ky * psi) * samples(1j * kx * w) - samples(1j * kx * psi) * samples(1j * ky * w)
        return kept * (-fft.fft2(advection) / (nx * ny) + curl_of_force) - (nu * k2 + drag) * w

    start = 3 * np.cos(x) * np.sin(y) + 2 * np.sin(2 * x + 0.5 * y) + np.cos(1.5 * y - x + 0.7)
    expected = scipy_solution(slope, kept * fft.fft2(start) / (nx * ny), t, "DOP853")

    pde = NavierStokes2D(viscosity=nu, forcing=forcing, wavenumber=wavenumber, drag=drag)
    step = etdrk(pde, Grid((nx, ny), (lx, ly)), 0.0025)
    end = integrate(step, torch.from_numpy(start)[None, None], 2, 400)[0, -1, 0].numpy()
    found = fft.fft2(end) / (nx * ny)
    moved = relative(found, kept * fft.fft2(start) / (nx * ny))
    assert moved > 0.3  # the comparison is of a flow that has changed
    assert relative(found, expected) < 1e-9
