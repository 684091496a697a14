"""u_t = nu laplacian(u) + rho u (1 - u)."""

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
class ReactionDiffusion(SemilinearPDE):
    """Reaction-diffusion of Fisher, Kolmogorov, Petrovsky and Piskunov: logistic growth of what spreads by diffusion.

    u_t = nu laplacian(u) + rho u (1 - u) on a periodic box of 1 to 3 dimensions: the gradient flow of

        integral of nu/2 |grad u|^2 + rho (u^3/3 - u^2/2).

    Behaviour: u = 0 is unstable and u = 1 stable. On a long line fronts of thickness about 5 sqrt(nu / rho) invade what
    is empty, with a speed of at least 2 sqrt(nu rho). On a box shorter than 2 pi sqrt(nu / rho) diffusion is faster: u
    becomes uniform, then grows as the logistic curve.

    Limits: below 0 u grows without bound. Good values: nu = 0.5, rho = 1 on a box of length 1 until t = 1 (PDEBench).

    Source: Fisher (1937); the front with speed 5 sqrt(nu rho / 6) is that of Ablowitz and Zeppetella (1979).

    Args:
        diffusivity: nu.
        rate: rho.
    """

    configurable = True

    diffusivity: Any = 0.5
    rate: Any = 1.0

    dims: ClassVar = (1, 2, 3)
    smoothing: ClassVar = ("diffusivity",)
    non_negative: ClassVar = ("diffusivity",)
    fields: ClassVar = (Field("u"),)
    degree: ClassVar = 2

    def linear(self, u: Any, d: Calculus) -> Any:
        return self.diffusivity * d.laplacian(u) + self.rate * u

    def nonlinear(self, u: Any, d: Calculus) -> Any:
        return -(self.rate * (u * u))

    def exact(self) -> tuple[ExactSolution, ...]:
        """Growth of a uniform state, and the front u = (1 + exp(sqrt(rho / (6 nu)) (x - c t)))^-2 that invades u = 0
        with the speed c = 5 sqrt(nu rho / 6)."""
        rate, width = self.rate, sqrt(6 * self.diffusivity / self.rate)

        def logistic(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            return (1 / (1 + 4 * torch.exp(-rate * torch.as_tensor(t))) + 0 * x[0],)

        def front(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            return ((1 + torch.exp(x[0] / width - 5 / 6 * rate * t)) ** -2,)

        return (
            ExactSolution("logistic growth", logistic, (1.0,), t_end=2 / rate),
            ExactSolution("invading front", front, (20 * width,), 1 / rate, origin=(-10 * width,), periodic=False),
        )

    def dissipated(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        d = Fourier(grid, u.dtype, u.device)
        gradient = d.grad(d.field(u)).samples
        energy = self.diffusivity / 2 * (gradient**2).sum(dim=1, keepdim=True) + self.rate * (u**3 / 3 - u**2 / 2)
        return {"free energy": integral(energy[:, 0], grid)}

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (1,)

    def bounds(self) -> dict[str, tuple[float, float]]:
        """The two states at rest: the maximum principle."""
        return {"u": (0.0, 1.0)}

    def describe(self, params: dict[str, float]) -> str:
        return (
            f"Logistic growth at the rate {self.value('rate', params)} of what spreads with the diffusivity "
            f"{self.value('diffusivity', params)}."
        )
