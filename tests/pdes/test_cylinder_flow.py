"""The equations of flow past a cylinder: closed form, Reynolds number and description."""

import torch

from pdekit.calculus import Autodiff
from pdekit.pdes import CylinderFlow


def test_decaying_vortices_satisfy_the_equations_and_those_of_another_viscosity_do_not():
    (solution,) = CylinderFlow(viscosity=0.1).exact()
    x, y, t = (torch.rand(40, 1, dtype=torch.float64).requires_grad_() for _ in range(3))
    u = torch.cat(solution.evaluate((x, y), t), 1)
    left = {nu: CylinderFlow(viscosity=nu).residual(u, Autodiff((x, y, t))).abs().amax(0).tolist() for nu in (0.1, 0.2)}
    assert max(left[0.1]) < 1e-11
    assert left[0.2][0] > 0.05 and left[0.2][1] > 0.05 and left[0.2][2] < 1e-11


def test_the_reynolds_number_is_that_of_the_diameter():
    pde = CylinderFlow(viscosity=1e-3, radius=0.05, u_inlet=1.0)
    assert abs(pde.reynolds_number - 100) < 1e-12
    assert pde.describe({"u_inlet": 0.2}).endswith("a mean velocity of 0.2 m/s, that is, at a Reynolds number of 20.")
