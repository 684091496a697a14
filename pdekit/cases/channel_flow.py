"""Incompressible flow in a channel with a cylinder: curved Taylor-Hood elements, IMEX steps of order 2, and forces.

    u_t + (u.grad) u = nu laplacian(u) - grad p,   div u = 0

The library is NGSolve (extra `fem`), see `pdekit.cases.finite_elements`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pdekit.cases.finite_elements import require_ngsolve

CURVED = 4
"""Order of the polynomials of curved sides, whatever that of the elements: an arc of a radian is then exact to 1e-5."""

PENALTY = 1e-11
"""Weight of p q in the continuity equation, which fixes the pressure where no side is open."""


@dataclass(frozen=True)
class Channel:
    """A channel from x = 0 to x = length and y = 0 to y = height with a round hole.

    Args:
        length, height: of the channel.
        centre, radius: of the cylinder.
    """

    length: float
    height: float
    centre: tuple[float, float]
    radius: float

    def mesh(self, size: float, cylinder_size: float) -> Any:
        """Return an `ngsolve.Mesh` of curved triangles; the same numbers always give the same one.

        Its sides are "inlet" (x = 0), "outlet", "wall" (y = 0 and y = height) and "cylinder".

        Args:
            size, cylinder_size: size of the elements, and of those at the cylinder.
        """
        ng = require_ngsolve()
        from netgen.geom2d import SplineGeometry

        geometry = SplineGeometry()
        geometry.AddRectangle((0, 0), (self.length, self.height), bcs=("wall", "outlet", "wall", "inlet"))
        circle = {"leftdomain": 0, "rightdomain": 1, "bc": "cylinder", "maxh": cylinder_size}
        geometry.AddCircle(self.centre, self.radius, **circle)
        mesh = ng.Mesh(geometry.GenerateMesh(maxh=size, grading=0.3))
        mesh.Curve(CURVED)
        return mesh

    def inflow(self, mesh: Any, mean: float) -> Any:
        """Return the parabolic profile of a mean velocity at the inlet, and zero on the other sides of its mesh."""
        ng = require_ngsolve()
        profile = ng.CF((6 * mean * ng.y * (self.height - ng.y) / self.height**2, 0))
        return mesh.BoundaryCF({"inlet": profile}, default=ng.CF((0, 0)))


def shortest_edge(mesh: Any) -> float:
    """Return the distance of the closest neighbours among the vertices of a mesh."""
    places = np.array([vertex.point for vertex in mesh.vertices])
    ends = np.array([[vertex.nr for vertex in edge.vertices] for edge in mesh.edges])
    return float(np.linalg.norm(places[ends[:, 0]] - places[ends[:, 1]], axis=1).min())


class ChannelFlow:
    """A flow that is advanced in time; velocities of degree ``order``, pressure of one less.

    Steps are of the backward differentiation formula of order 2. Convection is extrapolated from the last two times, so
    that one factorisation serves all steps:

        (3 u_n+1 - 4 u_n + u_n-1) / (2 dt) + 2 C(u_n) - C(u_n-1) = nu laplacian(u_n+1) - grad p_n+1

    The first step is Euler's. Sides that are not named have (nu grad u - p) n = 0. It begins as the Stokes flow of the
    sides at t = 0, or as ``start``.

    Limits: stable for steps below about 0.3 h / (order^2 |u|) only, with h the shortest edge and |u| the mean velocity.

    Args:
        mesh: an `ngsolve.Mesh`.
        order: degree of the velocity, 2 or more.
        viscosity: nu [m^2/s].
        dt: time step [s].
        velocity: velocity on the named sides as a function of time.
        sides: names of the sides with a given velocity, joined by "|".
        start: velocity at t = 0; None for the Stokes flow.

    Attributes:
        t: the time [s].
        state: grid function of velocity and pressure; the pressure of the start is that of the Stokes flow, or zero.
    """

    def __init__(
        self,
        mesh: Any,
        order: int,
        viscosity: float,
        dt: float,
        velocity: Callable[[float], Any],
        sides: str = "inlet|wall|cylinder",
        start: Any = None,
    ):
        ng = require_ngsolve()
        self.mesh, self.dt, self.t, self._velocity = mesh, dt, 0.0, velocity
        self._sides = mesh.Boundaries(sides)
        self._space = ng.VectorH1(mesh, order=order, dirichlet=sides) * ng.H1(mesh, order=order - 1)
        (u, p), (v, q) = self._space.TnT()
        stokes = viscosity * ng.InnerProduct(ng.Grad(u), ng.Grad(v)) - ng.div(v) * p - ng.div(u) * q - PENALTY * p * q
        self._mass = ng.BilinearForm(u * v * ng.dx).Assemble().mat
        self.state = ng.GridFunction(self._space)
        self._euler, self._bdf = (
            ng.BilinearForm(share / dt * u * v * ng.dx + stokes * ng.dx).Assemble().mat for share in (1.0, 1.5)
        )
        self._inverse_euler, self._inverse_bdf = self._inverse(self._euler), self._inverse(self._bdf)
        self._set_sides()
        if start is None:
            self._solve_stokes(stokes)
        else:
            self.velocity.Set(start)
        self._convection = ng.LinearForm(self._space)
        self._convection += ng.InnerProduct(ng.Grad(self.velocity) * self.velocity, v) * ng.dx
        self._vectors()

    def _vectors(self) -> None:
        create = self.state.vec.CreateVector
        self._before, self._convected, self._right, self._left, self._sum = (create() for _ in range(5))
        self._started = False

    def _inverse(self, matrix: Any) -> Any:
        return matrix.Inverse(self._space.FreeDofs(), inverse="umfpack")

    def _solve_stokes(self, stokes: Any) -> None:
        ng = require_ngsolve()
        matrix = ng.BilinearForm(stokes * ng.dx).Assemble().mat
        self.state.vec.data -= self._inverse(matrix) * (matrix * self.state.vec).Evaluate()

    def _set_sides(self) -> None:
        """Set the state to the velocity on the sides, and zero elsewhere."""
        self.state.vec[:] = 0
        self.velocity.Set(self._velocity(self.t), definedon=self._sides)

    @property
    def velocity(self) -> Any:
        return self.state.components[0]

    @property
    def pressure(self) -> Any:
        """Pressure over density [m^2/s^2]."""
        return self.state.components[1]

    def values(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return velocity and pressure at points of the mesh, "channel point".

        Raises:
            ValueError: if a point is not in the mesh.
        """
        points = self.mesh(x, y)
        if (points["nr"] < 0).any():
            missing = int(np.argmax(points["nr"] < 0))
            raise ValueError(
                f"expected points of the mesh, got ({x[missing]:.6g}, {y[missing]:.6g}); the mesh is too coarse to "
                "follow the cylinder"
            )
        return np.concatenate([self.velocity(points), self.pressure(points)], 1).T

    def advance(self) -> None:
        """Advance by one step.

        Raises:
            ValueError: if the state is no longer finite: the step is too long.
        """
        now, dt = self.state.vec, self.dt
        self._convection.Assemble()
        if self._started:
            self._sum.data = (2 / dt) * now - (0.5 / dt) * self._before
            self._right.data = self._mass * self._sum - 2 * self._convection.vec + self._convected
            matrix, inverse = self._bdf, self._inverse_bdf
        else:
            self._sum.data = (1 / dt) * now
            self._right.data = self._mass * self._sum - self._convection.vec
            matrix, inverse = self._euler, self._inverse_euler
        self._before.data, self._convected.data, self._started = now, self._convection.vec, True
        self.t += dt
        self._set_sides()
        self._left.data = self._right - matrix * now
        now.data += inverse * self._left
        if not np.isfinite(now.Norm()):
            raise ValueError(f"expected a finite flow, got NaN or Inf at t = {self.t:.4g}; use a shorter time step")
        self._left.data = self._right - matrix * now  # the reaction of the sides

    def force(self, side: str) -> tuple[float, float]:
        """Return the force of the fluid on a side over density, along x and y, at the last step [m^3/s^2].

        It is the residual of the momentum equation tested with a unit velocity on the side (Babuska-Miller), which
        converges twice as fast as an integral of the stress.
        """
        ng = require_ngsolve()
        unit, found = ng.GridFunction(self._space), []
        for direction in ((1, 0), (0, 1)):
            unit.components[0].Set(ng.CF(direction), definedon=self.mesh.Boundaries(side))
            found.append(float(ng.InnerProduct(self._left, unit.vec)))
        return found[0], found[1]
