"""Free energies by their values: what a gradient flow lowers, of states whose integral is known."""

from math import pi

import pytest
import torch

from pdekit.fields import Grid
from pdekit.pdes import CahnHilliard, SwiftHohenberg

GRID = Grid((16,), (2 * pi,))
SINE = torch.sin(GRID.coordinates(0)).reshape(1, 1, 16)


def test_the_free_energy_of_cahn_hilliard():
    """u = sin x: cos^4 x / 4 has the integral 3 pi / 16, and gamma / 2 cos^2 x that of gamma pi / 2."""
    found = CahnHilliard(gamma=0.3).dissipated(SINE, GRID)["free energy"]
    assert float(found) == pytest.approx(3 * pi / 16 + 0.15 * pi, rel=1e-12)


def test_the_free_energy_of_swift_hohenberg():
    """u = c + sin x, (1 + d^2/dx^2) u = c: the means of c^2, u^2, u^3 and u^4 are known."""
    c, pde = 0.4, SwiftHohenberg(reactivity=0.7, quadratic=1.1)
    means = c**2, c**2 + 0.5, c**3 + 1.5 * c, c**4 + 3 * c**2 + 0.375
    density = means[0] / 2 - 0.35 * means[1] - 1.1 / 3 * means[2] + means[3] / 4
    found = pde.dissipated(c + SINE, GRID)["free energy"]
    assert float(found) == pytest.approx(2 * pi * density, rel=1e-12)
