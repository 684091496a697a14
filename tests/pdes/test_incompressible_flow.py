"""The equations of flows between walls: closed form, every term, captions."""

import numpy as np
import torch

from pdekit.calculus import Autodiff, FiniteDifference
from pdekit.fields import Grid
from pdekit.pdes import RayleighBenard, ViscousFlow
from pdekit.recipes.initial import PerturbedLayer
from pdekit.solvers import projection


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


def test_plates_bring_the_heat_that_the_layer_gains_and_buoyancy_feeds_the_flow():
    """Heat to the error of the central difference in time; energy to that of 16 cells."""
    pde = RayleighBenard(torch.tensor([2e4, 5e4]).double().reshape(2, 1, 1, 1))
    grid = Grid((32, 16), (2.0, 1.0), layout=("periodic", "cells"))
    start = torch.stack([PerturbedLayer(0.1)(grid, pde.fields, np.random.default_rng(seed)) for seed in range(2)])
    plates = (("periodic", "periodic"), ("wall no_slip", "wall no_slip"))
    u = projection(pde, grid, 2.0, boundary=plates)(start)
    step, frames = projection(pde, grid, 0.02, boundary=plates), [u]
    for _ in range(2):
        frames.append(step(frames[-1]))
    budgets = [pde.budgets(frame, grid) for frame in frames]
    for name, tolerance in (("heat", 1e-4), ("kinetic energy", 0.05)):
        before, now, after = (found[name] for found in budgets)
        rates = list(now.rates.values())
        change, size = (after.stored - before.stored) / 0.04, sum(rate.abs() for rate in rates)
        assert float(((change - sum(rates)) / size).abs().max()) < tolerance, name
        assert float((change / size).abs().max()) > 3 * tolerance, "the change is more than the error"
    rest = torch.zeros_like(u)
    rest[:, 2] = 1 - grid.mesh()[1]
    heat = pde.budgets(rest, grid)["heat"].rates
    torch.testing.assert_close(heat["hot plate"] / 2.0, pde.scalar_diffusivity.reshape(-1))  # Nusselt number 1
    torch.testing.assert_close(heat["hot plate"], -heat["cold plate"])
