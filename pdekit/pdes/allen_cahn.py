"""u_t = D laplacian(u) + R (u - u^3)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus, Fourier
from pdekit.fields import Field, Grid
from pdekit.pdes.base import Coordinates, ExactSolution, SemilinearPDE, integral
from pdekit.pdes.jacobi import elliptic_sine, quarter_period


@dataclass(frozen=True)
class AllenCahn(SemilinearPDE):
    """Allen-Cahn: separation into two phases, u = 1 and u = -1, that are not conserved.

    u_t = D laplacian(u) + R (u - u^3) on a periodic box of 1 to 3 dimensions: the gradient flow of
    integral of D/2 |grad u|^2 + R/4 (1 - u^2)^2.

    Behaviour: the phases form within a few 1/R; walls of thickness about 4 sqrt(2 D / R) between them move by their
    curvature, in 1-D only exponentially slowly.

    Limits: a wall needs at least 8 points. Good values: D = 1e-4, R = 5 on [-1, 1] from x^2 cos(pi x) (the usual
    benchmark of PINNs; that start has a kink at the ends, which limits a reference of 512 points to 1e-5), ETDRK4
    with dt = 0.005.

    Source: Allen and Cahn (1979).

    Args:
        diffusivity: D.
        reaction: R.
    """

    configurable = True

    diffusivity: Any = 1e-4
    reaction: Any = 5.0

    dims: ClassVar = (1, 2, 3)
    smoothing: ClassVar = ("diffusivity",)
    non_negative: ClassVar = ("diffusivity",)
    fields: ClassVar = (Field("u"),)
    degree: ClassVar = 3

    def linear(self, u: Any, d: Calculus) -> Any:
        return self.diffusivity * d.laplacian(u) + self.reaction * u

    def nonlinear(self, u: Any, d: Calculus) -> Any:
        return -(self.reaction * (u * u * u))

    def exact(self) -> tuple[ExactSolution, ...]:
        """Periodic walls at rest, u = sqrt(2 m/(1 + m)) sn(x/w | m); the separation of a uniform mixture; the front
        u = (1 + tanh((x + s t)/(2 sqrt(2 D/R)))) / 2 that invades the mixed state with speed s = 3 sqrt(D R / 2)."""
        length, m = sqrt(self.diffusivity / self.reaction), 0.9
        width, rate = length * sqrt(1 + m), self.reaction

        def walls(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            return (sqrt(2 * m / (1 + m)) * elliptic_sine(x[0] / width, m) + 0 * t,)

        def uniform(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            start = 0.1
            decayed = (1 / start**2 - 1) * torch.exp(-2 * rate * torch.as_tensor(t))
            return (1 / torch.sqrt(1 + decayed) + sum(0 * axis for axis in x),)

        def front(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            return ((1 + torch.tanh((x[0] / length + 3 / sqrt(2) * rate * t) / sqrt(8))) / 2,)

        box = 4 * width * quarter_period(m)
        return (
            ExactSolution("walls at rest", walls, (box,), t_end=2 / rate),
            ExactSolution("separation of a uniform mixture", uniform, (1.0, 1.0), t_end=2 / rate),
            ExactSolution("invading front", front, (40 * length,), 1 / rate, origin=(-20 * length,), periodic=False),
        )

    def dissipated(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        d = Fourier(grid, u.dtype, u.device)
        gradient = d.grad(d.field(u)).samples
        energy = self.diffusivity / 2 * (gradient**2).sum(dim=1, keepdim=True) + self.reaction / 4 * (1 - u**2) ** 2
        return {"free energy": integral(energy[:, 0], grid)}

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (1,)

    def bounds(self) -> dict[str, tuple[float, float]]:
        """The two phases: the maximum principle."""
        return {"u": (-1.0, 1.0)}

    def describe(self, params: dict[str, float]) -> str:
        return (
            "Separation of two phases by the Allen-Cahn equation with diffusivity "
            f"{self.value('diffusivity', params)} and reaction rate {self.value('reaction', params)}."
        )
