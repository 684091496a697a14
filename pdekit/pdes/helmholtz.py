"""laplacian(u) + k^2 u = a."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import SteadyPDE


@dataclass(frozen=True)
class Helmholtz(SteadyPDE):
    """The Helmholtz equation: the amplitude of a wave of one frequency that a source a(x) excites.

    Behaviour: the mode with wavenumber m of a is divided by k^2 - m^2. Below the first eigenvalue of the box u looks
    like a potential; near an eigenvalue that mode dominates.

    Limits: no solution where k^2 is an eigenvalue of the box: on the unit square with u = 0 on the boundary, k^2 =
    pi^2 (m^2 + n^2) with m, n >= 1.

    Good values: k = 1 (published), far below the first eigenvalue of the unit square, 4.44.

    Source: the problem of Huang et al. (2024), DiffusionPDE, NeurIPS, with k = 1.

    Args:
        wavenumber: k.
    """

    configurable = True

    wavenumber: Any = 1.0

    dims: ClassVar = (1, 2, 3)
    non_negative: ClassVar = ("wavenumber",)
    fields: ClassVar = (Field("amplitude"),)
    coeffs: ClassVar = (Field("source"),)

    def residual(self, u: Any, d: Calculus) -> Any:
        return d.laplacian(u) + self.wavenumber**2 * u - d.coeff("source")

    def describe(self, params: dict[str, float]) -> str:
        return f"A wave of one frequency that a source excites, wavenumber {self.value('wavenumber', params)}."
