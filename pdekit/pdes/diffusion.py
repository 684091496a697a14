"""u_t = nu laplacian(u)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus, Fourier
from pdekit.fields import Field, Grid
from pdekit.pdes.base import Budget, Coordinates, ExactSolution, SemilinearPDE, integral


@dataclass(frozen=True)
class Diffusion(SemilinearPDE):
    """Diffusion: heat conduction in a uniform material.

    u_t = nu laplacian(u) on a periodic box of 1 to 3 dimensions. The mode of wavenumber k decays like
    exp(-nu k^2 t); the mean stays.

    Behaviour: smoothing, fast for fine structure. The solver is exact for any step.

    Limits: nothing is left to learn once nu (2 pi/L)^2 t is large: all fields are constant.
    Good values: nu = 0.01 on a box of length 1, until t = 1.

    Args:
        diffusivity: nu.
    """

    configurable = True

    diffusivity: Any = 0.01

    dims: ClassVar = (1, 2, 3)
    non_negative: ClassVar = ("diffusivity",)
    fields: ClassVar = (Field("u"),)

    def linear(self, u: Any, d: Calculus) -> Any:
        return self.diffusivity * d.laplacian(u)

    def exact(self) -> tuple[ExactSolution, ...]:
        """In each dimension a product of the first modes along x, y, z plus a finer one along x."""
        nu = self.diffusivity

        def modes(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            coarse, rate = 1.0, 0.0
            for m, axis in enumerate(x, start=1):
                coarse, rate = coarse * torch.cos(m * axis - 0.3), rate + m**2
            return (0.5 + coarse * torch.exp(-nu * rate * t) + torch.sin(3 * x[0]) * torch.exp(-9 * nu * t),)

        return tuple(ExactSolution(f"decaying modes in {n}-D", modes, (2 * torch.pi,) * n) for n in self.dims)

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        return {"mass": integral(u[:, 0], grid)}

    def dissipated(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        return {"square": integral(u[:, 0] ** 2, grid)}

    def budgets(self, u: Tensor, grid: Grid) -> dict[str, Budget]:
        """Variance u^2 / 2, which diffusion drains by nu |grad u|^2."""
        d = Fourier(grid, u.dtype, u.device)
        loss = -self.diffusivity * (d.grad(d.field(u)).samples ** 2).sum(dim=1, keepdim=True)
        return {"variance": Budget(integral(u[:, 0] ** 2 / 2, grid), {"dissipation": integral(loss[:, 0], grid)})}

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (1,)

    def describe(self, params: dict[str, float]) -> str:
        return f"Diffusion of a scalar with diffusivity {self.value('diffusivity', params)} on a periodic box."
