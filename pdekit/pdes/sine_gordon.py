"""u_tt = c^2 u_xx - sin(u), as u_t = v and v_t = c^2 u_xx - sin(u)."""

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
class SineGordon(SemilinearPDE):
    """Sine-Gordon: a chain of coupled pendulums; kinks, antikinks and breathers.

    u_t = v, v_t = c^2 laplacian(u) - sin(u) on a periodic box of 1 or 2 dimensions, with angle u and its rate v.

    Behaviour: small waves disperse; kinks (a turn by 2 pi) and antikinks pass through one another with a change of
    phase; breathers oscillate in place for ever.

    Limits: sin(u) is no polynomial, so de-aliasing (as for degree 3) is not exact: resolve u until its spectrum is
    at rounding. A periodic box holds as many kinks as antikinks.
    Good values: c = 1, L = 60, n = 256, ETDRK4 with dt = 0.05.

    Source: Ablowitz, Kaup, Newell and Segur (1973).

    Args:
        speed: c.
    """

    configurable = True

    speed: Any = 1.0

    dims: ClassVar = (1, 2)
    fields: ClassVar = (Field("angle", "rad"), Field("rate", "rad/s"))
    degree: ClassVar = 3

    def linear(self, w: Any, d: Calculus) -> Any:
        angle, rate = d.components(w)
        return d.stack(rate, self.speed**2 * d.laplacian(angle))

    def nonlinear(self, w: Any, d: Calculus) -> Any:
        angle, _ = d.components(w)
        sine = torch.sin(angle)
        return d.stack(0.0 * sine, -sine)

    def exact(self) -> tuple[ExactSolution, ...]:
        """A breather u = 4 atan(tan(m) cos(t cos(m)) / cosh(x sin(m) / c)), and the collision of a kink with an
        antikink u = 4 atan(sinh(q s t) / (s cosh(q x / c))) with speed s c and q = 1/sqrt(1 - s^2)."""
        c, amplitude, frequency = self.speed, sqrt(1 - 0.6**2) / 0.6, 0.6
        s = 0.5
        q = 1 / sqrt(1 - s**2)

        def breather(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            t = torch.as_tensor(t)
            envelope = amplitude / torch.cosh(x[0] * (sqrt(1 - frequency**2) / c))
            ratio, rate = envelope * torch.cos(frequency * t), -frequency * envelope * torch.sin(frequency * t)
            return 4 * torch.atan(ratio), 4 * rate / (1 + ratio**2)

        def collision(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            phase = q * s * (torch.as_tensor(t) - 4)
            width = s * torch.cosh(x[0] * (q / c))
            ratio, rate = torch.sinh(phase) / width, q * s * torch.cosh(phase) / width
            return 4 * torch.atan(ratio), 4 * rate / (1 + ratio**2)

        return (
            ExactSolution("breather", breather, (60.0 * c,), 4.0, 1e-9, origin=(-30.0 * c,)),
            ExactSolution("kink meets antikink", collision, (60.0 * c,), 8.0, 1e-12, origin=(-30.0 * c,)),
        )

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        d = Fourier(grid, u.dtype, u.device)
        gradient = d.grad(d.field(u[:, :1])).samples
        elastic = self.speed**2 * (gradient**2).sum(dim=1, keepdim=True) / 2
        density = u[:, 1:] ** 2 / 2 + elastic + 1 - torch.cos(u[:, :1])
        momentum = {
            f"momentum_{letter}": integral(-u[:, 1] * gradient[:, axis], grid) for axis, letter in enumerate(grid.axes)
        }
        return {"energy": integral(density[:, 0], grid), **momentum}

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (1, 1)

    def describe(self, params: dict[str, float]) -> str:
        return f"Kinks and breathers of the sine-Gordon equation with wave speed {self.value('speed', params)}."
