"""rho u.grad u = -grad p + mu laplacian(u) + buoyancy, rho c_p u.grad T = div(k grad T) + Q about a warm disc."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import SteadyPDE


@dataclass(frozen=True)
class ThermoFluid(SteadyPDE):
    """Steady natural convection of air around a solid disc that is heated throughout.

    With velocity (u, v), rise T of the temperature above the cold sides' 283.15 K and pressure p, in the air

        u_x + v_y = 0                                                                         volume
        rho (u u_x + v u_y) + p_x - mu laplacian(u) = 0                                       momentum
        rho (u v_x + v v_y) + p_y - mu laplacian(v) - coupling rho g beta T = 0               momentum
        rho c_p (u T_x + v T_y) - k laplacian(T) - Q = 0                                      heat

    and in the disc heat alone, with the conductivity `k_solid` and no flow; the temperature and k dT/dn are continuous
    in between. beta is 1/reference. Q is the coefficient `heat_source`, heat * exp((x + y) / m) in the disc and 0
    elsewhere. The pressure is the one beyond hydrostatics at the temperature of the sides, with mean 0; it is stored,
    because momentum needs it, although Multiphysics Bench does not. A rise is stored, because in single precision
    kelvins would round a tenth of a per mille of it away.

    The residual of volume and momentum is 0 in the disc. At its edge, where second derivatives jump, no residual on a
    grid means anything.

    Behaviour: a plume rises from the disc and turns at the lid; air sinks along the cold sides and lies still below.
    The Rayleigh number of the air, g beta dT L^3 / (nu kappa), is about 1e5 for 0.4 K over L = 0.128 m.

    Limits: Boussinesq, laminar and steady; nothing says that a steady flow is stable at strong coupling.

    Source: Multiphysics Bench (arXiv:2505.17575), problem NS_heat: air at 284.15 K, copper.

    Args:
        density, viscosity, heat_capacity, k_air, k_solid: rho [kg/m^3], mu [Pa s], c_p [J/(kg K)], k [W/(m K)].
        reference: temperature of Boussinesq's expansion [K].
        gravity: g [m/s^2].
        coupling: factor on the weight of warm air; at 0 the air rests and heat is conducted only.
        heat: [W/m^3].
        disc_x, disc_y, disc_radius: centre and radius of the disc [m].
    """

    configurable = True

    density: Any = 1.24246
    viscosity: Any = 1.7692e-5
    heat_capacity: Any = 1005.108
    k_air: Any = 0.025053
    k_solid: Any = 400.0
    reference: Any = 284.15
    gravity: Any = 9.80665
    coupling: Any = 1.0
    heat: Any = 75.0
    disc_x: Any = 0.0
    disc_y: Any = 0.0
    disc_radius: Any = 0.0144

    dims: ClassVar = (2,)
    fields: ClassVar = (
        Field("velocity_x", "m/s", vector="velocity"),
        Field("velocity_y", "m/s", vector="velocity"),
        Field("temperature_rise", "K"),
        Field("pressure", "Pa"),
    )
    coeffs: ClassVar = (Field("heat_source", "W/m^3"),)
    equations: ClassVar = ("volume (1/s)", "momentum x (N/m^3)", "momentum y (N/m^3)", "heat (W/m^3)")

    @property
    def buoyancy(self) -> Any:
        """Force per volume and kelvin [N/(m^3 K)]."""
        return self.coupling * self.density * self.gravity / self.reference

    def in_air(self, d: Calculus) -> Any:
        """1 outside the disc, 0 inside."""
        x, y = d.coordinates
        beyond = (x - self.disc_x) ** 2 + (y - self.disc_y) ** 2 >= self.disc_radius**2
        return beyond.to(x)

    def residual(self, w: Any, d: Calculus) -> Any:
        u, v, rise, p = d.components(w)
        air = self.in_air(d)

        def carried(c: Any) -> Any:
            return self.density * (u * d.x(c) + v * d.y(c))

        momentum_x = carried(u) + d.x(p) - self.viscosity * d.laplacian(u)
        momentum_y = carried(v) + d.y(p) - self.viscosity * d.laplacian(v) - self.buoyancy * rise
        conductivity = self.k_solid + (self.k_air - self.k_solid) * air
        heat = self.heat_capacity * carried(rise) - conductivity * d.laplacian(rise)
        return d.stack(air * (d.x(u) + d.y(v)), air * momentum_x, air * momentum_y, heat - d.coeff("heat_source"))

    def describe(self, params: dict[str, float]) -> str:
        x, y, radius, heat = (self.value(name, params) for name in ("disc_x", "disc_y", "disc_radius", "heat"))
        return (
            f"Air rises around a copper disc of radius {radius} m at ({x}, {y}) m, heated by {heat} W/m^3, between two "
            "cold walls."
        )
