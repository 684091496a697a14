"""u_t = Du laplacian(u) - u v^2 + F (1 - u),  v_t = Dv laplacian(v) + u v^2 - (F + K) v."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import Coordinates, ExactSolution, SemilinearPDE


@dataclass(frozen=True)
class GrayScott(SemilinearPDE):
    """Gray-Scott: a reaction that feeds on itself, U + 2 V -> 3 V, in a stirred feed; spots, stripes, waves.

    u_t = Du laplacian(u) - u v^2 + F (1 - u)
    v_t = Dv laplacian(v) + u v^2 - (F + K) v     on a periodic box of 1 to 3 dimensions.

    Behaviour: u = 1, v = 0 is stable; large enough seeds of v grow into patterns that depend on (F, K): with
    Du = 2e-5, Dv = 1e-5 gliders (0.014, 0.054), bubbles (0.098, 0.057), maze (0.029, 0.057), worms (0.058, 0.065),
    spirals (0.018, 0.051), spots (0.030, 0.062).

    Limits: fronts of v are thin: on a box of length 2.5 the maze at 128^2 still differs from 256^2 by 12 % in v.
    Good values: the above, 256^2, ETDRK4 with dt = 1 or 2, hundreds of units to form.

    Source: Gray and Scott (1984); Pearson (1993). The pulse at rest: Hale, Peletier and Troy (2000).

    Args:
        diffusivity_u, diffusivity_v: Du and Dv.
        feed: F.
        kill: K.
    """

    configurable = True

    diffusivity_u: Any = 2e-5
    diffusivity_v: Any = 1e-5
    feed: Any = 0.029
    kill: Any = 0.057

    dims: ClassVar = (1, 2, 3)
    smoothing: ClassVar = ("diffusivity_u", "diffusivity_v")
    non_negative: ClassVar = (
        "diffusivity_u",
        "diffusivity_v",
    )
    fields: ClassVar = (Field("u"), Field("v"))
    degree: ClassVar = 3

    def linear(self, w: Any, d: Calculus) -> Any:
        u, v = d.components(w)
        return d.stack(
            self.diffusivity_u * d.laplacian(u) - self.feed * u,
            self.diffusivity_v * d.laplacian(v) - (self.feed + self.kill) * v,
        )

    def nonlinear(self, w: Any, d: Calculus) -> Any:
        u, v = d.components(w)
        reaction = u * v * v
        return d.stack(self.feed - reaction, reaction)

    def exact(self) -> tuple[ExactSolution, ...]:
        """Relaxation of u without v; and, where Dv/Du = (F + K)/F and 4.5 s b < 1, a pulse at rest,

        v = 3 s / (1 + sqrt(1 - 9 s b / 2) cosh(sqrt(s/Dv) x)),  u = 1 - b v,  s = F + K,  b = Dv/Du.
        """
        feed, s, b = self.feed, self.feed + self.kill, self.diffusivity_v / self.diffusivity_u

        def relaxation(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            k = 2 * torch.pi / 2.5
            waves = torch.cos(k * x[0]) * torch.sin(2 * k * x[1])
            u = 1 - 0.3 * waves * torch.exp(-(feed + self.diffusivity_u * 5 * k**2) * torch.as_tensor(t))
            return u, 0 * u

        def pulse(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            v = 3 * s / (1 + sqrt(1 - 4.5 * s * b) * torch.cosh(x[0] * sqrt(s / self.diffusivity_v))) + 0 * t
            return 1 - b * v, v

        relaxing = ExactSolution("relaxation without v", relaxation, (2.5, 2.5), t_end=20.0)
        if abs(b * feed - s) > 1e-12 * s or 4.5 * s * b >= 1:
            return (relaxing,)
        box = 80 * sqrt(self.diffusivity_v / s)
        resting = ExactSolution("pulse at rest", pulse, (box,), t_end=0.5 / s, floor=1e-15, origin=(-box / 2,))
        return relaxing, resting

    def reflection(self, axis: int) -> tuple[int, ...]:
        return (1, 1)

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Concentrations; u does not rise above 1, because the feed restores it and the reaction consumes it."""
        return {"u": (0.0, 1.0), "v": (0.0, inf)}

    def describe(self, params: dict[str, float]) -> str:
        return (
            f"Patterns of the Gray-Scott reaction with feed rate {self.value('feed', params)} and kill rate "
            f"{self.value('kill', params)}, diffusivities {self.value('diffusivity_u', params)} and "
            f"{self.value('diffusivity_v', params)}."
        )
