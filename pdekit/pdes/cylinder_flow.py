"""u_t + (u.grad) u = nu laplacian(u) - grad p, div u = 0, past a cylinder in a channel."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Any, ClassVar

import torch

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import PDE, Coordinates, ExactSolution


@dataclass(frozen=True)
class CylinderFlow(PDE):
    """Incompressible flow in a channel past a cylinder that spans it from side to side.

    With velocity (u, v) and pressure over density p:

        u_t + u u_x + v u_y + p_x - nu laplacian(u) = 0      momentum along x
        v_t + u v_x + v v_y + p_y - nu laplacian(v) = 0      momentum along y
        u_x + v_y = 0                                        volume

    Behaviour: the Reynolds number is Re = u_inlet 2 radius / nu. Below about 50 the wake is steady, above it sheds
    vortices in turn from either side, with a Strouhal number f 2 radius / u_inlet of about 0.3 for a cylinder that
    fills a quarter of the channel. Walls close to the cylinder delay the onset.

    Limits: the flow of a real cylinder turns three-dimensional at a Reynolds number of about 190.

    Args:
        viscosity: nu [m^2/s].
        center_x, center_y, radius: of the cylinder [m].
        u_inlet: mean velocity at the inlet [m/s].
    """

    configurable = True

    viscosity: Any = 1.0533e-4
    center_x: Any = 0.3
    center_y: Any = 0.2
    radius: Any = 0.05
    u_inlet: Any = 0.1

    dims: ClassVar = (2,)
    fields: ClassVar = (
        Field("velocity_x", "m/s", vector="velocity"),
        Field("velocity_y", "m/s", vector="velocity"),
        Field("pressure", "m^2/s^2"),
    )
    equations: ClassVar = ("momentum along x (m/s^2)", "momentum along y (m/s^2)", "volume (1/s)")
    positive: ClassVar = ("viscosity", "radius")

    @property
    def reynolds_number(self) -> Any:
        """u_inlet 2 radius / nu."""
        return self.u_inlet * 2 * self.radius / self.viscosity

    def residual(self, w: Any, d: Calculus) -> Any:
        u, v, p = d.components(w)
        u_t, v_t, _ = d.components(d.t(w))
        along_x = u_t + u * d.x(u) + v * d.y(u) + d.x(p) - self.viscosity * d.laplacian(u)
        along_y = v_t + u * d.x(v) + v * d.y(v) + d.y(p) - self.viscosity * d.laplacian(v)
        return d.stack(along_x, along_y, d.x(u) + d.y(v))

    def describe(self, params: dict[str, float]) -> str:
        x, y, radius, speed, viscosity = (
            float(params.get(name, getattr(self, name)))
            for name in ("center_x", "center_y", "radius", "u_inlet", "viscosity")
        )
        return (
            f"Fluid flows past a cylinder of radius {radius:.4g} m at ({x:.4g}, {y:.4g}) m in a channel with a mean "
            f"velocity of {speed:.4g} m/s, that is, at a Reynolds number of {speed * 2 * radius / viscosity:.4g}."
        )

    def exact(self) -> tuple[ExactSolution, ...]:
        """The decaying vortices of Taylor and Green (1937), without a cylinder."""
        nu = self.viscosity

        def vortices(coordinates: Coordinates, t: Any) -> tuple[torch.Tensor, ...]:
            x, y = coordinates
            decay = torch.exp(-2 * nu * torch.as_tensor(t))
            u = torch.cos(x) * torch.sin(y) * decay
            v = -torch.sin(x) * torch.cos(y) * decay
            return u, v, -(torch.cos(2 * x) + torch.cos(2 * y)) * decay**2 / 4

        return (ExactSolution("Taylor-Green vortices", vortices, (2 * pi, 2 * pi)),)
