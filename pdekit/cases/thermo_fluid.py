"""Natural convection of air around a heated disc: Taylor-Hood elements and Newton's method, by curved elements."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pdekit.cases.base import Case, Draw, Solved, coupling_strength
from pdekit.cases.finite_elements import Ellipse, require_ngsolve, square_mesh, values_on_grid
from pdekit.cases.newton import CLOSE, TOLERANCE, continuation, newton
from pdekit.fields import Grid
from pdekit.pdes.thermo_fluid import ThermoFluid

LENGTH = 0.128  # m, of the sides of the box, which is centred at the origin
STRENGTHS = {"off": 0.0, "weak": 0.1, "published": 1.0, "strong": 3.0}


@dataclass(frozen=True)
class ThermoFluidCase(Case):
    """A box of air, 128 mm wide, with a copper disc that is heated throughout.

    The left and right sides are at 283.15 K, top and bottom let no heat through; the air rests on all sides and on
    the disc. Heat is drawn from the integers 50 to 100 W/m^3, the disc's centre from U[-L/8, L/8] along either axis and
    its radius from U[L/10, L/8], as Multiphysics Bench draws them.

    Args:
        coupling: the setting of the knob: the factor `coupling` of the equation, on the weight of warm air, is 0 (off),
            0.1 (weak), 1 (published) or 3 (strong).
        order: order of the elements for velocity and temperature; the pressure's is one less.
        size: size of the elements relative to the box; those in the disc are 0.5 as large.
    """

    configurable = True

    coupling: str = "published"
    order: int = 4
    size: float = 0.1

    version: ClassVar[int] = 1
    params: ClassVar[tuple[str, ...]] = ("heat", "disc_x", "disc_y", "disc_radius")

    def __post_init__(self):
        coupling_strength(self.coupling, STRENGTHS)

    @property
    def pde(self) -> ThermoFluid:
        return ThermoFluid(coupling=coupling_strength(self.coupling, STRENGTHS))

    @property
    def has_mask(self) -> bool:
        return True

    def draw(self, generator: np.random.Generator) -> Draw:
        heat = float(generator.integers(50, 101))
        low, high = np.array((-1 / 8, -1 / 8, 1 / 10)) * LENGTH, np.array((1 / 8, 1 / 8, 1 / 8)) * LENGTH
        return Draw(dict(zip(self.params, (heat, *generator.uniform(low, high).tolist()), strict=True)))

    def solve(self, drawn: Draw, grid: Grid, refinement: float = 1.0) -> Solved:
        pde = dataclasses.replace(self.pde, **drawn.params)
        disc = Ellipse((pde.disc_radius,) * 2, (pde.disc_x, pde.disc_y))
        size = self.size * LENGTH / refinement
        mesh = square_mesh(LENGTH, disc, size, self.order, 0.5 * size)
        ng = require_ngsolve()
        source = mesh.MaterialCF({"inside": pde.heat * ng.exp(ng.x + ng.y)}, default=0.0)
        flow = Convection(mesh, pde, source, {"left": 0.0, "right": 0.0}, self.order)
        velocity, in_air = values_on_grid([flow.velocity, flow.pressure], mesh, grid, ["outside"])
        warmth, everywhere = values_on_grid([flow.rise, source], mesh, grid)
        u = np.stack((velocity[0], velocity[1], warmth[0], velocity[2]))
        return Solved(u[None], warmth[1:], np.stack((in_air, in_air, everywhere, in_air)))


class Convection:
    """Natural convection in a box, solved.

    Volume, momentum and heat stand in one system for (velocity, pressure, rise), solved by Newton's method with exact
    derivatives. From rest the coupling grows in steps that treble where it converges and are quartered where not.

    Args:
        mesh: materials "outside" (air) and, if any, "inside" (solid), with boundaries "left", "right", "bottom",
            "top" and, if there is a solid, "ellipse".
        pde: its parameters; `coupling` is the strength to be reached.
        source: Q [W/m^3], a coefficient function.
        walls: rise [K] of the sides that have one; the others let no heat through.
        order: order of the elements for velocity and temperature.

    Attributes:
        velocity, pressure, rise: functions on the mesh: [m/s], [Pa] with mean 0, [K] above the cold sides.
        iterations: total number of Newton iterations.

    Raises:
        ValueError: if Newton's method fails however small the steps.
    """

    def __init__(self, mesh: Any, pde: ThermoFluid, source: Any, walls: Mapping[str, float], order: int = 3):
        ng = require_ngsolve()
        self.mesh, self.pde, self.iterations = mesh, pde, 0
        sides = "left|right|bottom|top|ellipse"
        space = ng.FESpace(
            [
                ng.VectorH1(mesh, order=order, dirichlet=sides, definedon="outside"),
                ng.H1(mesh, order=order - 1, definedon="outside"),
                ng.H1(mesh, order=order, dirichlet="|".join(walls)),
            ]
        )
        self._strength = ng.Parameter(0.0)
        self._form = ng.BilinearForm(space, condense=True)
        self._add_equations(space, source, order)
        self._state = ng.GridFunction(space)
        self._state.components[2].Set(
            mesh.BoundaryCF(dict(walls), default=0.0), definedon=mesh.Boundaries("|".join(walls))
        )
        self._free = space.FreeDofs(coupling=True)
        self._free.Clear(space.Range(1).start)  # the pressure is known up to a number
        self._raise_coupling(pde.coupling)
        self.velocity, self.pressure, self.rise = self._state.components
        area = ng.Integrate(1.0, mesh, definedon=mesh.Materials("outside"))
        mean = ng.Integrate(self.pressure, mesh, definedon=mesh.Materials("outside")) / area
        self.pressure = self.pressure - mean

    def _add_equations(self, space: Any, source: Any, order: int) -> None:
        ng, pde = require_ngsolve(), self.pde
        (u, p, rise), (u_test, p_test, rise_test) = space.TnT()
        weight = self._strength * pde.density * pde.gravity / pde.reference * rise
        stress = pde.viscosity * ng.InnerProduct(ng.Grad(u), ng.Grad(u_test)) - p * ng.div(u_test)
        inertia = pde.density * (ng.Grad(u) * u) * u_test
        heat_flow = pde.density * pde.heat_capacity * (u * ng.grad(rise)) * rise_test
        air = self.mesh.Materials("outside")
        self._form += (stress - weight * u_test[1] - p_test * ng.div(u)) * ng.dx(definedon=air)
        # what is carried is of degree 3 order - 1: integrated exactly
        self._form += (inertia + heat_flow) * ng.dx(definedon=air, bonus_intorder=order - 1)
        k = self.mesh.MaterialCF({"inside": pde.k_solid}, default=pde.k_air)
        self._form += (k * ng.grad(rise) * ng.grad(rise_test) - source * rise_test) * ng.dx

    def _raise_coupling(self, strength: float) -> None:
        if not self._converge(0.0, CLOSE if strength else TOLERANCE):
            raise ValueError(f"expected a solution of heat conduction, found none for {self.pde}; refine the mesh")
        for part in self._state.components[:2]:
            part.vec[:] = 0.0  # not only nearly
        reached = continuation(self._converge, self._state, strength, strength / 16)
        if reached < strength:
            raise ValueError(
                f"expected Newton's method to converge, it failed beyond {reached / strength:.3g} of the coupling "
                f"with {self.pde}; refine the mesh or weaken the coupling"
            )

    def _converge(self, strength: float, tolerance: float) -> bool:
        """Newton's method at one strength, from the present state; whether it converged."""
        self._strength.Set(strength)
        fields = (0, 1, 2) if strength else (2,)
        converged, iterations = newton(self._form, self._state, self._free, fields, tolerance)
        self.iterations += iterations
        return converged

    def heat_through(self, side: str) -> float:
        """The heat [W/m] that leaves across a side."""
        ng = require_ngsolve()
        normal = ng.BoundaryFromVolumeCF(ng.grad(self.rise)) * ng.specialcf.normal(2)
        return -self.pde.k_air * ng.Integrate(normal, self.mesh, definedon=self.mesh.Boundaries(side))
