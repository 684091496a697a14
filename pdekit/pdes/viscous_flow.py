"""u_t + u.grad u = -grad p + nu laplacian(u) + (a, 0), div u = 0, with the velocity stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.fields import Field
from pdekit.pdes.base import Coordinates, ExactSolution
from pdekit.pdes.incompressible_flow import IncompressibleFlow

WAVENUMBER = 2 * torch.pi  # of the closed form


@dataclass(frozen=True)
class ViscousFlow(IncompressibleFlow):
    """Plane flow of a viscous fluid: cavities, channels, vortices between walls. See `IncompressibleFlow`.

    Behaviour: a lid that slides over a closed cavity drives one large vortex, and vortices that turn the other way in
    the corners below; at Re = 1/nu = 1000 the large one turns like a solid body inside. A constant acceleration along
    a channel of width 1 ends in the parabola u = a y (1 - y) / (2 nu).

    Limits: laminar; a lid-driven cavity becomes unsteady near Re = 8000.

    Good values: viscosity 1e-3 to 1e-2 with a lid of speed 1 on a unit box of 32 to 128 cells.

    Source: Ghia, Ghia and Shin (1982) for the cavity; Taylor and Green (1937) for the vortices.

    Args:
        viscosity: nu [m^2/s].
        force: a, a constant acceleration along x [m/s^2].
    """

    configurable = True

    viscosity: Any = 1e-2
    force: Any = 0.0

    positive: ClassVar = ("viscosity",)
    smoothing: ClassVar = ("viscosity",)
    fields: ClassVar = (
        Field("velocity_x", "m/s", vector="velocity"),
        Field("velocity_y", "m/s", vector="velocity"),
    )
    equations: ClassVar = ("volume (1/s)", "vorticity (1/s^2)")

    @property
    def momentum_diffusivity(self) -> Any:
        return self.viscosity

    @property
    def acceleration(self) -> Any:
        return self.force

    def exact(self) -> tuple[ExactSolution, ...]:
        """Vortices that fade: u = sin(k x) cos(k y) exp(-2 nu k^2 t), k = 2 pi; periodic, or between free walls."""

        def vortices(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            a, b = (WAVENUMBER * coordinate for coordinate in x)
            size = torch.exp(-2 * self.viscosity * WAVENUMBER**2 * torch.as_tensor(t))
            return size * torch.sin(a) * torch.cos(b), -size * torch.cos(a) * torch.sin(b)

        return (ExactSolution("Taylor-Green decay", vortices, (1.0, 1.0)),)

    def describe(self, params: dict[str, float]) -> str:
        driven = f" and acceleration {self.value('force', params)} m/s^2 along x" if "force" in params else ""
        return f"Incompressible flow with viscosity {self.value('viscosity', params)} m^2/s{driven}."
