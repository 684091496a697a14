"""A plane sound wave in water of varying density meets an elastic disc, by curved finite elements."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, sin
from typing import Any, ClassVar

import numpy as np

from pdekit.cases.base import Case, Draw, Solved, coupling_strength
from pdekit.cases.finite_elements import (
    Ellipse,
    real_and_imaginary,
    require_ngsolve,
    square_mesh,
    values_on_grid,
)
from pdekit.fields import Grid
from pdekit.pdes.acoustic_structure import AcousticStructure

LENGTH, RADIUS = 0.04, 5e-3  # m: sides of the square of water, and the disc in its middle
STRENGTHS = {"off": 0.0, "weak": 0.1, "published": 1.0, "strong": 10.0}


@dataclass(frozen=True)
class AcousticStructureCase(Case):
    """A square of water of 40 mm with an aluminium disc of radius 5 mm in its middle, at 50 kHz.

    A plane wave exp(-j k (x cos + y sin)) of 1 Pa comes at the angle `direction`. On the sides of the square the
    difference q between the pressure and this wave leaves as a cylindrical wave, dq/dn = -(j k + 1/(2 r)) q. The
    density is 10 kg/m^3 plus a Gaussian with peak U[500, 900] kg/m^3, centre U[-10, 10] mm along either axis and width
    U[5, 20] mm, as Multiphysics Bench draws them.

    The condition on the sides is the published one as far as it is known (of first order; which terms the original
    tool adds is not). It is exact for a wave that leaves along the normal; on this square, hardly more than one
    wavelength wide, some of the scattered sound comes back.

    Args:
        coupling: the setting of the knob: the disc's motion as the water feels it is multiplied by 0 (off), 0.1 (weak),
            1 (published) or 10 (strong: a disc ten times lighter and softer).
        order: order of the elements.
        size: size of the elements [m]; those of the disc are half as large.
        length: length of the sides of the square [m].
        direction: [rad].
    """

    configurable = True

    coupling: str = "published"
    order: int = 4
    size: float = 4e-3
    length: float = LENGTH
    direction: float = -pi / 6

    version: ClassVar[int] = 1
    params: ClassVar[tuple[str, ...]] = ("density_peak", "density_x", "density_y", "density_width")

    def __post_init__(self):
        coupling_strength(self.coupling, STRENGTHS)

    @property
    def pde(self) -> AcousticStructure:
        return AcousticStructure(coupling=coupling_strength(self.coupling, STRENGTHS))

    @property
    def has_mask(self) -> bool:
        return True

    def draw(self, generator: np.random.Generator) -> Draw:
        drawn = generator.uniform((500.0, -0.01, -0.01, 0.005), (900.0, 0.01, 0.01, 0.02)).tolist()
        return Draw(dict(zip(self.params, drawn, strict=True)))

    def solve(self, drawn: Draw, grid: Grid, refinement: float = 1.0) -> Solved:
        return Sound(dataclasses.replace(self.pde, **drawn.params), self, refinement).sample(grid)


@lru_cache(maxsize=4)
def _mesh(length: float, size: float, order: int) -> Any:
    return square_mesh(length, Ellipse((RADIUS, RADIUS)), size, order, size / 2)


class Sound:
    """One wave, solved: the mesh and the functions on it.

    Attributes:
        mesh: with the water "outside", the disc "inside", the sides and the "ellipse" between the two.
        density, pressure: density and pressure of the water.
        stress, load: (S_xx, S_xy, S_yy) and x = rho_s omega^2 times the displacement, in the disc.
    """

    def __init__(self, pde: AcousticStructure, case: AcousticStructureCase, refinement: float = 1.0):
        ng = require_ngsolve()
        self.mesh = _mesh(case.length, case.size / refinement, case.order)
        r2 = (ng.x - pde.density_x) ** 2 + (ng.y - pde.density_y) ** 2
        self.density = pde.density_floor + pde.density_peak * ng.exp(-r2 / (2 * pde.density_width**2))
        water = ng.H1(self.mesh, order=case.order, complex=True, definedon="outside")
        disc = ng.VectorH1(self.mesh, order=case.order, complex=True, definedon="inside")
        space = water * disc
        (p, x), (q, w) = space.TnT()
        n, k = ng.specialcf.normal(2), pde.wavenumber
        xx, xy, yy = pde.stress(*_strain(x))
        exx, exy, eyy = _strain(w)
        form = ng.BilinearForm(space)
        form += (ng.grad(p) * ng.grad(q) - k**2 * p * q) / self.density * ng.dx("outside", bonus_intorder=4)
        form += (xx * exx + 2 * xy * exy + yy * eyy - x * w) * ng.dx("inside")
        # n points from the disc into the water
        form += p.Trace() * (w.Trace() * n) * ng.ds("ellipse")
        form += pde.coupling / pde.solid_density * (x.Trace() * n) * q.Trace() * ng.ds("ellipse")
        sides = ng.ds("left|right|bottom|top", bonus_intorder=4)
        away = 1j * k + 0.5 / ng.sqrt(ng.x**2 + ng.y**2)
        form += away / self.density * p * q * sides
        along = (cos(case.direction), sin(case.direction))
        phase = k * (along[0] * ng.x + along[1] * ng.y)
        self.incident = ng.cos(phase) - 1j * ng.sin(phase)
        arriving = (away - 1j * k * (along[0] * n[0] + along[1] * n[1])) * self.incident
        load = ng.LinearForm(arriving / self.density * q * sides).Assemble()
        form.Assemble()
        solution = ng.GridFunction(space)
        solution.vec.data = form.mat.Inverse(space.FreeDofs(), inverse="umfpack") * load.vec
        self.pressure, self.load = solution.components
        self.stress = pde.stress(*_strain(self.load))

    def sample(self, grid: Grid) -> Solved:
        """The fields and the density at the points of a grid, each zero outside of its material."""
        pressure, water = values_on_grid([self.pressure], self.mesh, grid, ["outside"])
        density, _ = values_on_grid([self.density], self.mesh, grid, ["outside"])
        solid, disc = values_on_grid([*self.stress, self.load], self.mesh, grid, ["inside"])
        mask = np.stack([water] * 2 + [disc] * 10)
        return Solved(real_and_imaginary(np.concatenate((pressure, solid)))[None], density, mask)


def _strain(w: Any) -> tuple[Any, Any, Any]:
    """(xx, xy, yy) of the symmetric gradient."""
    slope = require_ngsolve().Grad(w)
    return slope[0, 0], 0.5 * (slope[0, 1] + slope[1, 0]), slope[1, 1]
