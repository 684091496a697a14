"""Kolmogorov flow in torch-cfd: another form of the advection, another scheme (Runge-Kutta with Crank-Nicolson)."""

from math import log2, pi

import pytest
import torch

from pdekit.fields import Grid
from pdekit.pdes import NavierStokes2D
from pdekit.solvers import etdrk, integrate

spectral = pytest.importorskip("torch_cfd.spectral")
forcings = pytest.importorskip("torch_cfd.forcings")
grids = pytest.importorskip("torch_cfd.grids")

pytestmark = pytest.mark.oracle


@pytest.fixture
def double():
    """torch-cfd builds its tables in the default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def theirs(u, dt, steps, viscosity, force, wavenumber, drag):
    n = u.shape[-1]
    grid = grids.Grid((n, n), domain=((0, 2 * pi), (0, 2 * pi)))
    forcing = forcings.KolmogorovForcing(
        grid=grid, scale=force, wave_number=wavenumber, diam=2 * pi, offsets=((0, 0), (0, 0)), vorticity=True
    )
    scheme = spectral.RK4CrankNicolsonStepper()
    equation = spectral.NavierStokes2DSpectral(viscosity, grid, drag=drag, forcing_fn=forcing, step_fn=scheme)
    return torch.fft.irfft2(equation(torch.fft.rfft2(u[:, 0]), dt, steps)[0])[:, None]


def test_kolmogorov_flow_agrees_to_the_second_order_of_their_viscous_term(double):
    n, t, nu, force, k, drag = 96, 0.5, 0.02, 1.3, 4, 0.1
    pde, grid = NavierStokes2D(nu, force, k, drag), Grid((n, n), (2 * pi, 2 * pi))
    x, y = grid.mesh()
    u = (3 * torch.cos(x + 0.4) * torch.sin(2 * y) + 2 * torch.sin(3 * x - y) + torch.cos(2 * x + 2 * y))[None, None]
    ours = integrate(etdrk(pde, grid, t / 200), u, 2, 200)[:, -1]
    assert float((ours - u).norm() / u.norm()) > 0.3
    errors = []
    for steps in (25, 50):
        expected = theirs(u, t / steps, steps, nu, force, k, drag)
        errors.append(float((ours - expected).norm() / expected.norm()))
    assert errors[1] < 2e-6
    assert 1.7 < log2(errors[0] / errors[1]) < 2.4
