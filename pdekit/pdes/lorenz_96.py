"""x_i' = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F, indices modulo n."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.fields import Field, Problem
from pdekit.pdes.base import Coordinates, ExactSolution, SemilinearPDE


@dataclass(frozen=True)
class Lorenz96(SemilinearPDE):
    """Lorenz-96: a ring of coupled ordinary differential equations that stands for a circle of latitude.

    x_i' = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F for i modulo n. The sites are channels, and the grid is that of a
    zero-dimensional system, Grid((), ()): nothing is differentiated in space. The quadratic terms keep sum of x_i^2.

    Behaviour: with n = 40 and F = 8 chaotic; the largest Lyapunov exponent is 1.69 per unit time; with n = 4
    and F = 20 it is 1.22.

    Limits: the state x_i = F is a fixed point: start next to it. Good values: n = 40, F = 8, ETDRK4 with dt = 0.01,
    warm-up of 10 units.

    Source: Lorenz (1996), equation 1; Lorenz and Emanuel (1998).

    Args:
        forcing: F.
        n_sites: n, at least 4.
    """

    configurable = True

    forcing: Any = 8.0
    n_sites: int = 40

    dims: ClassVar = (0,)
    degree: ClassVar = 2

    def __post_init__(self):
        if self.n_sites < 4:
            raise ValueError(f"expected at least 4 sites, got {self.n_sites}; raise Lorenz96(n_sites=...)")

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(Field(f"x{i}", vector="x") for i in range(self.n_sites))

    def linear(self, x: Any, d: Calculus) -> Any:
        return -x

    def nonlinear(self, x: Any, d: Calculus) -> Any:
        ahead, behind, two_behind = (torch.roll(x, shift, dims=1) for shift in (-1, 1, 2))
        return (ahead - two_behind) * behind + self.forcing

    def exact(self) -> tuple[ExactSolution, ...]:
        """All sites alike: x' = F - x."""

        def alike(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            value = self.forcing + (2.0 - self.forcing) * torch.exp(-torch.as_tensor(t))
            return (value,) * self.n_sites

        return (ExactSolution("all sites alike", alike, ()),)

    def lyapunov_exponent(self, problem: Problem) -> float | None:
        """1.69 for the usual 40 sites and forcing 8; 1.22 for 4 sites and forcing 20."""
        known = {(40, 8.0): 1.69, (4, 20.0): 1.22}
        return None if "forcing" in problem.params else known.get((self.n_sites, self.forcing))

    def describe(self, params: dict[str, float]) -> str:
        return f"Chaos of {self.n_sites} coupled sites (Lorenz-96) with forcing {self.value('forcing', params)}."
