"""Sound in water of varying density around an elastic disc: a Helmholtz equation and plane strain, both complex."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Any, ClassVar

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import SteadyPDE


def _pairs(names: tuple[str, ...], unit: str, vector: str | None = None) -> tuple[Field, ...]:
    """Real and imaginary part of each complex field."""
    return tuple(Field(f"{name}_{part}", unit, vector, name) for name in names for part in ("real", "imag"))


@dataclass(frozen=True)
class AcousticStructure(SteadyPDE):
    """Pressure p in the fluid, stress S and load x = rho_s omega^2 w in the disc, where w is its displacement.

    With time as exp(j omega t), density rho of the fluid (a coefficient), and C the isotropic law of plane strain,

        div(grad p / rho) + omega^2 p / (rho c^2) = 0      fluid
        S - C : strain(x) / (rho_s omega^2) = 0            Hooke's law
        div S + x = 0                                      momentum

    and on the edge of the disc, with its outward normal n,

        S n = -p n,      dp/dn / rho = coupling (x . n) / rho_s.

    `coupling` = 1 is the coupled problem. A factor s is a disc whose Young's modulus and density are s times smaller
    (its waves as fast as before): x and S do not change their meaning, w grows s times. At 0 the fluid meets a wall at
    rest, and the disc still feels the pressure. It stands in no equation of the interior. The residual of the first
    equation is multiplied by rho^2, so that it is finite where there is no fluid.

    Behaviour: the disc is small and stiff, so it moves almost as a rigid body, and the lighter the fluid, the less it
    moves. Energy is kept: what the wave brings in through a curve leaves through it.

    Limits: no damping, so that a resonance of the disc is only broadened by radiation. c is that of water everywhere,
    however light the fluid.

    Source: Multiphysics Bench (arXiv:2505.17575), problem VA; channels in its order. It stores x in place of the
    displacement, and so do we: x has the unit N/m^3.

    Args:
        frequency: [Hz].
        speed: c [m/s].
        young, poisson_ratio, solid_density: material of the disc [Pa, 1, kg/m^3] (aluminium).
        coupling: factor on the disc's motion as the fluid feels it.
        density_floor, density_peak, density_x, density_y, density_width: rho is the floor plus a Gaussian: peak
            [kg/m^3], centre and standard deviation [m]; named in the caption; the field itself is the coefficient.
    """

    configurable = True

    frequency: Any = 5e4
    speed: Any = 1481.44
    young: Any = 69e9
    poisson_ratio: Any = 0.33
    solid_density: Any = 2730.0
    coupling: Any = 1.0
    density_floor: Any = 10.0
    density_peak: Any = 700.0
    density_x: Any = 0.0
    density_y: Any = 0.0
    density_width: Any = 1e-2

    dims: ClassVar = (2,)
    fields: ClassVar = (
        *_pairs(("pressure",), "Pa"),
        *_pairs(("stress_xx", "stress_xy", "stress_yy"), "Pa"),
        *_pairs(("load_x", "load_y"), "N/m^3", "load"),
    )
    coeffs: ClassVar = (Field("density", "kg/m^3"),)
    equations: ClassVar = tuple(
        f"{law}, {part} part ({unit})"
        for law, unit in (
            ("sound", "kg Pa/m^5"),
            *((f"Hooke's law {axes}", "Pa") for axes in ("xx", "xy", "yy")),
            *((f"momentum {axis}", "N/m^3") for axis in "xy"),
        )
        for part in ("real", "imaginary")
    )

    @property
    def omega(self) -> Any:
        """Angular frequency [1/s]."""
        return 2 * pi * self.frequency

    @property
    def wavenumber(self) -> Any:
        """Wavenumber of sound in the fluid [1/m]."""
        return self.omega / self.speed

    @property
    def lame(self) -> tuple[Any, Any]:
        """Lame's constants (lambda, mu) of the disc [Pa]."""
        young, ratio = self.young, self.poisson_ratio
        return young * ratio / ((1 + ratio) * (1 - 2 * ratio)), young / (2 * (1 + ratio))

    def stress(self, xx: Any, xy: Any, yy: Any) -> tuple[Any, Any, Any]:
        """S_xx, S_xy and S_yy of the strain of the load: C : strain(x) / (rho_s omega^2)."""
        first, second = (constant / (self.solid_density * self.omega**2) for constant in self.lame)
        trace = first * (xx + yy)
        return trace + 2 * second * xx, 2 * second * xy, trace + 2 * second * yy

    def residual(self, u: Any, d: Calculus) -> Any:
        channels = d.components(u)
        density = d.coeff("density")
        fluid, hooke, momentum = [], [], []
        for part in range(2):  # all coefficients are real: both parts obey the same equations
            p, sxx, sxy, syy, x, y = channels[part::2]
            bent = d.x(density) * d.x(p) + d.y(density) * d.y(p)
            fluid.append(density * (d.laplacian(p) + self.wavenumber**2 * p) - bent)
            laws = self.stress(d.x(x), 0.5 * (d.y(x) + d.x(y)), d.y(y))
            hooke.append([s - law for s, law in zip((sxx, sxy, syy), laws, strict=True)])
            momentum.append([d.x(sxx) + d.y(sxy) + x, d.x(sxy) + d.y(syy) + y])
        solid = [part for pair in (hooke, momentum) for both in zip(*pair, strict=True) for part in both]
        return d.stack(*fluid, *solid)

    def describe(self, params: dict[str, float]) -> str:
        x, y, width = (self.value(f"density_{name}", params) for name in ("x", "y", "width"))
        return (
            f"Sound of {self.value('frequency', params)} Hz meets an elastic disc in a fluid whose density peaks by "
            f"{self.value('density_peak', params)} kg/m^3 at ({x}, {y}) m, {width} m wide."
        )
