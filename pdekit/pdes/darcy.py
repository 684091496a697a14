"""Darcy flow: -div(a grad u) = f, the pressure in a porous medium."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import SteadyPDE


@dataclass(frozen=True)
class Darcy(SteadyPDE):
    """-div(a grad u) = f for a given permeability a(x) > 0, with u = 0 on the boundary.

    Behaviour: u is smooth where a is, and has a kink where a jumps, so that the flux a grad u is continuous across
    the interface. u >= 0 for f >= 0, with its largest value inside; doubling a halves u.

    Limits: where a jumps, the pointwise residual is the derivative of a jump, which no grid resolves: it grows like
    1/spacing along the interface even for the exact solution.

    Args:
        source: f; constant in all data, a field in tests.

    Good values: source 1 on the unit square with a between 3 and 12; u then reaches about 0.01.
    Source: Z. Li et al., Fourier Neural Operator, ICLR 2021, section 5.2.
    """

    configurable = True

    dims = (1, 2, 3)
    fields = (Field("pressure"),)
    coeffs = (Field("permeability"),)
    source: Any = 1.0

    def residual(self, u: Any, d: Calculus) -> Any:
        a = d.coeff("permeability")
        flux = [d.along(a * d.along(u, letter), letter) for letter in "xyz"[: d.ndim]]
        return -sum(flux[1:], start=flux[0]) - self.source

    def describe(self, params: dict[str, float]) -> str:
        return f"Darcy flow through a porous medium with source {self.value('source', params)}."
