"""u_t = r u - (1 + laplacian)^2 u + g u^2 - u^3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus, Fourier
from pdekit.fields import Field, Grid
from pdekit.pdes.base import Coordinates, ExactSolution, SemilinearPDE, integral


@dataclass(frozen=True)
class SwiftHohenberg(SemilinearPDE):
    """Swift-Hohenberg: patterns of one wavelength, as in convection; rolls, hexagons, localized states.

    u_t = r u - (1 + laplacian)^2 u + g u^2 - u^3 on a periodic box of 1 to 3 dimensions: the gradient flow of
    integral of ((1 + laplacian) u)^2 / 2 - r u^2 / 2 - g u^3 / 3 + u^4 / 4.

    Behaviour: for r > 0 noise grows into patterns of wavelength 2 pi, rolls for small g and hexagons for g of order
    one; their defects heal ever more slowly.

    Limits: a box of few wavelengths quantizes the pattern. Good values: r = 0.7, g = 0 or 1 on (20 pi)^2 with 128^2
    points, ETDRK4 with dt = 0.1, until t = 100.

    Source: Swift and Hohenberg (1977).

    Args:
        reactivity: r.
        quadratic: g.
    """

    configurable = True

    reactivity: Any = 0.7
    quadratic: Any = 0.0

    dims: ClassVar = (1, 2, 3)
    fields: ClassVar = (Field("u"),)
    degree: ClassVar = 3

    def linear(self, u: Any, d: Calculus) -> Any:
        curvature = d.laplacian(u)
        return (self.reactivity - 1) * u - 2 * curvature - d.laplacian(curvature)

    def nonlinear(self, u: Any, d: Calculus) -> Any:
        return u * u * (self.quadratic - u)

    def exact(self) -> tuple[ExactSolution, ...]:
        """Uniform fields where g = 0: w = u^2 obeys w_t = 2 (a - w) w with a = r - 1."""
        if self.quadratic != 0 or self.reactivity == 1:
            return ()
        a = self.reactivity - 1

        def uniform(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            start = 0.5**2
            w = a / (1 + (a / start - 1) * torch.exp(-2 * a * torch.as_tensor(t)))
            return (torch.sqrt(w) + sum(0 * axis for axis in x),)

        return tuple(ExactSolution(f"uniform field in {n}-D", uniform, (2 * torch.pi,) * n, 2.0) for n in self.dims)

    def dissipated(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        d = Fourier(grid, u.dtype, u.device)
        field = d.field(u)
        mismatch = (field + d.laplacian(field)).samples
        density = mismatch**2 / 2 - self.reactivity / 2 * u**2 - self.quadratic / 3 * u**3 + u**4 / 4
        return {"free energy": integral(density[:, 0], grid)}

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (1,)

    def describe(self, params: dict[str, float]) -> str:
        return (
            f"Swift-Hohenberg patterns with growth parameter {self.value('reactivity', params)} and quadratic "
            f"coefficient {self.value('quadratic', params)}."
        )
