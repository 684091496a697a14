"""u_t + u u_x = nu u_xx."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus, Fourier
from pdekit.fields import Field, Grid
from pdekit.pdes.base import Budget, Coordinates, ExactSolution, SemilinearPDE, integral


@dataclass(frozen=True)
class Burgers(SemilinearPDE):
    """Burgers: steepening against viscosity, in one dimension.

    u_t = -u u_x + nu u_xx on a periodic line. What is high overtakes what is low, until viscosity stops the
    steepening at a front of thickness about 4 nu / (jump of u).

    Behaviour: fronts form within L / (2 pi |u|), merge, and decay.

    Limits: the grid must resolve the fronts, else products alias into wiggles: n larger than about L |u| / nu.
    Good values: nu = 0.01/pi on [-1, 1] with u_0 = -sin(pi x) (the usual benchmark of PINNs; n = 1024 or more), or
    nu = 0.05 on a box of length 2 pi, n = 256, ETDRK4 with dt = 0.005.

    Source: Burgers (1948); the closed form is that of Hopf (1950) and Cole (1951).

    Args:
        viscosity: nu.
    """

    configurable = True

    viscosity: Any = 0.01 / pi

    dims: ClassVar = (1,)
    smoothing: ClassVar = ("viscosity",)
    non_negative: ClassVar = ("viscosity",)
    fields: ClassVar = (Field("u"),)
    degree: ClassVar = 2

    def linear(self, u: Any, d: Calculus) -> Any:
        return self.viscosity * d.xx(u)

    def nonlinear(self, u: Any, d: Calculus) -> Any:
        return -0.5 * d.x(u * u)

    def exact(self) -> tuple[ExactSolution, ...]:
        """From u_0 = -sin(pi x) on [-1, 1] by `cole_hopf`, and the front u = c - a tanh(a (x - c t) / (2 nu))."""
        nu = self.viscosity

        def front(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            return (0.3 - torch.tanh((x[0] - 0.3 * t) / (2 * nu)),)

        def sine(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            return (cole_hopf(x[0], t, nu, t_end=1.0),)

        return (
            ExactSolution("steepening sine", sine, (2.0,), origin=(-1.0,)),
            ExactSolution("travelling front", front, (40.0 * nu,), origin=(-20.0 * nu,), periodic=False),
        )

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        return {"mass": integral(u[:, 0], grid)}

    def dissipated(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        return {"square": integral(u[:, 0] ** 2, grid)}

    def budgets(self, u: Tensor, grid: Grid) -> dict[str, Budget]:
        """Energy u^2 / 2, which viscosity drains by nu u_x^2."""
        d = Fourier(grid, u.dtype, u.device)
        loss = -self.viscosity * d.x(d.field(u)).samples ** 2
        return {"energy": Budget(integral(u[:, 0] ** 2 / 2, grid), {"dissipation": integral(loss[:, 0], grid)})}

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (-1,)

    def galilean(self, axis: int) -> tuple[float, ...]:
        return (1.0,)

    def scaling(self) -> dict[str, float]:
        """Twice as fast with twice the viscosity."""
        return {"u": 1.0, "viscosity": 1.0, "dt": -1.0}

    def describe(self, params: dict[str, float]) -> str:
        return f"Steepening and merging fronts of Burgers' equation with viscosity {self.value('viscosity', params)}."


def cole_hopf(x: Tensor, t: Any, nu: float, t_end: float) -> Tensor:
    """The solution of Burgers' equation from u_0 = -sin(pi x), at any x and 0 <= t <= t_end.

    With P(y) = -integral of u_0 / (2 nu) = -cos(pi y) / (2 pi nu),

        u(x, t) = <u_0(x - s w)>,  w = sqrt(4 nu t),  weights proportional to exp(P(x - s w) - s^2),

    the mean being a sum over equidistant s. The weights are a softmax, so that nothing overflows or cancels at small
    nu (a Bessel series loses all digits for nu below about 0.02); the sum converges geometrically, because the
    integrand is entire. Derivatives exist for t > 0.
    """
    reach = sqrt(2 / (2 * pi * nu) + 40)  # beyond it the weight is below exp(-40) of the largest
    width = 1 / sqrt(1 + 2 * pi * t_end)  # of the narrowest peak of the weights: P'' <= pi / (2 nu)
    n = 2 * int(8 * reach / width) + 1
    s = torch.linspace(-reach, reach, n, dtype=x.dtype, device=x.device)
    y = x.unsqueeze(-1) - s * torch.sqrt(4 * nu * torch.as_tensor(t, dtype=x.dtype)).unsqueeze(-1)
    weights = torch.softmax(-torch.cos(pi * y) / (2 * pi * nu) - s**2, dim=-1)
    return (weights * -torch.sin(pi * y)).sum(dim=-1)
