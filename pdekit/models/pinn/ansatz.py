"""u = u_0(x) exp(-a s) + s B(x) c N(x, t), s = (t - t_0) / T: conditions that hold by construction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Grid
from pdekit.models.pinn.carried import Carried
from pdekit.models.pinn.form import Form
from pdekit.pdes.base import PDE


class Ansatz:
    """Form in which outputs N of a net become fields.

    With hard initial conditions the state at t_0 is exact. With carried ones, on periodic boxes,
    u = exp(-a s) exp((t - t_0) L) u_0 + s c N with the linear part L of the equation: what L makes of the start (a kink
    that diffuses, waves that disperse, modes that decay at once) need not be learnt, and no kink is left in u. With
    soft ones u = c B N + (1 - B) u_0, and the loss asks for the initial state. B vanishes at the ends of axes where
    fields keep their initial values (Dirichlet conditions): it is the product of z, 1 - z or 4 z (1 - z) for the lower
    end, the upper end or both, with z = (x - lower) / L. Periodicity is the net's.

    Args:
        state: u_0, the initial state as a function.
        grid: the box.
        span: t_0 and t_0 + T.
        scale: c, the size of each field.
        form: initial is hard, carried or soft. decay is a; where u_0 is rougher than the solution (a kink that
            diffusion removes), its share must fade. With carried ones, growth under L (a reaction) must be outweighed
            as well.
        kept: for each axis, whether fields keep their initial values at its lower and its upper end.
        pde: whose linear part carries the start.

    Raises:
        ValueError: where the start cannot be carried (see `Carried`).
    """

    def __init__(
        self,
        state: Callable[[Sequence[Any]], tuple[Any, ...]],
        grid: Grid,
        span: tuple[float, float],
        scale: Float[Tensor, "field"],
        form: Form,
        kept: Sequence[tuple[bool, bool]],
        pde: PDE | None = None,
    ):
        self.state, self.grid, self.scale = state, grid, scale
        self.start, self.span = span[0], span[1] - span[0]
        self.hard, self.decay, self.kept = form.initial == "hard", form.decay, tuple(kept)
        self.carried = None
        if form.initial == "carried" and pde is not None:
            self.carried = Carried(state, pde, grid, self.start, self.decay / self.span)

    def known(self, points: Any) -> tuple[Any, Any]:
        """Return what does not depend on the net: the summand, and the factor of its outputs (None: one).

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
        """B, or None where no end keeps the initial values."""
        factor = None
        for axis, (at_lower, at_upper) in enumerate(self.kept):
            if not (at_lower or at_upper):
                continue
            low, length = self.grid.origin[axis], float(self.grid.extent[axis])
            z = columns[axis] * (1 / length) + (-low / length)
            bump = 4 * z * (1 - z) if at_lower and at_upper else z if at_lower else 1 - z
            factor = bump if factor is None else factor * bump
        return factor
