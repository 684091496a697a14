"""The flow of the Fourier neural operator's paper, by the scheme of the paper in a few lines of NumPy.

Vorticity in Fourier space, Crank-Nicolson for the viscous term, forward Euler for advection and force (Li et al.
2021, appendix A.3.3). The force, its place and the signs of the velocity are written out here and shared with nothing.
"""

import dataclasses

import numpy as np
import pytest

from pdekit.simulate import recipe_named
from pdekit.solvers import etdrk, integrate

pytestmark = pytest.mark.usefixtures("untraced")
VISCOSITY, N = 1e-3, 32


def by_crank_nicolson(w, steps):
    """Vorticity at t = 1 of one trajectory on a unit box."""
    k = np.fft.fftfreq(N, 1 / N)
    k_x, k_y = np.meshgrid(k, k, indexing="ij")
    laplacian = -4 * np.pi**2 * (k_x**2 + k_y**2)
    inverse = np.where(laplacian == 0, 1, laplacian)
    kept = (np.abs(k_x) <= N / 3) & (np.abs(k_y) <= N / 3)
    x, y = np.meshgrid(np.arange(N) / N, np.arange(N) / N, indexing="ij")
    force = np.fft.fft2(0.1 * (np.sin(2 * np.pi * (x + y)) + np.cos(2 * np.pi * (x + y))))
    w_hat, dt = np.fft.fft2(w), 1 / steps
    for _ in range(steps):
        psi_hat = -w_hat / inverse
        u, v = np.fft.ifft2(2j * np.pi * k_y * psi_hat).real, np.fft.ifft2(-2j * np.pi * k_x * psi_hat).real
        w_x, w_y = np.fft.ifft2(2j * np.pi * k_x * w_hat).real, np.fft.ifft2(2j * np.pi * k_y * w_hat).real
        advection = kept * np.fft.fft2(u * w_x + v * w_y)
        explicit = w_hat - dt * advection + dt * force + dt / 2 * VISCOSITY * laplacian * w_hat
        w_hat = explicit / (1 - dt / 2 * VISCOSITY * laplacian)
    return np.fft.ifft2(w_hat).real


def test_the_dataset_solves_the_published_scheme_in_the_limit_of_small_steps():
    """The published scheme is of first order: its distance halves with its step, and two steps extrapolate to ours.

    Errors are relative to the change from the start to t = 1. Measured: 1.5e-3, 7.4e-4, and 5.9e-6 extrapolated.
    """
    recipe = recipe_named("navier_stokes_1e3")
    assert (recipe.pde.viscosity, recipe.pde.forcing, recipe.grid.extent) == (VISCOSITY, 0.1, (1.0, 1.0))
    grid = recipe.grid.resized((N, N))
    draw = dataclasses.replace(recipe.initial, max_mode=8, std=0.5)
    start = draw(grid, recipe.pde.fields, np.random.default_rng(0))[None]
    ours = integrate(etdrk(recipe.pde, grid, 1 / 64), start, 2, 64)[0, -1, 0].numpy()
    coarse, fine = by_crank_nicolson(start[0, 0].numpy(), 100), by_crank_nicolson(start[0, 0].numpy(), 200)
    moved = np.linalg.norm(ours - start[0, 0].numpy())
    errors = [np.linalg.norm(found - ours) / moved for found in (coarse, fine, 2 * fine - coarse)]
    assert 1.9 < errors[0] / errors[1] < 2.1
    assert errors[2] < 2e-5
