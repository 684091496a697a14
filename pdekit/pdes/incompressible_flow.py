"""w_t + div(u w) = nu laplacian(w) + b s_x, s_t + div(u s) = kappa laplacian(s), div u = 0: flows between walls."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.pdes.base import PDE


@dataclass(frozen=True)
class IncompressibleFlow(PDE):
    """Base of plane flows of constant density with walls, obstacles, inflow and outflow.

    With velocity (u, v), pressure p over the density, and perhaps one scalar s that the flow carries,

        u_t + (u u)_x + (v u)_y = -p_x + nu laplacian(u) + a
        v_t + (u v)_x + (v v)_y = -p_y + nu laplacian(v) + b s
        s_t + (u s)_x + (v s)_y = kappa laplacian(s)
        u_x + v_y = 0

    Pressure is not stored. The residual is that of the curl of the momentum equation, with w = v_x - u_y, in which
    neither p nor the constant acceleration a appears.

    An equation that `absorbs` has one more field: a cell next to an outflow keeps the scalar that has left through
    it, per volume of the cell, so that the integral of both fields changes by what flows in only. Nothing comes back.

    Values are averages over cells: `pdekit.solvers.projection` keeps velocities at faces, and stores their means.
    """

    averages: ClassVar[bool] = True
    # whether a last field keeps the scalar that outflows have absorbed, in the cells next to them
    absorbs: ClassVar[bool] = False
    dims: ClassVar = (2,)

    @property
    @abstractmethod
    def momentum_diffusivity(self) -> Any:
        """nu."""

    @property
    def scalar_diffusivity(self) -> Any:
        """kappa; None without a scalar."""
        return None

    @property
    def acceleration(self) -> Any:
        """a, along x."""
        return 0.0

    @property
    def lift(self) -> Any:
        """b, the acceleration along y for a scalar of 1."""
        return 0.0

    def scalar_at(self, axis: int, side: int) -> float | None:
        """The scalar at the lower (side 0) or upper (side 1) end of an axis; None where nothing passes the end."""
        return None

    def solid(self, coordinates: tuple[Tensor, ...]) -> Tensor | None:
        """1 in obstacles and 0 elsewhere, "batch *space" or "*space"; None if there are none."""
        return None

    def rates(self, w: Any, velocity: tuple[Any, Any], s: Any, d: Calculus) -> tuple[Any, ...]:
        """w_t, and s_t if there is a scalar, of a state whose velocity is known."""
        u, v = velocity
        w_t = self.momentum_diffusivity * d.laplacian(w) - d.x(u * w) - d.y(v * w)
        if self.scalar_diffusivity is None:
            return (w_t,)
        s_t = self.scalar_diffusivity * d.laplacian(s) - d.x(u * s) - d.y(v * s)
        return w_t + self.lift * d.x(s), s_t

    def residual(self, q: Any, d: Calculus) -> Any:
        kept = -1 if self.absorbs else None
        u, v, *scalar = d.components(q)[:kept]
        u_t, v_t, *scalar_t = d.components(d.t(q))[:kept]
        rates = self.rates(d.x(v) - d.y(u), (u, v), scalar[0] if scalar else None, d)
        left = (d.x(v_t) - d.y(u_t), *scalar_t)
        return d.stack(d.x(u) + d.y(v), *(a - b for a, b in zip(left, rates, strict=True)))
