"""div(conductivity grad V) = 0, u = -k_p grad p + k_V grad V, div u = 0: electro-osmosis in a porous medium."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import SteadyPDE


@dataclass(frozen=True)
class ElectroOsmosis(SteadyPDE):
    """Charge and water in a charged porous medium: an electric field drags the water along.

    With potential V, Darcy velocity (u, v), conductivity kappa (a coefficient) and the mobility

        m = mobility * (1 + coupling * (1 - kappa / conductivity_peak)),

    the velocity is -permeability grad p + m grad V. The pressure is not a field; what is left of this law is its curl:

        div(kappa grad V) = 0                charge
        div(u, v) = 0                        water
        v_x - u_y = m_x V_y - m_y V_x        the law of flow

    Behaviour: where m is constant the velocity is the gradient of a harmonic function. If moreover the electrodes
    through which water flows have one potential, as in Multiphysics Bench, that function does not feel V at all: the
    published velocities are exactly those of plain Darcy flow, whatever the mobility and the conductivity, and only
    the pressure adapts. A mobility that varies couples the two: with coupling > 0 dilute water, which conducts less,
    has the larger zeta potential (Kirby and Hasselbrink 2004), taken as linear here. The flow never acts on V.

    Limits: the conductivity must be positive; V does not change if it is multiplied by a number.

    Source: Multiphysics Bench (arXiv:2505.17575), problem E_flow: permeability = eps_p a^2 / (8 eta) and mobility =
    eps_p eps_w zeta / eta with porosity eps_p 0.6, pores a = 10 um, viscosity eta 1 mPa s, zeta -0.1 V and
    eps_w = 80.2 eps_0. The factor of `coupling` is not published; 0 is the published law.

    Args:
        permeability: k_p [m^2/(Pa s)].
        mobility: k_V [m^2/(V s)], where the conductivity is at its peak.
        coupling: relative growth of the mobility from the peak to where nothing conducts.
        conductivity_peak, conductivity_x, conductivity_y, conductivity_width: kappa's Gaussian: peak [S/m], centre and
            standard deviation [m].
        hole_x, hole_y, hole_a, hole_b: the elliptic hole: centre and semi-axes [m]. No equation holds inside.
    """

    configurable = True

    permeability: Any = 7.5e-9
    mobility: Any = -4.26e-8
    coupling: Any = 0.0
    conductivity_peak: Any = 1.2e-2
    conductivity_x: Any = 2.5e-4
    conductivity_y: Any = 2.5e-4
    conductivity_width: Any = 6e-4
    hole_x: Any = 0.0
    hole_y: Any = 0.0
    hole_a: Any = 1.44e-4
    hole_b: Any = 1.44e-4

    dims: ClassVar = (2,)
    fields: ClassVar = (
        Field("potential", "V"),
        Field("velocity_x", "m/s", vector="velocity"),
        Field("velocity_y", "m/s", vector="velocity"),
    )
    coeffs: ClassVar = (Field("conductivity", "S/m"),)
    equations: ClassVar = ("charge (A/m^3)", "volume (1/s)", "slip law (1/s)")

    def local_mobility(self, conductivity: Any) -> Any:
        """m where the conductivity has a value."""
        return self.mobility * (1 + self.coupling * (1 - conductivity / self.conductivity_peak))

    def residual(self, w: Any, d: Calculus) -> Any:
        potential, u, v = d.components(w)
        conductivity = d.coeff("conductivity")
        m = self.local_mobility(conductivity)
        charge = d.x(conductivity * d.x(potential)) + d.y(conductivity * d.y(potential))
        law = d.x(v) - d.y(u) - d.x(m) * d.y(potential) + d.y(m) * d.x(potential)
        return d.stack(charge, d.x(u) + d.y(v), law)

    def describe(self, params: dict[str, float]) -> str:
        width, a, b = (self.value(name, params) for name in ("conductivity_width", "hole_a", "hole_b"))
        x, y = (self.value(f"hole_{axis}", params) for axis in "xy")
        return (
            f"Water is driven by pressure and voltage through a porous plate around a hole of {a} m by {b} m at "
            f"({x}, {y}) m; its conductivity is a Gaussian {width} m wide."
        )
