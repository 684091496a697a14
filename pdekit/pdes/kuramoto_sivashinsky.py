"""u_t + u u_x + u_xx + nu u_xxxx = 0."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus, Fourier
from pdekit.fields import Field, Grid, Problem
from pdekit.pdes.base import Budget, Coordinates, ExactSolution, SemilinearPDE, integral


@dataclass(frozen=True)
class KuramotoSivashinsky(SemilinearPDE):
    """Kuramoto-Sivashinsky: flame fronts and falling films; spatio-temporal chaos.

    u_t = -u u_x - u_xx - nu u_xxxx on a periodic line. The second derivative feeds wavelengths longer than
    2 pi sqrt(nu), the fourth damps shorter ones, the quadratic term passes energy between them.

    Behaviour: small disturbances grow, saturate at |u| of about 3, and are chaotic for L larger than about 18.
    With nu = 1 and L = 64 the largest Lyapunov exponent is 0.0864 +- 0.0002 per unit time, so that a relative error
    of 1e-6 reaches order one after 160. Eight steady cells are stable there as well: two trajectories in a hundred
    find them within 1000 units and are steady from then on.

    Limits: a forecast is valid to a finite time only; data need a warm-up of about 70 units from a smooth start.
    Good values: L = 64, n = 256 (128 is enough to 1e-5), ETDRK4 with dt = 0.025.

    Source: Kuramoto and Tsuzuki (1976), Sivashinsky (1977); with nu as in Lippe et al. (2023).

    Args:
        viscosity: nu, the coefficient of the fourth derivative.
    """

    configurable = True

    viscosity: Any = 1.0

    dims: ClassVar = (1,)
    smoothing: ClassVar = ("viscosity",)
    positive: ClassVar = ("viscosity",)
    fields: ClassVar = (Field("u"),)
    degree: ClassVar = 2

    def linear(self, u: Any, d: Calculus) -> Any:
        return -d.xx(u) - self.viscosity * d.xxxx(u)

    def nonlinear(self, u: Any, d: Calculus) -> Any:
        return -0.5 * d.x(u * u)

    def exact(self) -> tuple[ExactSolution, ...]:
        """The front of Kuramoto and Tsuzuki (not periodic), with z = x / sqrt(nu) and k = sqrt(11/19) / 2,
        u sqrt(nu) = c + 30 k / 19 (11 tanh(k (z - c t/nu))^3 - 9 tanh(k (z - c t/nu)))."""
        nu, c, k = self.viscosity, 0.4, sqrt(11 / 19) / 2

        def front(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            step = torch.tanh(k * (x[0] / sqrt(nu) - c * t / nu))
            return ((c + 30 * k / 19 * (11 * step**3 - 9 * step)) / sqrt(nu),)

        box = 40 * sqrt(nu)
        return (ExactSolution("front", front, (box,), origin=(-box / 2,), periodic=False),)

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        return {"mass": integral(u[:, 0], grid)}

    def budgets(self, u: Tensor, grid: Grid) -> dict[str, Budget]:
        """Energy u^2 / 2, fed by u_x^2 and drained by nu u_xx^2."""
        d = Fourier(grid, u.dtype, u.device)
        field = d.field(u)
        gain, loss = d.x(field).samples ** 2, -self.viscosity * d.xx(field).samples ** 2
        rates = {"production": integral(gain[:, 0], grid), "dissipation": integral(loss[:, 0], grid)}
        return {"energy": Budget(integral(u[:, 0] ** 2 / 2, grid), rates)}

    def lyapunov_exponent(self, problem: Problem) -> float | None:
        """0.0864/nu where L/sqrt(nu) is 64 within a tenth (0.085 to 0.088 there), 0.0484/nu where it is 22."""
        if "viscosity" in problem.params:
            return None
        length = problem.grid.extent[0] / sqrt(self.viscosity)
        if 57 < length < 71:
            return 0.0864 / self.viscosity
        return 0.0484 / self.viscosity if abs(length - 22) < 0.01 else None

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (-1,)

    def galilean(self, axis: int) -> tuple[float, ...]:
        return (1.0,)

    def describe(self, params: dict[str, float]) -> str:
        return (
            "Chaotic Kuramoto-Sivashinsky dynamics of a flame front on a periodic line, with fourth-order viscosity "
            f"{self.value('viscosity', params)}."
        )
