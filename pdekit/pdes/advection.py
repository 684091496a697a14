"""u_t + c . grad u = 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.fields import Field, Grid
from pdekit.pdes.base import Coordinates, ExactSolution, SemilinearPDE, integral


@dataclass(frozen=True)
class Advection(SemilinearPDE):
    """Advection: transport with a constant velocity.

    u_t = -c . grad u on a periodic box of 1 to 3 dimensions: u(x, t) = u(x - c t, 0).

    Behaviour: everything moves, nothing changes shape. The solver is exact for any step, so that what a surrogate
    smears or delays is its own error.

    Limits: an odd derivative has no Nyquist mode: on an even grid that one mode stays where it is. Give smooth data.
    Good values: speed 1 on a box of length 1, a crossing in 20 or more frames.

    Args:
        velocity_x, velocity_y, velocity_z: c, as many components as the grid has axes; the others are not used.
    """

    configurable = True

    velocity_x: Any = 1.0
    velocity_y: Any = 0.0
    velocity_z: Any = 0.0

    dims: ClassVar = (1, 2, 3)
    fields: ClassVar = (Field("u"),)

    @property
    def velocity(self) -> tuple[Any, Any, Any]:
        return self.velocity_x, self.velocity_y, self.velocity_z

    def linear(self, u: Any, d: Calculus) -> Any:
        parts = [-(c * d.along(u, letter)) for c, letter in zip(self.velocity, "xyz"[: d.ndim], strict=False)]
        return sum(parts[1:], start=parts[0])

    def exact(self) -> tuple[ExactSolution, ...]:
        """A smooth bump exp(sin) in each dimension, carried along."""

        def bump(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            phases = [torch.sin(axis - c * t) for axis, c in zip(x, self.velocity, strict=False)]
            return (torch.exp(sum(phases[1:], start=phases[0])),)

        return tuple(ExactSolution(f"travelling bump in {n}-D", bump, (2 * torch.pi,) * n) for n in self.dims)

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        return {"mass": integral(u[:, 0], grid), "square": integral(u[:, 0] ** 2, grid)}

    def describe(self, params: dict[str, float]) -> str:
        c = ", ".join(self.value(f"velocity_{letter}", params) for letter in "xyz")
        return f"Transport of a scalar with the constant velocity ({c}) on a periodic box."
