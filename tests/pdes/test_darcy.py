"""Darcy's residual: it vanishes for a manufactured solution, and its coefficient is looked up by name."""

import numpy as np
import pytest
import torch

from pdekit.calculus import Autodiff, FiniteDifference
from pdekit.fields import Grid
from pdekit.pdes import Darcy
from pdekit.solvers.elliptic import elliptic


def polynomial(x, y):
    """u = x (1 - x) y (1 - y) + x in a = 1 / (1 + x + 2 y): -div(a grad u), by hand."""
    r = 1 + x + 2 * y
    u = x * (1 - x) * y * (1 - y) + x
    u_x, u_y = (1 - 2 * x) * y * (1 - y) + 1, (1 - 2 * y) * x * (1 - x)
    laplacian = -2 * y * (1 - y) - 2 * x * (1 - x)
    return 1 / r, u, -(laplacian / r - (u_x + 2 * u_y) / r**2)


def residual(n, order):
    grid = Grid((n, n), (1.0, 1.0), layout=("nodes", "nodes"))
    a, u, source = (values[None, None] for values in polynomial(*grid.mesh()))
    d = FiniteDifference(grid, order=order, coeffs={"permeability": a})
    return Darcy(source=source).residual(d.field(u), d)


@pytest.mark.parametrize("order", [2, 4])
def test_a_manufactured_solution_by_finite_differences(order):
    errors = [float(residual(n, order).abs().max()) for n in (33, 65)]
    assert errors[1] < 1e-2 and order - 0.6 < np.log2(errors[0] / errors[1]) < order + 0.6


def test_a_manufactured_solution_by_automatic_differentiation():
    generator = torch.Generator().manual_seed(0)
    x, y, t = (torch.rand(50, 1, dtype=torch.float64, generator=generator).requires_grad_() for _ in range(3))
    a, u, source = polynomial(x, y)
    d = Autodiff((x, y, t))
    d.coeffs = {"permeability": a}
    found = Darcy(source=source.detach()).residual(u, d)
    assert float(found.detach().abs().max()) < 1e-11


def test_the_solver_and_the_residual_are_of_one_equation():
    """The residual of the solver's solution falls with the spacing, source and sign included."""
    norms = []
    for n in (33, 65):
        grid = Grid((n, n), (1.0, 1.0), layout=("nodes", "nodes"))
        x, y = (values.numpy() for values in grid.mesh())
        a = 2 + np.sin(3 * x) * np.cos(4 * y)
        u = torch.from_numpy(elliptic(a, 1.5, grid.spacing))[None, None]
        d = FiniteDifference(grid, order=2, coeffs={"permeability": torch.from_numpy(a)[None, None]})
        q = n // 4  # away from the corners, where the second derivatives of u are not smooth
        found = Darcy(source=1.5).residual(d.field(u), d)[0, 0, q:-q, q:-q]
        norms.append(float(found.square().mean().sqrt()))
    assert norms[1] < 0.01 and norms[0] / norms[1] > 3.5


def test_a_permeability_that_is_not_given_is_asked_for():
    d = FiniteDifference(Grid((9, 9), (1.0, 1.0), layout=("nodes", "nodes")))
    with pytest.raises(ValueError, match="expected the coefficient 'permeability' among those given, got"):
        Darcy().residual(torch.zeros(1, 1, 9, 9, dtype=torch.float64), d)


def test_the_caption():
    assert Darcy().describe({}) == "Darcy flow through a porous medium with source 1."
    assert Darcy().describe({"source": 2.5}).endswith("source 2.5.")
