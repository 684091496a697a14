"""u = u_0(x) exp(-a s) + s B(x) c N(x, t), s = (t - t_0) / T: conditions that hold by construction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Grid
from pdekit.models.pinn.carried import Carried
from pdekit.pdes.base import PDE

INITIAL = ("hard", "carried", "soft")


class Ansatz:
    """How outputs N of a net become fields.

    With hard initial conditions the state at t_0 is exact. With carried ones, on periodic boxes,
    u = exp(-a s) exp((t - t_0) L) u_0 + s c N with the linear part L of the equation: what L makes of the start (a kink
    that diffuses, waves that disperse, modes that decay at once) need not be learnt, and no kink is left in u. With
    soft ones u = c B N + (1 - B) u_0, and the loss asks for the initial state. Along axes that are not periodic,
    B = product of 4 (x - lower) (upper - x) / L^2 vanishes at the walls, where the fields keep their initial values
    (Dirichlet conditions). Periodicity is the net's.

    Args:
        state: u_0, the initial state as a function.
        grid: the box.
        start: t_0.
        span: T.
        scale: c, the size of each field.
        initial: hard, carried or soft.
        decay: a; where u_0 is rougher than the solution (a kink that diffusion removes), its share must fade. With
            carried ones, growth under L (a reaction) must be outweighed as well.
        pde: whose linear part carries the start.

    Raises:
        ValueError: for wrong options, and where the start cannot be carried (see `Carried`).
    """

    def __init__(
        self,
        state: Callable[[Sequence[Any]], tuple[Any, ...]],
        grid: Grid,
        start: float,
        span: float,
        scale: Float[Tensor, "field"],
        initial: str = "hard",
        decay: float = 0.0,
        pde: PDE | None = None,
    ):
        if initial not in INITIAL:
            raise ValueError(f"expected an initial condition among {INITIAL}, got {initial!r}; set model.initial")
        if decay < 0 or (decay > 0 and initial == "soft"):
            raise ValueError(f"expected decay >= 0, and 0 for soft initial conditions, got {decay}; set model.decay")
        self.state, self.grid, self.start, self.span, self.scale = state, grid, start, span, scale
        self.hard, self.decay = initial == "hard", decay
        self.carried = Carried(state, pde, grid, start, decay / span) if initial == "carried" else None
        self.walls = tuple(axis for axis, layout in enumerate(grid.layout) if layout != "periodic")

    def known(self, points: Any) -> tuple[Any, Any]:
        """What does not depend on the net: the summand, and the factor of its outputs (None: one).

        Args:
            points: "point coordinate", a tensor or a jet; time last.
        """
        ndim = self.grid.ndim
        columns = tuple(points[:, axis : axis + 1] for axis in range(ndim))
        factor = self._walls(columns)
        if self.carried is not None:
            return self.carried(points), self._elapsed(points)
        if not self.hard:
            if factor is None:
                return None, None
            return torch.cat(self.state(columns), -1) * (1 - factor), factor
        s, summand = self._elapsed(points), torch.cat(self.state(columns), -1)
        if self.decay:
            summand = summand * torch.exp(s * -self.decay)
        return summand, s if factor is None else s * factor

    def fields(self, outputs: Any, known: tuple[Any, Any]) -> Any:
        """Fields "point channel" of outputs of the net; outputs beyond the fields (auxiliary ones) stay as they are."""
        n = len(self.scale)
        summand, factor = known
        u = outputs[:, :n] * self.scale.to(outputs.device, outputs.dtype)
        u = u if factor is None else u * factor
        u = u if summand is None else u + summand
        return torch.cat((u, outputs[:, n:]), -1) if outputs.shape[-1] > n else u

    def _elapsed(self, points: Any) -> Any:
        return points[:, self.grid.ndim : self.grid.ndim + 1] * (1 / self.span) + (-self.start / self.span)

    def _walls(self, columns: Sequence[Any]) -> Any:
        factor = None
        for axis in self.walls:
            low, length = self.grid.origin[axis], float(self.grid.extent[axis])
            z = columns[axis] * (1 / length) + (-low / length)
            bump = 4 * z * (1 - z)
            factor = bump if factor is None else factor * bump
        return factor
