"""u_tt = c^2 laplacian(u), as u_t = v and v_t = c^2 laplacian(u)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus, Fourier
from pdekit.fields import Field, Grid
from pdekit.pdes.base import Coordinates, ExactSolution, SemilinearPDE, integral


@dataclass(frozen=True)
class WaveEquation(SemilinearPDE):
    """Waves: small vibrations of a string, a membrane or a gas.

    u_t = v, v_t = c^2 laplacian(u) on a periodic box of 1 to 3 dimensions, with displacement u and velocity v. The
    two channels couple, so that a solver has a matrix for each mode; it is exact for any step.

    Behaviour: every mode oscillates with frequency c |k|; the mean of v carries the mean of u away.

    Limits: give v a zero mean if u is to stay bounded. Good values: c = 1 on a box of length 1, frames 0.02 apart.

    Args:
        speed: c.
    """

    configurable = True

    speed: Any = 1.0

    dims: ClassVar = (1, 2, 3)
    fields: ClassVar = (Field("displacement", "m"), Field("velocity", "m/s"))

    def linear(self, u: Any, d: Calculus) -> Any:
        displacement, velocity = d.components(u)
        return d.stack(velocity, self.speed**2 * d.laplacian(displacement))

    def exact(self) -> tuple[ExactSolution, ...]:
        """In 1-D a travelling bump exp(cos(x - c t)); in each dimension a standing wave of the modes (2, 1, 3)."""
        c = self.speed

        def travelling(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            phase = x[0] - c * t
            u = torch.exp(torch.cos(phase))
            return u, c * torch.sin(phase) * u

        def standing(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            shape, squares = 1.0, 0
            for m, axis in zip((2, 1, 3), x, strict=False):
                shape, squares = shape * torch.cos(m * axis + 0.4), squares + m**2
            frequency = c * sqrt(squares)
            angle = torch.as_tensor(frequency * t)
            return shape * torch.cos(angle), -frequency * shape * torch.sin(angle)

        still = tuple(ExactSolution(f"standing wave in {n}-D", standing, (2 * torch.pi,) * n) for n in self.dims)
        return (ExactSolution("travelling bump", travelling, (2 * torch.pi,)), *still)

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        d = Fourier(grid, u.dtype, u.device)
        gradient = d.grad(d.field(u[:, :1])).samples
        density = 0.5 * u[:, 1] ** 2 + 0.5 * (self.speed**2 * (gradient**2).sum(dim=1, keepdim=True))[:, 0]
        return {"momentum": integral(u[:, 1], grid), "energy": integral(density, grid)}

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (1, 1)

    def describe(self, params: dict[str, float]) -> str:
        return f"Waves of speed {self.value('speed', params)} on a periodic box."
