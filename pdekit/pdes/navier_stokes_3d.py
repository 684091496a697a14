"""u_t + u.grad u = -grad p + nu laplacian(u), div u = 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus, Fourier
from pdekit.fields import Field, Grid
from pdekit.pdes.base import Budget, Coordinates, ExactSolution, SemilinearPDE, integral, vanishes


@dataclass(frozen=True)
class NavierStokes3D(SemilinearPDE):
    """Three-dimensional incompressible flow in velocity form.

        u_t = -div(u u) - grad p + nu laplacian(u),    laplacian(p) = -div div(u u),

    p being the pressure over the density, with zero mean. The pressure makes the right side free of divergence, so
    that a flow without divergence stays so; `residual` has div u as its fourth channel.

    Behaviour: vortices are stretched into ever thinner tubes until viscosity dissipates their energy. From the
    Taylor-Green start at Re = 1600 dissipation peaks near t = 9.

    Limits: a start with divergence keeps it: pass it through `solenoidal`. Re^(9/4) grid points; 64^3 reaches a
    Re of about 200 to 400. Good values: nu = 0.01 on (2 pi)^3 with 32^3 or 64^3 points, ETDRK4 with dt below a
    spacing over the largest speed.

    Source: equations and notation as in Pope (2000), section 2; the Beltrami flow of Arnold, Beltrami and Childress.

    Args:
        viscosity: nu, kinematic.
    """

    configurable = True

    viscosity: Any = 0.01

    dims: ClassVar = (3,)
    smoothing: ClassVar = ("viscosity",)
    non_negative: ClassVar = ("viscosity",)
    fields: ClassVar = tuple(Field(f"velocity_{letter}", "m/s", vector="velocity") for letter in "xyz")
    auxiliary: ClassVar = ("pressure",)
    degree: ClassVar = 2

    def linear(self, u: Any, d: Calculus) -> Any:
        return self.viscosity * d.laplacian(u)

    def nonlinear(self, u: Any, d: Calculus) -> Any:
        a, b, c = d.components(u)
        ab, ac, bc = a * b, a * c, b * c
        return self.solenoidal(
            d.stack(
                -d.x(a * a) - d.y(ab) - d.z(ac),
                -d.x(ab) - d.y(b * b) - d.z(bc),
                -d.x(ac) - d.y(bc) - d.z(c * c),
            ),
            d,
        )

    def solenoidal(self, v: Any, d: Calculus) -> Any:
        """The part of a vector field without divergence, v - grad p with laplacian(p) = div v."""
        return v - d.grad(d.poisson("pressure", d.div(v)))

    def residual(self, u: Any, d: Calculus) -> Any:
        momentum = d.components(d.t(u) - self.rhs(u, d))
        return d.stack(*momentum, d.div(u))

    def exact(self) -> tuple[ExactSolution, ...]:
        """Taylor-Green vortices that do not depend on z, and the flow of Arnold, Beltrami and Childress, which is
        parallel to its vorticity: in both the pressure balances the advection and viscosity damps the rest."""
        nu, box = self.viscosity, (2 * torch.pi,) * 3

        def taylor_green(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            decay = torch.exp(-2 * nu * torch.as_tensor(t))
            u = torch.cos(x[0]) * torch.sin(x[1]) * decay
            return u, -torch.sin(x[0]) * torch.cos(x[1]) * decay, 0 * u

        def taylor_green_pressure(x: Coordinates, t: Any) -> dict[str, Tensor]:
            decay = torch.exp(-4 * nu * torch.as_tensor(t))
            return {"pressure": -(torch.cos(2 * x[0]) + torch.cos(2 * x[1])) / 4 * decay}

        def abc(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            sin, cos, decay = torch.sin, torch.cos, torch.exp(-nu * torch.as_tensor(t))
            return (
                (1.0 * sin(x[2]) + 0.6 * cos(x[1])) * decay,
                (0.8 * sin(x[0]) + 1.0 * cos(x[2])) * decay,
                (0.6 * sin(x[1]) + 0.8 * cos(x[0])) * decay,
            )

        def abc_pressure(x: Coordinates, t: Any) -> dict[str, Tensor]:
            mean = (1.0**2 + 0.8**2 + 0.6**2) * torch.exp(-2 * nu * torch.as_tensor(t))
            return {"pressure": (mean - sum(c**2 for c in abc(x, t))) / 2}

        return (
            ExactSolution("Taylor-Green decay", taylor_green, box, auxiliary=taylor_green_pressure),
            ExactSolution("Beltrami decay", abc, box, auxiliary=abc_pressure),
        )

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        """Momentum; without viscosity also energy and helicity."""
        kept = {f"momentum_{letter}": integral(u[:, axis], grid) for axis, letter in enumerate("xyz")}
        if not vanishes(self.viscosity):
            return kept
        d = Fourier(grid, u.dtype, u.device)
        helicity = integral((u * d.curl(d.field(u)).samples).sum(dim=1), grid)
        return {**kept, "energy": self.energy(u, grid), "helicity": helicity}

    def dissipated(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        return {"energy": self.energy(u, grid)}

    def energy(self, u: Tensor, grid: Grid) -> Tensor:
        return integral((u**2).sum(dim=1) / 2, grid)

    def budgets(self, u: Tensor, grid: Grid) -> dict[str, Budget]:
        """Energy |u|^2 / 2, which viscosity drains by nu |curl u|^2 (without divergence: nu |grad u|^2)."""
        d = Fourier(grid, u.dtype, u.device)
        loss = -self.viscosity * (d.curl(d.field(u)).samples ** 2).sum(dim=1, keepdim=True)
        return {"energy": Budget(self.energy(u, grid), {"dissipation": integral(loss[:, 0], grid)})}

    def reflection(self, axis: int) -> tuple[int, ...]:
        return tuple(-1 if a == axis else 1 for a in range(3))

    def galilean(self, axis: int) -> tuple[float, ...]:
        return tuple(1.0 if a == axis else 0.0 for a in range(3))

    def describe(self, params: dict[str, float]) -> str:
        return f"Decaying three-dimensional flow with kinematic viscosity {self.value('viscosity', params)}."
