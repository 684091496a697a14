"""u_t + u.grad u = -grad p + nu laplacian(u) + T e_y, T_t + u.grad T = kappa laplacian(T), nu / kappa = Pr."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus.base import per_sample
from pdekit.fields import Field, Grid
from pdekit.pdes.base import Budget, integral
from pdekit.pdes.incompressible_flow import IncompressibleFlow

CRITICAL = 1707.762
"""Rayleigh number at which rolls begin between no-slip plates: Chandrasekhar (1961), table III."""
CRITICAL_WAVENUMBER = 3.117
"""Wavenumber of those rolls, in units of the inverse height: same table."""


@dataclass(frozen=True)
class RayleighBenard(IncompressibleFlow):
    """A layer of fluid between a hot lower and a cold upper plate. See `IncompressibleFlow`.

    Units are the height, the difference of the temperatures of the plates, and the free-fall velocity
    sqrt(g alpha dT H). T is 1 at the lower end of y and 0 at the upper one; the other ends let no heat pass.

    Behaviour: below Ra = 1708 the fluid rests and T = 1 - y. Above, it turns in pairs of rolls about as wide as high;
    from about 1e5 on plumes leave the plates one by one.

    Limits: Oberbeck-Boussinesq, two-dimensional. The thermal layers at the plates are 1 / (2 Nu) high and need three
    cells or more: 64 cells serve to about Ra = 1e6.

    Good values: rayleigh 1e4 to 1e6, prandtl 0.7 (air) to 7 (water), a box two to four times as long as high.

    Source: Chandrasekhar (1961), Hydrodynamic and hydromagnetic stability, chapter II; free-fall units as in The Well
    (Ohana et al. 2024).

    Args:
        rayleigh: Ra = g alpha dT H^3 / (nu kappa).
        prandtl: Pr = nu / kappa.
    """

    configurable = True

    rayleigh: Any = 1e5
    prandtl: Any = 1.0

    positive: ClassVar = ("rayleigh", "prandtl")
    fields: ClassVar = (
        Field("velocity_x", vector="velocity"),
        Field("velocity_y", vector="velocity"),
        Field("temperature"),
    )
    budgets_at_walls: ClassVar = True
    equations: ClassVar = ("volume (1)", "vorticity (1)", "temperature (1)")

    @property
    def momentum_diffusivity(self) -> Any:
        return (self.prandtl / self.rayleigh) ** 0.5

    @property
    def scalar_diffusivity(self) -> Any:
        return (self.rayleigh * self.prandtl) ** -0.5

    @property
    def lift(self) -> Any:
        return 1.0

    def scalar_at(self, axis: int, side: int) -> float | None:
        return 1.0 - side if axis == 1 else None

    def reflection(self, axis: int) -> tuple[int, ...] | None:
        """Of x: the velocity along x changes its sign. Gravity forbids that of y alone."""
        return (-1, 1, 1) if axis == 0 else None

    def bounds(self) -> dict[str, tuple[float, float]]:
        """No fluid is hotter or colder than both plates."""
        return {"temperature": (0.0, 1.0)}

    def budgets(self, u: Tensor, grid: Grid) -> dict[str, Budget]:
        """Heat, which the plates bring and take, and kinetic energy, which buoyancy feeds and viscosity drains.

        The heat flux through a plate is kappa (T_plate - T) / (h / 2) with the temperature of the cell next to it, as
        the solver `projection` has it; the Nusselt number is this flux over kappa. Gradients are differences of
        neighbours, and to a plate at rest. Both ends of x are periodic, or walls at rest that let no heat pass.
        """
        velocity, temperature, h = u[:, :2], u[:, 2], grid.spacing[1]
        nu, kappa = (per_sample(value, 1) for value in (self.momentum_diffusivity, self.scalar_diffusivity))
        width = integral(torch.ones_like(temperature), grid) / per_sample(grid.extent[1], 1)
        hot, cold = (1 - temperature[..., 0]).mean(1), temperature[..., -1].mean(1)
        squares = self._squared_slopes(velocity, 0, grid) + self._squared_slopes(velocity, 1, grid)
        return {
            "heat": Budget(
                integral(temperature, grid),
                {"hot plate": 2 * kappa * width * hot / h, "cold plate": -2 * kappa * width * cold / h},
            ),
            "kinetic energy": Budget(
                integral(velocity.square().sum(1), grid) / 2,
                {"buoyancy": integral(velocity[:, 1] * temperature, grid), "dissipation": -nu * squares},
            ),
        }

    @staticmethod
    def _squared_slopes(velocity: Tensor, axis: int, grid: Grid) -> Tensor:
        """The integral of the squared derivative along an axis of all components, "batch"."""
        dim, h = axis - 2, grid.spacing[axis]
        cell = grid.spacing[0] * grid.spacing[1]
        if grid.layout[axis] == "periodic":
            inner = (velocity.roll(-1, dim) - velocity).square().flatten(1).sum(1)
            return inner * cell / h**2
        low, high = (velocity.select(dim, place).square().flatten(1).sum(1) for place in (0, -1))
        # a slope to a wall reaches over half a cell: (u / (h / 2))^2 (h / 2)
        return (velocity.diff(dim=dim).square().flatten(1).sum(1) + 2 * (low + high)) * cell / h**2

    def describe(self, params: dict[str, float]) -> str:
        return (
            "A fluid between a hot lower and a cold upper plate, with Rayleigh number "
            f"{self.value('rayleigh', params)} and Prandtl number {self.value('prandtl', params)}."
        )
