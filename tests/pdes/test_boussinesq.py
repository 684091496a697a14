"""The equations of smoke: their closed form, their source, and the caption."""

import torch

from pdekit.calculus import Autodiff, FiniteDifference
from pdekit.fields import Grid
from pdekit.pdes import Boussinesq


def test_the_closed_form_satisfies_the_equations():
    """Through Autodiff; the smoke is uniform, so that the buoyancy has no curl."""
    pde = Boussinesq(buoyancy=0.7, viscosity=0.02, diffusivity=0.01)
    (solution,) = pde.exact()
    *x, t = (torch.rand(64, 1, dtype=torch.float64, requires_grad=True) for _ in range(3))
    u = torch.cat([channel.expand(64, 1) for channel in solution.evaluate(tuple(x), t)], dim=1)
    d = Autodiff((*x, t))
    assert float(pde.residual(u, d).detach().abs().max()) < 1e-11 * float(d.laplacian(u).detach().abs().max())
    assert Boussinesq(rate_2=1.0).exact() == ()


def test_every_term_of_the_residual_is_there():
    """Of polynomials, whose derivatives differences of order 4 find exactly; at (x, y) = (1/4, 1/4) cells by hand."""
    grid = Grid((8, 8), (1.0, 1.0), layout=("cells", "cells"))
    x, y = grid.mesh()
    frames = torch.stack([torch.stack([x * x * (1 + t), -2 * x * y + t, x * y * t + x**2]) for t in (0.0, 1.0, 2.0)])
    pde = Boussinesq(buoyancy=0.5, viscosity=0.1, diffusivity=0.2, x_1=0.3, y_1=0.6, radius_1=0.2, rate_1=0.8)
    d = FiniteDifference(grid, frames=3, dt=1.0)
    volume, vorticity, smoke = pde.residual(d.field(frames), d)[1]  # at t = 1
    u, v, s = frames[1]
    w = -2 * y  # v_x - u_y, the same at all times
    source = 0.8 * torch.exp(-((x - 0.3) ** 2 + (y - 0.6) ** 2) / (2 * 0.2**2))
    torch.testing.assert_close(volume, 4 * x - 2 * x, rtol=0, atol=1e-10)
    advection = (4 * x - 2 * x) * w + v * -2  # div(u w)
    torch.testing.assert_close(vorticity, advection - 0.5 * (y + 2 * x), rtol=0, atol=1e-9)
    advection = (4 * x - 2 * x) * s + u * (y + 2 * x) + v * x
    torch.testing.assert_close(smoke, x * y + advection - 0.2 * 2 - source, rtol=0, atol=1e-9)


def test_the_source_varies_over_a_batch():
    grid = Grid((16, 16), (1.0, 1.0), layout=("cells", "cells"))
    rates = torch.tensor([0.0, 1.5], dtype=torch.float64).reshape(2, 1, 1, 1)
    d = FiniteDifference(grid)
    d.field(torch.zeros(2, 3, 16, 16, dtype=torch.float64))
    source = Boussinesq(x_2=0.53125, y_2=0.28125, rate_2=rates).source(d)
    assert source.shape == (2, 1, 16, 16) and float(source[0].abs().max()) == 0.0
    assert float(source[1].max()) == 1.5 and source[1, 0, 8, 4] == 1.5  # y is the second axis


def test_the_description_names_the_inlets_that_are_there():
    text = Boussinesq().describe({"buoyancy": 0.4, "rate_1": 1.0, "x_1": 0.3, "rate_2": 0.0, "rate_3": 0.7})
    assert "buoyancy 0.4 m/s^2" in text and "from 2 inlets: one at (0.3, 0.25) m" in text and "rate 0.7/s" in text
