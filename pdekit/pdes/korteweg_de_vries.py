"""u_t + a u u_x + b u_xxx = 0."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus, Fourier
from pdekit.fields import Field, Grid
from pdekit.pdes.base import Coordinates, ExactSolution, SemilinearPDE, integral


@dataclass(frozen=True)
class KortewegDeVries(SemilinearPDE):
    """Korteweg-de Vries: long waves on shallow water; solitons.

    u_t = -a u u_x - b u_xxx on a periodic line. Steepening and dispersion balance in solitons, which are faster the
    higher they are and pass through one another with a change of phase only.

    Behaviour: a smooth start breaks up into a train of solitons that collide and nearly recur.

    Limits: a soliton of height h needs a spacing below about sqrt(b / (a h)).
    Good values: a = 6, b = 1, L = 60, n = 256, ETDRK4 with dt = 0.005; or a = 1, b = 0.022^2 on [-1, 1] from cos(pi x),
    n = 512 (Zabusky and Kruskal 1965).

    Source: Korteweg and de Vries (1895); two solitons as in Hirota (1971).

    Args:
        nonlinearity: a.
        dispersion: b.
    """

    configurable = True

    nonlinearity: Any = 6.0
    dispersion: Any = 1.0

    dims: ClassVar = (1,)
    fields: ClassVar = (Field("u"),)
    degree: ClassVar = 2

    def linear(self, u: Any, d: Calculus) -> Any:
        return -(self.dispersion * d.xxx(u))

    def nonlinear(self, u: Any, d: Calculus) -> Any:
        return -0.5 * self.nonlinearity * d.x(u * u)

    def exact(self) -> tuple[ExactSolution, ...]:
        """One soliton, and a higher one that overtakes a lower one. For u_t + 6 u u_x + u_xxx they are
        u = 2 (log F)_xx with F = 1 + e1, and F = 1 + e1 + e2 + ((k1 - k2)/(k1 + k2))^2 e1 e2, where
        e_i = exp(k_i (x - x_i) - k_i^3 t); a and b rescale u and t."""
        a, b = self.nonlinearity, self.dispersion

        def soliton(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            k = 1.2
            return (3 * b * k**2 / a / torch.cosh(k / 2 * (x[0] - b * k**2 * t)) ** 2,)

        def two_solitons(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            k1, k2 = 1.4, 0.8
            first, second = k1 * (x[0] + 8) - k1**3 * b * t, k2 * (x[0] + 2) - k2**3 * b * t
            both = first + second + 2 * log((k1 - k2) / (k1 + k2))
            exponents = torch.stack((torch.zeros_like(first), first, second, both), dim=-1)
            # (log of a sum of exponentials)_xx is the variance of the slopes under the softmax: nothing cancels
            weights = torch.softmax(exponents, dim=-1)
            slopes = torch.tensor([0.0, k1, k2, k1 + k2], dtype=weights.dtype, device=weights.device)
            mean = (weights * slopes).sum(dim=-1, keepdim=True)
            return (12 * b / a * (weights * (slopes - mean) ** 2).sum(dim=-1),)

        return (
            ExactSolution("soliton", soliton, (60.0,), t_end=2.0 / b, floor=1e-14, origin=(-30.0,)),
            ExactSolution("two solitons", two_solitons, (90.0,), t_end=8.0 / b, floor=1e-13, origin=(-45.0,)),
        )

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        d = Fourier(grid, u.dtype, u.device)
        slope = d.x(d.field(u)).samples
        energy = self.nonlinearity / 6 * u**3 - self.dispersion / 2 * slope**2
        return {
            "mass": integral(u[:, 0], grid),
            "momentum": integral(u[:, 0] ** 2, grid),
            "energy": integral(energy[:, 0], grid),
        }

    def galilean(self, axis: int) -> tuple[float, ...]:
        return (1 / self.nonlinearity,)

    def describe(self, params: dict[str, float]) -> str:
        return (
            f"Solitons of the Korteweg-de Vries equation with nonlinearity {self.value('nonlinearity', params)} "
            f"and dispersion {self.value('dispersion', params)}."
        )
