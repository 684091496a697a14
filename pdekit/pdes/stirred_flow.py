"""w_t + u.grad w = nu laplacian(w) - drag w + F (sin k(x + y) + cos k(x + y)), with u = (psi_y, -psi_x)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.pdes.base import Coordinates, ExactSolution, vanishes
from pdekit.pdes.plane_vorticity import PlaneVorticity


@dataclass(frozen=True)
class StirredFlow2D(PlaneVorticity):
    """Two-dimensional incompressible flow whose vorticity is driven along the diagonal of the box.

    See `PlaneVorticity` for the equation without its force. The amplitude F is that of the curl of the body force.

    Behaviour: the force builds up shear layers along the other diagonal. With F = 0.1, k = 2 pi and nu = 1e-3 on a
    unit box the flow stays smooth: 64 points along each axis resolve it to t = 50.

    Limits: the force needs a box of 2 pi m / k along both axes.

    Good values: viscosity 1e-3, 1e-4 or 1e-5, forcing 0.1, wavenumber 2 pi, no drag, on a unit box.

    Source: Li et al. (2021), Fourier neural operator, section 5.3, whose flow this is at the good values. The linear
    drag is not theirs; it is 0 by default.

    Args:
        viscosity: nu, kinematic.
        forcing: F, amplitude of the source of vorticity [1/s^2].
        wavenumber: k of the force, along each axis.
        drag: linear friction coefficient.
    """

    configurable = True

    viscosity: Any = 1e-3
    forcing: Any = 0.1
    wavenumber: Any = 2 * torch.pi
    drag: Any = 0.0

    def source(self, d: Calculus) -> Any:
        x, y = d.coordinates
        return self.forcing * self.stripes(x, y)

    def stripes(self, x: Tensor, y: Tensor) -> Tensor:
        """sin k(x + y) + cos k(x + y)."""
        angle = self.wavenumber * (x + y)
        return torch.sin(angle) + torch.cos(angle)

    def exact(self) -> tuple[ExactSolution, ...]:
        """The flow from rest: vorticity w and streamfunction w / (2 k^2) keep the shape of the force, no advection."""
        k_squared = 2 * self.wavenumber**2
        rate = self.viscosity * k_squared + self.drag

        def vorticity(x: Coordinates, t: Any) -> Tensor:
            return -self.forcing * torch.expm1(-rate * torch.as_tensor(t)) / rate * self.stripes(*x)

        def evaluate(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            return (vorticity(x, t),)

        def auxiliary(x: Coordinates, t: Any) -> dict[str, Tensor]:
            return {"streamfunction": vorticity(x, t) / k_squared}

        box = (2 * torch.pi / self.wavenumber,) * 2
        return (ExactSolution("spin-up from rest", evaluate, box, t_end=1.0, auxiliary=auxiliary),)

    @property
    def unforced(self) -> bool:
        return vanishes(self.forcing)

    def scaling(self) -> dict[str, float]:
        """Twice as fast with twice the viscosity and drag, and four times the force."""
        return {"vorticity": 1.0, "viscosity": 1.0, "drag": 1.0, "forcing": 2.0, "dt": -1.0}

    def describe(self, params: dict[str, float]) -> str:
        angle = f"{self.value('wavenumber', params)} (x + y)"
        losses = f"kinematic viscosity {self.value('viscosity', params)} and drag {self.value('drag', params)}"
        force = f"{self.value('forcing', params)} (sin {angle} + cos {angle})"
        return f"Two-dimensional flow with {losses}, stirred along the diagonal by {force}."
