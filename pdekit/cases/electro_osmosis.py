"""Electro-osmosis around an elliptic hole in a square plate, by curved finite elements."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pdekit.cases.base import Case, Draw, Solved, coupling_strength
from pdekit.cases.finite_elements import Ellipse, require_ngsolve, square_mesh, values_on_grid
from pdekit.fields import Grid
from pdekit.pdes.electro_osmosis import ElectroOsmosis

LENGTH = 1.28e-3  # m, of the sides of the plate, which is centred at the origin
# Multiphysics Bench has a constant mobility; its velocities do not feel the potential
STRENGTHS = {"off": 0.0, "weak": 0.3, "published": 0.0, "strong": 3.0}


@dataclass(frozen=True)
class ElectroOsmosisCase(Case):
    """A square porous plate of 1.28 mm with an elliptic hole.

    The potential is `voltage` on the left and right sides and 0 on the hole; no charge crosses top and bottom. The
    pressure is 0 on the left and `pressure` on the right; no water crosses top, bottom and the hole. The conductivity
    is a Gaussian with peak U[2e-3, 2.2e-2] S/m, centre U[0, 0.5] mm along either axis and width U[0.2, 1] mm; the hole
    has semi-axes U[L/10, L/8] and centre U[-L/8, L/8] along either axis, as Multiphysics Bench draws them.

    Args:
        coupling: the setting of the knob: the factor `coupling` of the equation is 0 (off), 0.3 (weak), 0 (published)
            or 3 (strong).
        order: order of the elements.
        size: size of the elements relative to the plate; those along the hole are 0.3 as large.
        voltage, pressure: at the boundary [V, Pa].
    """

    configurable = True

    coupling: str = "published"
    order: int = 4
    size: float = 0.1
    voltage: float = 50.0
    pressure: float = 1013.0

    version: ClassVar[int] = 1
    params: ClassVar[tuple[str, ...]] = (
        *("conductivity_peak", "conductivity_x", "conductivity_y", "conductivity_width"),
        *("hole_x", "hole_y", "hole_a", "hole_b"),
    )

    def __post_init__(self):
        coupling_strength(self.coupling, STRENGTHS)

    @property
    def pde(self) -> ElectroOsmosis:
        return ElectroOsmosis(coupling=coupling_strength(self.coupling, STRENGTHS))

    @property
    def has_mask(self) -> bool:
        return True

    def draw(self, generator: np.random.Generator) -> Draw:
        low = np.array((2e-3, 0.0, 0.0, 0.2e-3, *(-LENGTH / 8,) * 2, *(LENGTH / 10,) * 2))
        high = np.array((2.2e-2, 0.5e-3, 0.5e-3, 1e-3, *(LENGTH / 8,) * 4))
        return Draw(dict(zip(self.params, generator.uniform(low, high).tolist(), strict=True)))

    def solve(self, drawn: Draw, grid: Grid, refinement: float = 1.0) -> Solved:
        return Plate(dataclasses.replace(self.pde, **drawn.params), self, refinement).sample(grid)


class Plate:
    """One plate, solved: its mesh and the functions on it.

    Attributes:
        mesh: with the sides "left", "right", "bottom" and "top" and the "ellipse".
        conductivity, potential, pressure, velocity: the solved fields, in SI units.
    """

    def __init__(self, pde: ElectroOsmosis, case: ElectroOsmosisCase, refinement: float = 1.0):
        ng = require_ngsolve()
        hole = Ellipse((pde.hole_a, pde.hole_b), (pde.hole_x, pde.hole_y))
        size = case.size * LENGTH / refinement
        self.mesh = square_mesh(LENGTH, hole, size, case.order, 0.3 * size, hole=True)
        r2 = (ng.x - pde.conductivity_x) ** 2 + (ng.y - pde.conductivity_y) ** 2
        self.conductivity = pde.conductivity_peak * ng.exp(-r2 / (2 * pde.conductivity_width**2))
        mobility = pde.local_mobility(self.conductivity)
        sides = {"left|right": case.voltage, "ellipse": 0.0}
        self.potential = self._diffusion(self.conductivity, sides, None, case.order)
        drag = mobility * ng.grad(self.potential)
        sides = {"left": 0.0, "right": case.pressure}
        self.pressure = self._diffusion(ng.CF(pde.permeability), sides, drag, case.order)
        self.velocity = drag - pde.permeability * ng.grad(self.pressure)

    def sample(self, grid: Grid) -> Solved:
        """The fields and the conductivity at the points of a grid, zero in the hole."""
        u, mask = values_on_grid([self.potential, self.velocity, self.conductivity], self.mesh, grid)
        return Solved(u[None, :3], u[3:], np.broadcast_to(mask, (3, *grid.shape)))

    def _diffusion(self, diffusivity: Any, sides: dict[str, float], flux: Any, order: int) -> Any:
        """w with div(diffusivity grad w - flux) = 0, its values on some sides, and no flow across the others."""
        ng = require_ngsolve()
        space = ng.H1(self.mesh, order=order, dirichlet="|".join(sides))
        trial, test = space.TnT()
        dx = ng.dx(bonus_intorder=4)  # for a Gaussian
        form = ng.BilinearForm(diffusivity * ng.grad(trial) * ng.grad(test) * dx, symmetric=True).Assemble()
        load = ng.LinearForm(space)
        if flux is not None:
            load += flux * ng.grad(test) * dx
        load.Assemble()
        w = ng.GridFunction(space)
        w.Set(self.mesh.BoundaryCF(sides, default=0.0), definedon=self.mesh.Boundaries("|".join(sides)))
        inverse = form.mat.Inverse(space.FreeDofs(), inverse="sparsecholesky")
        w.vec.data += inverse * (load.vec - form.mat * w.vec).Evaluate()
        return w

    def outflow(self, flux: Any, side: str) -> float:
        """The integral of a flux out of the plate across a side; into the hole across the ellipse."""
        ng = require_ngsolve()
        sign = -1.0 if side == "ellipse" else 1.0
        normal = ng.BoundaryFromVolumeCF(flux) * ng.specialcf.normal(2)
        return sign * ng.Integrate(normal, self.mesh, definedon=self.mesh.Boundaries(side))
