"""w_t + u.grad w = nu laplacian(w) + b s_x, s_t + u.grad s = kappa laplacian(s) + S, w = v_x - u_y, div u = 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.fields import Field
from pdekit.pdes.base import PDE, Coordinates, ExactSolution, vanishes

SLOTS = (1, 2, 3)
"""Numbers of the inlets; one with the rate 0 is not there."""


@dataclass(frozen=True)
class Boussinesq(PDE):
    """Light smoke that flows from inlets into a closed box and rises in plumes.

    With velocity (u, v), vorticity w = v_x - u_y and smoke s,

        u_x + v_y = 0                                                          volume
        w_t + (u w)_x + (v w)_y = viscosity laplacian(w) + buoyancy s_x        vorticity
        s_t + (u s)_x + (v s)_y = diffusivity laplacian(s) + S                 smoke
        S = sum over inlets i of rate_i exp(-((x - x_i)^2 + (y - y_i)^2) / (2 radius_i^2))

    The vorticity equation is the curl of the momentum equation with the body force (0, buoyancy s), so that no pressure
    is stored. Walls are free of slip and let no smoke through: u = v_x = w = s_x = 0 at x = 0 and 1, and likewise in y.

    Behaviour: each inlet feeds a plume with a mushroom head. Plumes attract each other, spread below the ceiling and
    sink along the walls as a layer of smoke that thickens.

    Limits: Oberbeck-Boussinesq, two-dimensional and laminar. At a ceiling or floor that smoke touches, b s_x does not
    vanish but w does, so that the spectrum of w falls like m^-3 only.

    Good values: buoyancy 0.2 to 1, viscosity and diffusivity 1e-3 on a unit box with 32 to 64 cells, radius 0.04 to
    0.08, rate 0.5 to 1.5.

    Source: the equations are those of Rayleigh-Benard convection, Chandrasekhar (1961), chapter II. The task follows
    the conditioned smoke of Gupta and Brandstetter (2022), without its forcing by initial blobs.

    Args:
        buoyancy: b, upward force per mass for smoke 1 [m/s^2].
        viscosity, diffusivity: nu, kappa [m^2/s].
        x_1, y_1, radius_1, rate_1: centre and radius [m] and rate [1/s] of the first inlet, and so on for the others.
    """

    configurable = True

    buoyancy: Any = 0.5
    viscosity: Any = 1e-3
    diffusivity: Any = 1e-3
    x_1: Any = 0.5
    y_1: Any = 0.25
    radius_1: Any = 0.06
    rate_1: Any = 0.0
    x_2: Any = 0.5
    y_2: Any = 0.25
    radius_2: Any = 0.06
    rate_2: Any = 0.0
    x_3: Any = 0.5
    y_3: Any = 0.25
    radius_3: Any = 0.06
    rate_3: Any = 0.0

    dims: ClassVar = (2,)
    positive: ClassVar = ("radius_1", "radius_2", "radius_3")
    non_negative: ClassVar = ("viscosity", "diffusivity", "rate_1", "rate_2", "rate_3")
    smoothing: ClassVar = ("viscosity", "diffusivity")
    fields: ClassVar = (
        Field("velocity_x", "m/s", vector="velocity"),
        Field("velocity_y", "m/s", vector="velocity"),
        Field("smoke"),
    )
    equations: ClassVar = ("volume (1/s)", "vorticity (1/s^2)", "smoke (1/s)")

    def source(self, d: Calculus) -> Any:
        """S at the points."""
        x, y = d.coordinates
        total = 0.0 * x
        for n in SLOTS:
            x_n, y_n, radius, rate = (getattr(self, f"{name}_{n}") for name in ("x", "y", "radius", "rate"))
            total = total + rate * torch.exp(-((x - x_n) ** 2 + (y - y_n) ** 2) / (2 * radius**2))
        return total

    def rates(self, w: Any, velocity: tuple[Any, Any], s: Any, source: Any, d: Calculus) -> tuple[Any, Any]:
        """w_t and s_t of a state whose velocity is known."""
        u, v = velocity
        w_t = self.viscosity * d.laplacian(w) + self.buoyancy * d.x(s) - d.x(u * w) - d.y(v * w)
        s_t = self.diffusivity * d.laplacian(s) - d.x(u * s) - d.y(v * s) + source
        return w_t, s_t

    def residual(self, q: Any, d: Calculus) -> Any:
        u, v, s = d.components(q)
        u_t, v_t, s_t = d.components(d.t(q))
        w_rate, s_rate = self.rates(d.x(v) - d.y(u), (u, v), s, self.source(d), d)
        return d.stack(d.x(u) + d.y(v), d.x(v_t) - d.y(u_t) - w_rate, s_t - s_rate)

    def exact(self) -> tuple[ExactSolution, ...]:
        """Without inlets, vortices that fade in uniform smoke: psi = sin(pi x) sin(2 pi y) exp(-5 pi^2 nu t) / 5."""
        if not all(vanishes(rate) for rate in (self.rate_1, self.rate_2, self.rate_3)):
            return ()
        pi = torch.pi

        def vortices(x: Coordinates, t: Any) -> tuple[Tensor, ...]:
            a, b = x
            size = torch.exp(-5 * pi**2 * self.viscosity * torch.as_tensor(t)) / 5
            u = 2 * pi * torch.sin(pi * a) * torch.cos(2 * pi * b) * size
            v = -pi * torch.cos(pi * a) * torch.sin(2 * pi * b) * size
            return u, v, 0.3 + 0 * u

        return (ExactSolution("vortices in uniform smoke", vortices, (1.0, 1.0), t_end=2.0, periodic=False),)

    def describe(self, params: dict[str, float]) -> str:
        found = []
        for n in SLOTS:
            if params.get(f"rate_{n}", getattr(self, f"rate_{n}")):
                x, y, radius = (self.value(f"{name}_{n}", params) for name in ("x", "y", "radius"))
                found.append(f"one at ({x}, {y}) m with radius {radius} m and rate {self.value(f'rate_{n}', params)}/s")
        return (
            f"Smoke with buoyancy {self.value('buoyancy', params)} m/s^2 rises in a closed box from "
            f"{len(found)} inlet{'' if len(found) == 1 else 's'}: {', '.join(found) or 'none'}."
        )
