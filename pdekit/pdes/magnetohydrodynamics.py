"""div J = 0, curl J = -sigma u.grad b, rho u.grad u = -grad p + mu laplacian(u) - friction u + J x b, div u = 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import SteadyPDE

SMALL = 0.1  # Hartmann numbers below have their friction from a series


@dataclass(frozen=True)
class Magnetohydrodynamics(SteadyPDE):
    """Liquid metal in a flat duct across a magnetic field that stands upright on the plane: its mean over the gap.

    With velocity (u, v), current density J = (J_x, J_y), pressure p and b = coupling * B(x, y), B upright:

        J_x,x + J_y,y = 0                                                                     charge
        J_y,x - J_x,y + sigma (u b_x + v b_y) = 0                                             Ohm's law
        u_x + v_y = 0                                                                         volume
        rho (u u_x + v u_y) + p_x - mu laplacian(u) + friction(b) u - b J_y = 0               momentum
        rho (u v_x + v v_y) + p_y - mu laplacian(v) + friction(b) v + b J_x = 0               momentum

    Ohm's law J = sigma (-grad V + (u, v) x b) stands as its curl, so that the potential V is not stored; the pressure
    is. B is the coefficient `magnetic_field`, a Gaussian. The walls above and below, 2 `half_gap` apart, do not
    conduct; they hold the metal back as in Hartmann's flow between such walls, whose mean over the gap gives

        friction = mu / half_gap^2 * Ha^2 tanh(Ha) / (Ha - tanh(Ha)),  Ha = |b| half_gap sqrt(sigma / mu),

    3 mu / half_gap^2 without a field, mu Ha / half_gap^2 in a strong one (Sommeria and Moreau 1982).

    Behaviour: motion across b drives currents that brake it; metal flows around a strong magnet, jets form at its
    sides, and Stuart's number sigma b^2 L / (rho u) says how far inertia resists.

    Limits: quasi-static (no induced field: the magnetic Reynolds number is about 1e-4), steady, one profile across the
    gap, and so no current along B: J_z, which Multiphysics Bench stores, is 0 by symmetry on its plane too, and left
    out here. Whether the steady flow is stable is not asked.

    Source: the pump of Multiphysics Bench (arXiv:2505.17575) reduced to its plane, 80 mm by 27.5 mm by 10 mm, filled
    with GaInSn (sigma, rho and mu of Andreev, Kolesnikov and Thess 2006) in place of brine, whose Hartmann number is
    about 0.1.

    Args:
        density, viscosity, conductivity: rho [kg/m^3], mu [Pa s], sigma [S/m].
        half_gap: half the distance of the walls above and below [m].
        coupling: factor on the field wherever it acts.
        field_peak, field_x, field_y, field_width: field B: peak [T], centre and standard deviation [m].
    """

    configurable = True

    density: Any = 6360.0
    viscosity: Any = 2.16e-3
    conductivity: Any = 3.46e6
    half_gap: Any = 0.005
    coupling: Any = 1.0
    field_peak: Any = 0.1
    field_x: Any = 0.0
    field_y: Any = 0.0
    field_width: Any = 0.007

    dims: ClassVar = (2,)
    fields: ClassVar = (
        Field("current_x", "A/m^2", vector="current"),
        Field("current_y", "A/m^2", vector="current"),
        Field("velocity_x", "m/s", vector="velocity"),
        Field("velocity_y", "m/s", vector="velocity"),
        Field("pressure", "Pa"),
    )
    coeffs: ClassVar = (Field("magnetic_field", "T"),)
    equations: ClassVar = (
        "charge (A/m^3)",
        "Ohm's law (A/m^3)",
        "volume (1/s)",
        "momentum x (N/m^3)",
        "momentum y (N/m^3)",
    )

    def hartmann(self, b: Any) -> Any:
        """Ha of a field [T]."""
        return abs(b) * self.half_gap * (self.conductivity / self.viscosity) ** 0.5

    def friction(self, b: torch.Tensor) -> torch.Tensor:
        """Force per volume and velocity [N s/m^4] of the walls above and below.

        >>> pde = Magnetohydrodynamics()
        >>> relative = pde.friction(torch.tensor([0.0, 0.2])) * pde.half_gap**2 / pde.viscosity
        >>> [round(x, 2) for x in relative.tolist()], round(pde.hartmann(0.2), 2)
        ([3.0, 41.05], 40.02)
        """
        ha = self.hartmann(b)
        series = 3 + ha**2 / 5 - ha**4 / 175
        large = ha.clamp(min=SMALL)
        closed = large**2 * torch.tanh(large) / (large - torch.tanh(large))
        return self.viscosity / self.half_gap**2 * torch.where(ha < SMALL, series, closed)

    def residual(self, w: Any, d: Calculus) -> Any:
        jx, jy, u, v, p = d.components(w)
        b = self.coupling * d.coeff("magnetic_field")
        friction = self.friction(b)

        def carried(c: Any) -> Any:
            return self.density * (u * d.x(c) + v * d.y(c))

        ohm = d.x(jy) - d.y(jx) + self.conductivity * (u * d.x(b) + v * d.y(b))
        momentum_x = carried(u) + d.x(p) - self.viscosity * d.laplacian(u) + friction * u - b * jy
        momentum_y = carried(v) + d.y(p) - self.viscosity * d.laplacian(v) + friction * v + b * jx
        return d.stack(d.x(jx) + d.y(jy), ohm, d.x(u) + d.y(v), momentum_x, momentum_y)

    def describe(self, params: dict[str, float]) -> str:
        peak, x, y, width = (self.value(f"field_{name}", params) for name in ("peak", "x", "y", "width"))
        number = self.hartmann(params.get("field_peak", self.field_peak) * self.coupling)
        return (
            f"Liquid metal flows through a flat duct below a magnet of {peak} T at ({x}, {y}) m, {width} m wide "
            f"(Hartmann number {number:.3g})."
        )
