"""R(u) u_t = D u_xx with R(u) = 1 + (1 - phi)/phi rho_s k n (u + eps)^(n - 1), eps = 1e-6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import PDE

EPSILON = 1e-6
"""Added to u, so that R is finite at u = 0; as PDEBench has it."""


@dataclass(frozen=True)
class DiffusionSorption(PDE):
    """Diffusion of a dissolved substance that the ground holds back: sorption by Freundlich's law.

    With phi the porosity, rho_s the density of the dry ground, k and n Freundlich's parameter and exponent, a volume of
    ground holds phi times

        S(u) = u + (1 - phi)/phi rho_s k (u + eps)^n,   S'(u) = R(u),   S(u)_t = D u_xx.

    Behaviour: for n < 1 the retardation R grows as u falls: a front of what diffuses into clean ground is steeper than
    that of plain diffusion, and its foot nearly ends. At the published parameters R is 3.2 at u = 1 and 13 at u = 0.
    From a uniform state u depends on x / sqrt(t) until the two ends see each other.

    Limits: u >= 0. Good values: the defaults, on a length of 1 until t = 500, with u = 1 at x = 0 and
    u + D u_x = 0 at x = 1.

    Source: Takamoto et al. (2022), PDEBench; the parameters are those of its code.

    Args:
        diffusivity: D.
        porosity: phi, from above 0 to 1.
        solid_density: rho_s.
        freundlich: k.
        exponent: n.
    """

    configurable = True

    diffusivity: Any = 5e-4
    porosity: Any = 0.29
    solid_density: Any = 2880.0
    freundlich: Any = 3.5e-4
    exponent: Any = 0.874

    dims: ClassVar = (1,)
    positive: ClassVar = ("porosity", "exponent")
    non_negative: ClassVar = ("diffusivity", "solid_density", "freundlich")
    fields: ClassVar = (Field("concentration"),)

    @property
    def capacity(self) -> Any:
        """(1 - phi)/phi rho_s k: what the solid holds at u = 1, in units of what the water holds."""
        return (1 - self.porosity) / self.porosity * self.solid_density * self.freundlich

    def stored(self, u: Any) -> Any:
        """S(u)."""
        return u + self.capacity * (u + EPSILON) ** self.exponent

    def retardation(self, u: Any) -> Any:
        """R(u) = S'(u)."""
        return 1 + self.capacity * self.exponent * (u + EPSILON) ** (self.exponent - 1)

    def residual(self, u: Any, d: Calculus) -> Any:
        return self.retardation(u) * d.t(u) - self.diffusivity * d.xx(u)

    def describe(self, params: dict[str, float]) -> str:
        return (
            f"A dissolved substance diffuses into the ground with diffusivity {self.value('diffusivity', params)}, "
            f"held back by sorption with Freundlich's exponent {self.value('exponent', params)}."
        )
