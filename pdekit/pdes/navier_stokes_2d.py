"""w_t + u.grad w = nu laplacian(w) - drag w + curl f, with u = (psi_y, -psi_x) and laplacian(psi) = -w."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.fields import Problem
from pdekit.pdes.base import Coordinates, ExactSolution, vanishes
from pdekit.pdes.plane_vorticity import PlaneVorticity

Vorticity = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class NavierStokes2D(PlaneVorticity):
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

    configurable = True

    viscosity: Any = 1e-3
    forcing: Any = 0.0
    wavenumber: int = 4
    drag: Any = 0.0

    def source(self, d: Calculus) -> Any:
        if self.unforced:
            return None
        return -self.forcing * self.wavenumber * torch.cos(self.wavenumber * d.coordinates[1])

    def exact(self) -> tuple[ExactSolution, ...]:
        """Without forcing, decaying modes of one wavenumber (no advection: w is proportional to psi), among them the
        Taylor-Green vortices; else the laminar Kolmogorov flow, at rest (unstable at high Reynolds numbers)."""
        nu, k, box = self.viscosity, self.wavenumber, (2 * torch.pi,) * 2

        def flow(name: str, vorticity: Vorticity, k_squared: float, t_end: float = 1.0) -> ExactSolution:
            def evaluate(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
                return (vorticity(*x, torch.as_tensor(t)),)

            def auxiliary(x: Coordinates, t: Any) -> dict[str, Tensor]:
                return {"streamfunction": vorticity(*x, torch.as_tensor(t)) / k_squared}

            return ExactSolution(name, evaluate, box, t_end, auxiliary=auxiliary)

        def taylor_green(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
            return torch.cos(x) * torch.cos(3 * y) * torch.exp(-(10 * nu + self.drag) * t)

        def ring(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
            modes = torch.cos(5 * y) + 0.7 * torch.sin(3 * x + 4 * y) - 0.4 * torch.cos(4 * x - 3 * y + 1)
            return modes * torch.exp(-(25 * nu + self.drag) * t)

        def laminar(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
            amplitude = -self.forcing * k / (nu * k**2 + self.drag)
            return amplitude * torch.cos(k * y) + 0 * x + 0 * t

        if self.unforced:
            return flow("Taylor-Green decay", taylor_green, 10), flow("decay of one wavenumber", ring, 25)
        return (flow("laminar Kolmogorov flow", laminar, k**2),)

    @property
    def unforced(self) -> bool:
        return vanishes(self.forcing)

    def scaling(self) -> dict[str, float]:
        """Twice as fast with twice the viscosity and drag, and four times the force."""
        return {"vorticity": 1.0, "viscosity": 1.0, "drag": 1.0, "forcing": 2.0, "dt": -1.0}

    def lyapunov_exponent(self, problem: Problem) -> float | None:
        """0.39 at viscosity 0.01 and 0.61 at 0.001, with forcing 1, wavenumber 4, drag 0.1 and a box of 2 pi."""
        fixed = not {"viscosity", "forcing", "drag", "length_x", "length_y"} & set(problem.params)
        square = fixed and all(abs(length - 2 * torch.pi) < 1e-6 for length in problem.grid.extent)
        if not square or (self.forcing, self.wavenumber, self.drag) != (1.0, 4, 0.1):
            return None
        return {0.01: 0.39, 0.001: 0.61}.get(self.viscosity)

    def reflection(self, axis: int) -> tuple[int, ...] | None:
        return (-1,) if self.unforced else None

    def describe(self, params: dict[str, float]) -> str:
        losses = f"kinematic viscosity {self.value('viscosity', params)} and drag {self.value('drag', params)}"
        if self.unforced and not params.get("forcing"):
            return f"Decaying two-dimensional turbulence with {losses}."
        force = f"{self.value('forcing', params)} sin({self.wavenumber} y)"
        return f"Two-dimensional turbulence driven by a force {force}, with {losses}."
