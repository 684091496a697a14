"""rho_t + div(rho u) = 0, (rho u)_t + div(rho u u) + grad p = 0, E_t + div((E + p) u) = 0."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.fields import Field, Grid
from pdekit.pdes.base import ConservationLaw, Coordinates, ExactSolution, integral

FLOW = (0.8, 0.5, 0.3)  # of the exact solutions


@dataclass(frozen=True)
class CompressibleEuler(ConservationLaw):
    """The flow of an ideal gas without viscosity or heat conduction: shock waves, contacts, rarefactions.

    With density rho, momentum rho u and energy E per volume, pressure p = (gamma - 1) (E - rho |u|^2 / 2). Fluxes
    along x are

        rho u,    rho u^2 + p,    rho u v,    (E + p) u,

    and waves run with u - c, u and u + c, c = sqrt(gamma p / rho). `primitive` are density, velocity and pressure.

    Behaviour: compressions steepen into shocks, in which entropy rises; jumps of density travel with the flow as
    contacts; shear layers roll up.

    Limits: rho > 0 and p > 0 everywhere; no vacuum. Without viscosity shear layers have no smallest scale: in 2-D and
    3-D their details depend on the grid.

    Good values: gamma = 1.4 (diatomic gas) or 5/3 (monatomic). Sod's tube: (rho, u, p) = (1, 0, 1) left and
    (0.125, 0, 0.1) right of the middle of a line of length 1 with outflow, until t = 0.2.

    Source: Toro (2009), Riemann solvers and numerical methods for fluid dynamics, section 3.1.

    Args:
        gamma: ratio of specific heats, above 1.
        dimension: of space, 1 to 3; the fields are density, as many momenta, and energy.

    Raises:
        ValueError: if gamma is not above 1, or dimension is not 1, 2 or 3.
    """

    configurable = True

    gamma: Any = 1.4
    dimension: int = 1

    positive: ClassVar = ("gamma",)
    middle_wave: ClassVar = True
    positive_primitives: ClassVar = (0, -1)

    def __post_init__(self):
        if self.dimension not in (1, 2, 3):
            raise ValueError(f"expected a dimension of 1, 2 or 3, got {self.dimension}; correct dimension=")
        if not isinstance(self.gamma, Tensor) and not self.gamma > 1:
            raise ValueError(f"expected gamma above 1, got {self.gamma}; air has 1.4")

    @property
    def dims(self) -> tuple[int, ...]:
        return (self.dimension,)

    @property
    def fields(self) -> tuple[Field, ...]:
        momentum = [Field(f"momentum_{letter}", "kg/m^2/s", vector="momentum") for letter in "xyz"[: self.dimension]]
        return (Field("density", "kg/m^3"), *momentum, Field("energy", "J/m^3"))

    def primitive(self, q: Any, d: Calculus) -> Any:
        """Density, velocity and pressure."""
        density, *momentum, energy = d.components(q)
        velocity = [component / density for component in momentum]
        kinetic = sum((a * b for a, b in zip(momentum[1:], velocity[1:], strict=True)), momentum[0] * velocity[0])
        return d.stack(density, *velocity, (self.gamma - 1) * (energy - 0.5 * kinetic))

    def conserved(self, w: Any, d: Calculus) -> Any:
        density, *velocity, pressure = d.components(w)
        square = sum((v * v for v in velocity[1:]), velocity[0] * velocity[0])
        energy = pressure / (self.gamma - 1) + 0.5 * density * square
        return d.stack(density, *(density * v for v in velocity), energy)

    def flux(self, q: Any, axis: int, d: Calculus) -> Any:
        _, *velocity, pressure = d.components(self.primitive(q, d))
        density, *momentum, energy = d.components(q)
        speed = velocity[axis]
        carried = [component * speed for component in momentum]
        carried[axis] = carried[axis] + pressure
        return d.stack(density * speed, *carried, (energy + pressure) * speed)

    def wave_speeds(self, q: Any, axis: int, d: Calculus) -> tuple[Any, Any]:
        density, *velocity, pressure = d.components(self.primitive(q, d))
        sound = torch.sqrt(self.gamma * pressure / density)
        return velocity[axis] - sound, velocity[axis] + sound

    def star_states(self, left: Any, right: Any, speeds: tuple[Any, Any], axis: int, d: Calculus) -> tuple[Any, ...]:
        """The contact. Source: Toro (2009), equations 10.37 and 10.39."""
        sides = [d.components(self.primitive(side, d)) for side in (left, right)]
        through = [w[0] * (speed - w[1 + axis]) for w, speed in zip(sides, speeds, strict=True)]  # rho (s - u)
        drive = [m * w[1 + axis] - w[-1] for w, m in zip(sides, through, strict=True)]
        middle = (drive[0] - drive[1]) / (through[0] - through[1])
        stars = []
        for q, w, mass, speed in zip((left, right), sides, through, speeds, strict=True):
            density = mass / (speed - middle)
            velocity = [*w[1:-1]]
            energy = d.components(q)[-1] / w[0] + (middle - velocity[axis]) * (middle + w[-1] / mass)
            velocity[axis] = middle
            stars.append(d.stack(density, *(density * v for v in velocity), density * energy))
        return middle, *stars

    def exact(self) -> tuple[ExactSolution, ...]:
        """A wave of density carried by a uniform flow, and in 2-D the isentropic vortex carried along the diagonal
        (Shu 1998, section 5.1, with strength 5 on a box of length 16)."""
        gamma, flow, n = self.gamma, FLOW[: self.dimension], self.dimension

        def gas(density: Tensor, velocity: tuple[Any, ...], pressure: Any) -> tuple[Tensor, ...]:
            energy = pressure / (gamma - 1) + 0.5 * density * sum(v * v for v in velocity)
            return density, *(density * v for v in velocity), energy

        def wave(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            phase = sum(a - v * t for a, v in zip(x, flow, strict=True))
            return gas(1 + 0.2 * torch.sin(2 * pi * phase), flow, 1.0)

        def vortex(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            dx, dy = x[0] - t, x[1] - t
            bell = 5 / (2 * pi) * torch.exp((1 - dx**2 - dy**2) / 2)
            temperature = 1 - (gamma - 1) / (2 * gamma) * bell**2
            density = temperature ** (1 / (gamma - 1))
            return gas(density, (1 - dy * bell, 1 + dx * bell), density * temperature)

        found = [ExactSolution(f"travelling wave of density in {n}-D", wave, (1.0,) * n)]
        if n == 2:
            found.append(ExactSolution("isentropic vortex", vortex, (16.0, 16.0), floor=1e-11, origin=(-8.0, -8.0)))
        return tuple(found)

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        return {field.name: integral(u[:, channel], grid) for channel, field in enumerate(self.fields)}

    def dissipated(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        """The entropy with its sign reversed, -rho log(p / rho^gamma) / (gamma - 1)."""
        density, square = u[:, :1], (u[:, 1:-1] ** 2).sum(1, keepdim=True)
        pressure = (self.gamma - 1) * (u[:, -1:] - 0.5 * square / density)
        entropy = torch.log(pressure) - self.gamma * torch.log(density)
        return {"negative_entropy": integral((-density * entropy / (self.gamma - 1))[:, 0], grid)}

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (1, *(-1 if a == axis else 1 for a in range(self.dimension)), 1)

    def scaling(self) -> dict[str, float]:
        """Twice as dense with twice the pressure: the speeds are the same."""
        return dict.fromkeys((field.name for field in self.fields), 1.0)

    def describe(self, params: dict[str, float]) -> str:
        return (
            f"An ideal gas without viscosity in {self.dimension}-D, with the ratio of specific heats "
            f"{self.value('gamma', params)}."
        )
