"""The equations of flows between walls: closed form, every term, captions."""

import torch

from pdekit.calculus import Autodiff, FiniteDifference
from pdekit.fields import Grid
from pdekit.pdes import RayleighBenard, ViscousFlow


def test_the_closed_form_satisfies_the_equations():
    pde = ViscousFlow(0.02, force=0.3)
    (solution,) = pde.exact()
    *x, t = (torch.rand(64, 1, dtype=torch.float64, requires_grad=True) for _ in range(3))
    u = torch.cat(solution.evaluate(tuple(x), t), dim=1)
    d = Autodiff((*x, t))
    assert float(pde.residual(u, d).detach().abs().max()) < 1e-11 * float(d.laplacian(u).detach().abs().max())


def test_every_term_of_the_residual_is_there():
    """Of polynomials, whose derivatives differences of order 4 find exactly; Ra = 100, Pr = 4: nu 0.2, kappa 0.05."""
    grid = Grid((8, 8), (1.0, 1.0), layout=("cells", "cells"))
    x, y = grid.mesh()
    frames = torch.stack([torch.stack([y**3 + x, x**2 * (1 + t) - y, x * x + y * t]) for t in (0.0, 1.0, 2.0)])
    d = FiniteDifference(grid, frames=3, dt=1.0)
    pde = RayleighBenard(100.0, 4.0)
    volume, vorticity, temperature = pde.residual(d.field(frames), d)[1]  # at t = 1
    u, v, _ = frames[1]
    torch.testing.assert_close(volume, torch.zeros_like(x), rtol=0, atol=1e-10)
    expected = 2 * x + u * 4 + v * -6 * y - 0.2 * -6 - 2 * x  # w_t + u.grad w - nu laplacian(w) - T_x, w = 4 x - 3 y^2
    torch.testing.assert_close(vorticity, expected, rtol=0, atol=1e-8)
    torch.testing.assert_close(temperature, y + u * 2 * x + v * 1 - 0.05 * 2, rtol=0, atol=1e-9)


def test_descriptions_give_what_varies():
    assert ViscousFlow().describe({"viscosity": 0.0025}) == "Incompressible flow with viscosity 0.0025 m^2/s."
    assert "acceleration 0.5 m/s^2 along x" in ViscousFlow().describe({"force": 0.5})
    text = RayleighBenard().describe({"rayleigh": 2e5})
    assert "Rayleigh number 2e+05 and Prandtl number 1." in text
