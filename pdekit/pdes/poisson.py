"""laplacian(u) = a."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import SteadyPDE


@dataclass(frozen=True)
class Poisson(SteadyPDE):
    """Poisson's equation: the potential of a given source a(x).

    Behaviour: u is smoother than a by two derivatives, and each value depends on the whole source; the mode with
    wavenumber k of a is divided by -k^2. From u back to a is a differentiation, which amplifies noise.

    Limits: with du/dn = 0 on the whole boundary, a must have no mean, and u is known up to a constant.

    Good values: u = 0 on the boundary of the unit square, a Gaussian source of order 1; u then reaches about 0.05.

    Source: the problem of Huang et al. (2024), DiffusionPDE, NeurIPS, for which a is a Gaussian field.
    """

    configurable = True

    dims: ClassVar = (1, 2, 3)
    fields: ClassVar = (Field("potential"),)
    coeffs: ClassVar = (Field("source"),)

    def residual(self, u: Any, d: Calculus) -> Any:
        return d.laplacian(u) - d.coeff("source")

    def describe(self, params: dict[str, float]) -> str:
        return "The potential of a source, by Poisson's equation."
