"""Signs, conservation and the physical rates of the two incompressible flows."""

import pytest
import torch

from pdekit.calculus import Fourier
from pdekit.fields import Grid
from pdekit.pdes import NavierStokes2D, NavierStokes3D
from pdekit.solvers import etdrk, integrate
from tests.pdes.catalogue import CASES

pytestmark = pytest.mark.usefixtures("untraced")
BOX = 2 * torch.pi


def plane(n):
    return Grid((n, n), (BOX, BOX))


def test_two_positive_vortices_turn_counter_clockwise():
    """27.5 degrees after one unit (a mirrored velocity gives -29)."""
    grid = plane(64)
    x, y = grid.mesh()

    def vortex(x0):
        return torch.exp(-((x - x0) ** 2 + (y - torch.pi) ** 2) / (2 * 0.35**2))

    right = torch.pi + 0.7
    w = 5 * (vortex(torch.pi - 0.7) + vortex(right))[None, None]
    end = integrate(etdrk(NavierStokes2D(1e-3), grid, 0.02), w, 2, 50)[0, -1, 0]
    weight = end.clamp(min=0) * ((y - torch.pi) + (x - torch.pi) > 0)  # the half plane where the right one goes
    angle = torch.atan2((weight * (y - torch.pi)).sum(), (weight * (x - torch.pi)).sum())
    assert 26 < float(torch.rad2deg(angle)) < 29


def test_the_curl_of_the_velocity_is_the_vorticity():
    pde, d = NavierStokes2D(), Fourier(plane(32))
    w = d.field(CASES["navier_stokes_2d"].start(plane(32)))
    velocity = d.stack(*pde.velocity(w, d))
    assert float((d.curl(velocity).samples - w.samples).abs().max()) < 1e-13
    assert float(d.div(velocity).samples.abs().max()) < 1e-13


def test_an_ideal_plane_flow_keeps_energy_and_enstrophy():
    pde, grid = NavierStokes2D(0.0), plane(32)
    w = CASES["navier_stokes_2d"].start(grid)
    end = integrate(etdrk(pde, grid, 0.002), w, 2, 50)[:, -1]
    assert float((end - w).norm() / w.norm()) > 0.02
    for name in ("energy", "enstrophy"):
        before, after = pde.invariants(w, grid)[name], pde.invariants(end, grid)[name]
        assert float(((after - before) / before).abs().max()) < 1e-10


def test_energy_of_a_plane_flow_decays_at_the_physical_rate():
    """dE/dt = -2 nu Z - 2 drag E, with the enstrophy Z; dE = E(t + h) - E(t - h), an error of h^2."""
    pde, grid, h = NavierStokes2D(0.02, drag=0.1), plane(32), 0.001
    w = CASES["navier_stokes_2d"].start(grid)
    frames = integrate(etdrk(pde, grid, h), w, 3)
    low, middle, high = (pde.quadratic(frames[:, i], grid) for i in range(3))
    rate = (high["energy"] - low["energy"]) / (2 * h)
    assert torch.allclose(rate, -2 * 0.02 * middle["enstrophy"] - 2 * 0.1 * middle["energy"], rtol=1e-6)


def test_a_flow_in_space_stays_free_of_divergence_and_decays_at_the_physical_rate():
    """dE/dt = -nu integral of |curl u|^2."""
    case = CASES["navier_stokes_3d"]
    pde, grid, h = case.pde, case.grid, 0.002
    d = Fourier(grid)
    frames = integrate(etdrk(pde, grid, h), case.start(), 3)
    assert float(d.div(d.field(frames[:, -1])).samples.abs().max()) < 1e-13
    curl = d.curl(d.field(frames[:, 1])).samples
    dissipation = pde.viscosity * 2 * pde.energy(curl, grid)
    rate = (pde.energy(frames[:, 2], grid) - pde.energy(frames[:, 0], grid)) / (2 * h)
    assert torch.allclose(rate, -dissipation, rtol=1e-5)


def test_an_ideal_flow_in_space_keeps_energy_and_helicity():
    pde, grid = NavierStokes3D(0.0), Grid((12, 12, 12), (BOX,) * 3)
    u = CASES["navier_stokes_3d"].start(grid)
    u = u + NavierStokes3D(0.0).exact()[1].on(grid, 0.0)  # helicity of order one
    end = integrate(etdrk(pde, grid, 0.002), u, 2, 20)[:, -1]
    before, after = pde.invariants(u, grid), pde.invariants(end, grid)
    assert float((end - u).norm() / u.norm()) > 0.02
    for name in ("energy", "helicity"):
        assert float(((after[name] - before[name]) / before[name]).abs().max()) < 1e-10


def test_solenoidal_removes_gradients_and_nothing_else():
    pde, grid = NavierStokes3D(), Grid((12, 12, 12), (BOX,) * 3)
    d = Fourier(grid)
    u = d.field(CASES["navier_stokes_3d"].start(grid))
    slope = d.grad(d.field(torch.sin(grid.mesh()[0] + 2 * grid.mesh()[2]).expand(1, 1, 12, 12, 12)))
    assert float((pde.solenoidal(u + slope, d).samples - u.samples).abs().max()) < 1e-13


def test_a_flow_that_does_not_depend_on_z_is_the_plane_one():
    """Velocity form in space and vorticity form in the plane give the same flow."""
    grid, d = plane(24), Fourier(plane(24))
    case = CASES["navier_stokes_2d"]
    flat, deep = NavierStokes2D(0.05), NavierStokes3D(0.05)
    w = case.start(grid)
    u, v = flat.velocity(d.field(w), d)
    start = torch.cat((u.samples, v.samples, 0 * w), dim=1)[..., None].expand(-1, -1, -1, -1, 4)
    end = integrate(etdrk(deep, Grid((24, 24, 4), (BOX,) * 3), 0.005), start.contiguous(), 2, 10)[:, -1, :, :, :, 0]
    w_end = integrate(etdrk(flat, grid, 0.005), w, 2, 10)[:, -1]
    curl = d.curl(d.field(end[:, :2].contiguous())).samples
    assert float((curl - w_end).abs().max()) < 1e-9
    assert float((w_end - w).abs().max()) > 1e-2


def test_pressure_and_streamfunction_are_declared():
    assert NavierStokes2D.auxiliary == ("streamfunction",) and NavierStokes3D.auxiliary == ("pressure",)


@pytest.mark.parametrize("wavenumber", [1, 3])
def test_the_force_drives_the_flow_along_x(wavenumber):
    """From rest, du/dt = A sin(k y)."""
    pde, grid = NavierStokes2D(0.0, forcing=0.5, wavenumber=wavenumber), plane(16)
    d = Fourier(grid)
    w = etdrk(pde, grid, 0.01)(torch.zeros(1, 1, 16, 16, dtype=torch.float64))
    u, v = pde.velocity(d.field(w), d)
    assert float((u.samples / 0.01 - 0.5 * torch.sin(wavenumber * grid.mesh()[1])).abs().max()) < 1e-12
    assert float(v.samples.abs().max()) < 1e-14
