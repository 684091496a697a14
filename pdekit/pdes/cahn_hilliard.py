"""u_t = D laplacian(u^3 - u - gamma laplacian(u))."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

from torch import Tensor

from pdekit.calculus import Calculus, Fourier
from pdekit.fields import Field, Grid
from pdekit.pdes.base import Coordinates, ExactSolution, SemilinearPDE, integral
from pdekit.pdes.jacobi import elliptic_sine, quarter_period


@dataclass(frozen=True)
class CahnHilliard(SemilinearPDE):
    """Cahn-Hilliard: separation of a mixture into two phases, u = 1 and u = -1, whose amounts are conserved.

    u_t = D laplacian(u^3 - u - gamma laplacian(u)) on a periodic box of 1 to 3 dimensions: the conserved gradient flow
    of integral of (1 - u^2)^2 / 4 + gamma/2 |grad u|^2.

    Behaviour: wavelengths of about 2 pi sqrt(2 gamma) grow at the rate D / (4 gamma); then domains coarsen, their
    size growing like t^(1/3). Walls have a thickness of about 4 sqrt(2 gamma).

    Limits: a wall needs at least 8 points; coarsening spans decades of time. Good values: D = 1, gamma = 1e-3 on a box
    of length 2 pi with 128^2 points, noise of 0.05 around a mean of 0, ETDRK4 with dt = 1e-3 until t = 1.

    Source: Cahn and Hilliard (1958).

    Args:
        diffusivity: D.
        gamma: the square of the length of a wall.
    """

    configurable = True

    diffusivity: Any = 1.0
    gamma: Any = 1e-3

    dims: ClassVar = (1, 2, 3)
    smoothing: ClassVar = ("gamma",)
    positive: ClassVar = ("gamma",)
    non_negative: ClassVar = ("diffusivity",)
    fields: ClassVar = (Field("u"),)
    degree: ClassVar = 3

    def linear(self, u: Any, d: Calculus) -> Any:
        curvature = d.laplacian(u)
        return -(self.diffusivity * curvature) - (self.diffusivity * self.gamma) * d.laplacian(curvature)

    def nonlinear(self, u: Any, d: Calculus) -> Any:
        return self.diffusivity * d.laplacian(u * u * u)

    def exact(self) -> tuple[ExactSolution, ...]:
        """Periodic walls at rest, u = sqrt(2 m/(1 + m)) sn(x/w | m), which have the same potential everywhere."""
        m = 0.9
        width = sqrt(self.gamma * (1 + m))

        def walls(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            return (sqrt(2 * m / (1 + m)) * elliptic_sine(x[0] / width, m) + 0 * t,)

        box = 4 * width * quarter_period(m)
        return (ExactSolution("walls at rest", walls, (box,), t_end=2 * self.gamma / self.diffusivity),)

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        return {"mass": integral(u[:, 0], grid)}

    def dissipated(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        d = Fourier(grid, u.dtype, u.device)
        gradient = d.grad(d.field(u)).samples
        density = (1 - u**2) ** 2 / 4 + self.gamma / 2 * (gradient**2).sum(dim=1, keepdim=True)
        return {"free energy": integral(density[:, 0], grid)}

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (1,)

    def describe(self, params: dict[str, float]) -> str:
        return (
            "Separation of a mixture by the Cahn-Hilliard equation with diffusivity "
            f"{self.value('diffusivity', params)} and squared wall length {self.value('gamma', params)}."
        )
