"""w_t + u.grad w = nu laplacian(w) - drag w + curl f, with u = (psi_y, -psi_x) and laplacian(psi) = -w."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.fields import Field, Grid
from pdekit.pdes.base import ExactSolution, SemilinearPDE, integral


@dataclass(frozen=True)
class NavierStokes2D(SemilinearPDE):
    """Two-dimensional incompressible flow in vorticity form, with Kolmogorov forcing and linear drag.

    The vorticity w = dv/dx - du/dy obeys

        w_t = -(dxx - dyy)(u v) - dxy(v^2 - u^2) + nu laplacian(w) - drag w - A k cos(k y),

    which is advection in the form that needs two inverse and two forward transforms (Basdevant 1983). The last
    term is the curl of the body force f = (A sin(k y), 0). Signs: positive vorticity turns counter-clockwise.

    Behaviour: without forcing, like-signed vortices merge and energy decays slowly, enstrophy fast. With forcing
    and drag, statistically steady turbulence after a few turnover times.

    Limits: the forcing needs a box of 2 pi m / k in y. Re = 1000 at 64^2 is under-resolved: a reference needs 256^2
    or more. Good values: viscosity 1e-3, forcing 1, wavenumber 4, drag 0.1 on (2 pi)^2 (Kochkov et al. 2021);
    dt below about 1.9 grid spacings over the largest speed.

    Args:
        viscosity: nu, kinematic.
        forcing: amplitude A of the body force; 0 for decaying turbulence.
        wavenumber: k of the forcing.
        drag: linear friction coefficient.
    """

    viscosity: Any = 1e-3
    forcing: Any = 0.0
    wavenumber: int = 4
    drag: Any = 0.0

    dims: ClassVar = (2,)
    fields: ClassVar = (Field("vorticity", "1/s"),)
    auxiliary: ClassVar = ("streamfunction",)
    degree: ClassVar = 2

    def velocity(self, w: Any, d: Calculus) -> tuple[Any, Any]:
        psi = d.poisson("streamfunction", -w)
        return d.y(psi), -d.x(psi)

    def linear(self, w: Any, d: Calculus) -> Any:
        return self.viscosity * d.laplacian(w) - self.drag * w

    def nonlinear(self, w: Any, d: Calculus) -> Any:
        u, v = self.velocity(w, d)
        uv = u * v
        return d.yy(uv) - d.xx(uv) - d.xy(v * v - u * u)

    def source(self, d: Calculus) -> Tensor | None:
        if self.unforced:
            return None
        return -self.forcing * self.wavenumber * torch.cos(self.wavenumber * d.coordinates[1])

    def exact(self) -> tuple[ExactSolution, ...]:
        """Taylor-Green decay where nothing forces the flow, else the laminar Kolmogorov flow (a fixed point)."""
        nu, k, length = self.viscosity, self.wavenumber, 2 * torch.pi

        def taylor_green(x: tuple[Tensor, ...], t: Any) -> tuple[Tensor, ...]:
            rate = -(nu * (1**2 + 3**2) + self.drag) * t
            return (torch.cos(x[0]) * torch.cos(3 * x[1]) * torch.exp(rate),)

        def laminar(x: tuple[Tensor, ...], t: Any) -> tuple[Tensor, ...]:
            amplitude = -self.forcing * k / (nu * k**2 + self.drag)
            return (amplitude * torch.cos(k * x[1]) + 0 * x[0] + 0 * t,)

        if self.unforced:
            return (ExactSolution("Taylor-Green decay", taylor_green, (length, length)),)
        return (ExactSolution("laminar Kolmogorov flow", laminar, (length, length)),)

    @property
    def unforced(self) -> bool:
        return not isinstance(self.forcing, Tensor) and self.forcing == 0

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        return {"circulation": integral(u[:, 0], grid)}

    def describe(self, params: dict[str, float]) -> str:
        forced = f"driven by a sinusoidal force of wavenumber {self.wavenumber}" if not self.unforced else "decaying"
        return f"Two-dimensional turbulence {forced}, with kinematic viscosity {self.value('viscosity', params)}."
