"""Liquid metal in a flat duct below a magnet: Taylor-Hood elements, the electric potential, Newton's method."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

import numpy as np
import torch

from pdekit.cases.base import Case, Draw, Solved, coupling_strength
from pdekit.cases.finite_elements import require_ngsolve, values_on_grid
from pdekit.cases.newton import CLOSE, continuation, newton
from pdekit.fields import Grid
from pdekit.pdes.magnetohydrodynamics import SMALL, Magnetohydrodynamics

EXTENT = (0.08, 0.0275)  # m; centred at the origin
ELECTRODE = 0.02 / 3  # m, half the length of each
STRENGTHS = {"off": 0.0, "weak": 0.1, "published": 1.0, "strong": 2.0}


@dataclass(frozen=True)
class MagnetohydrodynamicsCase(Case):
    """A duct of 80 mm by 27.5 mm by 10 mm whose liquid metal a magnet and a current brake.

    Metal enters on the left as it flows far from the magnet, leaves freely on the right (where no stress acts) and
    sticks to the side walls. Nothing conducts but two electrodes on the side walls, |x| < 20/3 mm, through which the
    current density `current` (1 + cos(pi x / (20/3 mm))) / 2 flows from the upper to the lower. The magnet's field is
    a Gaussian with peak U[0.02, 0.2] T (Hartmann numbers 4 to 40), centre U[-10, 10] mm along either axis and width
    U[4, 10] mm. Multiphysics Bench draws remanences U[0, 1] T, of which about 0.18 arrive between its magnets, and
    widths from 2 mm, less than the gap.

    Args:
        coupling: the setting of the knob: the factor `coupling` of the equation, on the field and so on the Hartmann
            number, is 0 (off), 0.1 (weak), 1 (published: the field as drawn) or 2 (strong).
        order: order of the elements for velocity and potential; the pressure's is one less.
        cells: elements along the duct, of which 20/3 mm are a whole number; a third as many across, denser at walls.
        speed: mean velocity of what enters [m/s].
        current: largest current density of the electrodes [A/m^2].
    """

    configurable = True

    coupling: str = "published"
    order: int = 5
    cells: int = 24
    speed: float = 2e-3
    current: float = 100.0

    version: ClassVar[int] = 1
    params: ClassVar[tuple[str, ...]] = ("field_peak", "field_x", "field_y", "field_width")

    def __post_init__(self):
        coupling_strength(self.coupling, STRENGTHS)
        if self.cells % 12:
            raise ValueError(f"expected cells in multiples of 12, got {self.cells}; electrodes end between elements")

    @property
    def pde(self) -> Magnetohydrodynamics:
        return Magnetohydrodynamics(coupling=coupling_strength(self.coupling, STRENGTHS))

    @property
    def has_mask(self) -> bool:
        return False

    def draw(self, generator: np.random.Generator) -> Draw:
        low, high = np.array(((0.02, -0.01, -0.01, 0.004), (0.2, 0.01, 0.01, 0.01)))
        return Draw(dict(zip(self.params, generator.uniform(low, high).tolist(), strict=True)))

    def solve(self, drawn: Draw, grid: Grid, refinement: float = 1.0) -> Solved:
        ng, pde = require_ngsolve(), dataclasses.replace(self.pde, **drawn.params)
        mesh = duct_mesh(max(4, round(self.cells * refinement)))
        r2 = (ng.x - pde.field_x) ** 2 + (ng.y - pde.field_y) ** 2
        field = pde.field_peak * ng.exp(-r2 / (2 * pde.field_width**2))
        duct = Duct(mesh, pde, field, self.speed, self.current, self.order)
        values, inside = values_on_grid([duct.current, duct.velocity, duct.pressure, field], mesh, grid)
        if not inside.all():
            raise ValueError(
                f"expected a grid within the duct, {EXTENT} m about the origin, got {grid}; correct the grid"
            )
        return Solved(values[None, :5], values[5:])


def duct_mesh(cells: int) -> Any:
    """Rectangles that are denser at the side walls; boundaries "left", "right", "bottom" and "top"."""
    from ngsolve.meshes import MakeStructured2DMesh

    def place(x: float, y: float) -> tuple[float, float]:
        return EXTENT[0] * (x - 0.5), EXTENT[1] / 2 * float(np.sin(np.pi / 2 * 0.8 * (2 * y - 1)) / np.sin(0.4 * np.pi))

    return MakeStructured2DMesh(quads=True, nx=cells, ny=max(2, cells // 3), mapping=place)


class Duct:
    """The flow and the currents in a duct, solved.

    Charge, volume and momentum stand in one system for (velocity, pressure, potential times conductivity). The first
    guess is the flow without inertia, a linear problem; then inertia grows in as few steps as Newton's method allows.

    Args:
        mesh: see `duct_mesh`.
        pde: its parameters; its Gaussian is not used.
        field: B [T], a coefficient function.
        speed, current: see `MagnetohydrodynamicsCase`.
        order: order of the elements for velocity and potential.
        upstream: field [T] in which the metal that enters has developed its profile.

    Attributes:
        velocity, pressure, current: functions on the mesh [m/s, Pa, A/m^2]; the pressure is 0 at the end of the duct.
            The current is projected onto continuous functions of the gradient's order, which lie 4 times nearer.
        potential: conductivity times the electric potential [A/m].
        iterations: total number of Newton iterations.

    Raises:
        ValueError: if Newton's method fails however small the steps.
    """

    def __init__(
        self,
        mesh: Any,
        pde: Magnetohydrodynamics,
        field: Any,
        speed: float,
        current: float,
        order: int = 3,
        upstream: float = 0.0,
    ):
        ng = require_ngsolve()
        self.mesh, self.pde, self.iterations = mesh, pde, 0
        space = ng.FESpace(
            [
                ng.VectorH1(mesh, order=order, dirichlet="left|bottom|top"),
                ng.H1(mesh, order=order - 1),
                ng.H1(mesh, order=order),
            ]
        )
        self._inertia = ng.Parameter(0.0)
        self._state = ng.GridFunction(space)
        self.velocity, self.pressure, self.potential = self._state.components
        b, friction = (ng.GridFunction(ng.H1(mesh, order=order)) for _ in range(2))  # not evaluated in every form
        b.Set(pde.coupling * field)
        friction.Set(_friction(pde, pde.coupling * field))
        self._form = self._equations(space, b, friction, order)
        self._form += self._electrodes(space, current)
        self.velocity.Set(ng.CF((developed(pde, speed, upstream), 0.0)), definedon=mesh.Boundaries("left"))
        self._free = space.FreeDofs(coupling=True)
        self._free.Clear(space.Range(2).start)  # the potential is known up to a number
        self._solve()
        u, v = self.velocity
        self.current = _continuous(pde.conductivity * b * ng.CF((v, -u)) - ng.grad(self.potential), mesh, order - 1)

    def _equations(self, space: Any, b: Any, friction: Any, order: int) -> Any:
        ng, pde = require_ngsolve(), self.pde
        (u, p, potential), (u_test, p_test, potential_test) = space.TnT()
        current = pde.conductivity * b * ng.CF((u[1], -u[0])) - ng.grad(potential)
        stress = pde.viscosity * ng.InnerProduct(ng.Grad(u), ng.Grad(u_test)) - p * ng.div(u_test)
        force = b * ng.CF((current[1], -current[0])) - friction * u
        inertia = self._inertia * pde.density * (ng.Grad(u) * u) * u_test
        form = ng.BilinearForm(space, condense=True)
        form += (stress - force * u_test - p_test * ng.div(u) - current * ng.grad(potential_test)) * ng.dx(
            bonus_intorder=order
        )
        form += inertia * ng.dx(bonus_intorder=order - 1)
        return form

    def _electrodes(self, space: Any, current: float) -> Any:
        ng = require_ngsolve()
        test = space.TestFunction()[2]
        near = ng.IfPos(ELECTRODE - ng.Norm(ng.x), (1 + ng.cos(np.pi * ng.x / ELECTRODE)) / 2, 0.0)
        along_walls = ng.ds(bonus_intorder=8)
        top, bottom = (self.mesh.BoundaryCF({side: 1.0}, default=0.0) for side in ("top", "bottom"))
        return current * near * (bottom - top) * test * along_walls

    def _solve(self) -> None:
        if not self._converge(0.0, CLOSE):
            raise ValueError(f"expected a solution without inertia, found none for {self.pde}; refine the mesh")
        reached = continuation(self._converge, self._state, 1.0, 1.0)
        if reached < 1:
            raise ValueError(
                f"expected Newton's method to converge, it failed beyond {reached:.3g} of the inertia with {self.pde}; "
                "refine the mesh or slow the flow"
            )

    def _converge(self, inertia: float, tolerance: float) -> bool:
        self._inertia.Set(inertia)
        converged, iterations = newton(self._form, self._state, self._free, (0,), tolerance)
        self.iterations += iterations
        return converged


def developed(pde: Magnetohydrodynamics, speed: float, b: float) -> Any:
    """u(y) with a mean speed in an endless duct in a uniform field [T]: friction against the side walls' viscosity.

    mu u'' - friction u = p_x has u proportional to 1 - cosh(k y) / cosh(k a) with k^2 = friction / mu and half the
    width a; no current flows, because none can leave.
    """
    ng = require_ngsolve()
    half = EXTENT[1] / 2
    k = sqrt(float(pde.friction(torch.tensor(b, dtype=torch.float64))) / pde.viscosity)
    # cosh(k y) / cosh(k a) without overflow
    ratio = (ng.exp(k * (ng.y - half)) + ng.exp(-k * (ng.y + half))) / (1 + np.exp(-2 * k * half))
    return speed / (1 - np.tanh(k * half) / (k * half)) * (1 - ratio)


def _continuous(vector: Any, mesh: Any, order: int) -> Any:
    """The nearest continuous function to a vector that jumps between elements."""
    ng = require_ngsolve()
    space = ng.VectorH1(mesh, order=order)
    trial, test = space.TnT()
    mass = ng.BilinearForm(trial * test * ng.dx, symmetric=True).Assemble()
    load = ng.LinearForm(vector * test * ng.dx(bonus_intorder=order)).Assemble()
    nearest = ng.GridFunction(space)
    nearest.vec.data = mass.mat.Inverse(inverse="sparsecholesky") * load.vec
    return nearest


def _friction(pde: Magnetohydrodynamics, b: Any) -> Any:
    """`pde.friction` of a coefficient function."""
    ng = require_ngsolve()
    ha = pde.hartmann(1.0) * ng.Norm(b)
    large = ng.IfPos(ha - SMALL, ha, SMALL)
    tanh = 1 - 2 / (ng.exp(2 * large) + 1)
    closed = large**2 * tanh / (large - tanh)
    return pde.viscosity / pde.half_gap**2 * ng.IfPos(ha - SMALL, closed, 3 + ha**2 / 5 - ha**4 / 175)
