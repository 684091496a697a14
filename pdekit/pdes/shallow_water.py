"""h_t + div(h u) = 0, (h u)_t + div(h u u) + grad(g h^2 / 2) = 0."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.fields import Field, Grid
from pdekit.pdes.base import ConservationLaw, Coordinates, ExactSolution, integral


@dataclass(frozen=True)
class ShallowWater(ConservationLaw):
    """Shallow water over a flat bottom: dam breaks, bores, vortices.

    With depth h and momentum (p, q) = h (u, v), the fluxes along x are

        p,    p^2/h + g h^2/2,    p q / h,

    and those along y with p and q exchanged. Waves run with u and u +- sqrt(g h). On a line, q is the momentum along
    the front: it is carried with the flow and does not act on it.

    Behaviour: gravity waves steepen into bores, which lose energy; vortices travel with the flow.

    Limits: h > 0 everywhere (no dry bottom); no bottom relief and no rotation. Good values: g = 1, depth 2 inside a
    circle of radius 0.5 and 1 outside (a radial dam break) on a box of length 5, until t = 1, 128^2 cells.

    Source: de Saint-Venant (1871); the fluxes as in LeVeque (2002), section 13.1.

    Args:
        gravity: g.
    """

    configurable = True

    gravity: Any = 1.0

    dims: ClassVar = (1, 2)
    positive: ClassVar = ("gravity",)
    middle_wave: ClassVar = True
    positive_primitives: ClassVar = (0,)
    fields: ClassVar = (
        Field("depth", "m"),
        Field("momentum_x", "m^2/s", vector="momentum"),
        Field("momentum_y", "m^2/s", vector="momentum"),
    )

    def flux(self, w: Any, axis: int, d: Calculus) -> Any:
        h, *momentum = d.components(w)
        normal = momentum[axis]
        speed = normal / h
        carried = [component * speed for component in momentum]
        carried[axis] = carried[axis] + 0.5 * self.gravity * (h * h)
        return d.stack(normal, *carried)

    def wave_speeds(self, w: Any, axis: int, d: Calculus) -> tuple[Any, Any]:
        h, *momentum = d.components(w)
        speed, celerity = momentum[axis] / h, torch.sqrt(self.gravity * h)
        return speed - celerity, speed + celerity

    def star_states(self, left: Any, right: Any, speeds: tuple[Any, Any], axis: int, d: Calculus) -> tuple[Any, ...]:
        """The wave that carries the shear. Source: Toro (2001), equations 10.27 and 10.36."""
        sides = [d.components(side) for side in (left, right)]
        inflow = [h * (speed - m[axis] / h) for (h, *m), speed in zip(sides, speeds, strict=True)]  # h (s - u)
        middle = (speeds[0] * inflow[1] - speeds[1] * inflow[0]) / (inflow[1] - inflow[0])
        stars = []
        for (h, *momentum), through, speed in zip(sides, inflow, speeds, strict=True):
            depth = through / (speed - middle)
            carried = [depth * component / h for component in momentum]
            carried[axis] = depth * middle
            stars.append(d.stack(depth, *carried))
        return middle, *stars

    def exact(self) -> tuple[ExactSolution, ...]:
        """A vortex in balance, carried by the flow (U, V): with r the distance from its centre, it turns with the
        speed b r exp(-r^2/2) about it, and g h = g - (b^2/2) exp(-r^2)."""
        g, flow, b = self.gravity, (0.8, 0.5), 0.7

        def vortex(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            dx, dy = x[0] - flow[0] * t, x[1] - flow[1] * t
            bell = torch.exp(-(dx**2 + dy**2) / 2)
            h = 1 - b**2 / (2 * g) * bell**2
            return h, h * (flow[0] - b * dy * bell), h * (flow[1] + b * dx * bell)

        return (ExactSolution("travelling vortex", vortex, (16.0, 16.0), floor=1e-11, origin=(-8.0, -8.0)),)

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        names = ("mass", "momentum_x", "momentum_y")
        return {name: integral(u[:, channel], grid) for channel, name in enumerate(names)}

    def dissipated(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        h = u[:, :1]
        density = (u[:, 1:] ** 2).sum(dim=1, keepdim=True) / (2 * h) + 0.5 * self.gravity * h**2
        return {"energy": integral(density[:, 0], grid)}

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (1, *(-1 if a == axis else 1 for a in range(2)))

    def scaling(self) -> dict[str, float]:
        """Twice as deep with half the gravity: the speeds are the same."""
        return {"depth": 1.0, "momentum_x": 1.0, "momentum_y": 1.0, "gravity": -1.0}

    def bounds(self) -> dict[str, tuple[float, float]]:
        return {"depth": (0.0, inf)}

    def describe(self, params: dict[str, float]) -> str:
        return f"Shallow water over a flat bottom with gravity {self.value('gravity', params)}."
