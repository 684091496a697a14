"""Derivatives of a network at scattered points, exact to rounding, by nested reverse-mode differentiation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pdekit.calculus.base import Calculus


class Autodiff(Calculus):
    """Fields are outputs "point channel" of a differentiable function of the coordinates.

    Args:
        coordinates: x, y, z and then t, each "point 1" and requiring a gradient; time last.
        auxiliary: outputs "point 1" for auxiliary unknowns, by name. Their equations are residuals of the network:
            `auxiliary_residuals` holds laplacian(value) - rhs after an equation has been read.
    """

    def __init__(self, coordinates: tuple[Tensor, ...], auxiliary: Mapping[str, Tensor] | None = None):
        for c in coordinates:
            if c.ndim != 2 or c.shape[1] != 1 or not c.requires_grad:
                raise ValueError(
                    f'expected coordinates "point 1" that require a gradient, got {tuple(c.shape)} with '
                    f"requires_grad={c.requires_grad}; call requires_grad_() before the network"
                )
        self._coordinates = tuple(coordinates)
        self.ndim = len(coordinates) - 1
        self.auxiliary = dict(auxiliary or {})
        self.auxiliary_residuals: dict[str, Tensor] = {}

    def partial(self, u: Tensor, orders: tuple[int, ...]) -> Tensor:
        for axis, order in enumerate(orders):
            for _ in range(order):
                u = self._derivative(u, self._coordinates[axis])
        return u

    def t(self, u: Tensor) -> Tensor:
        return self._derivative(u, self._coordinates[-1])

    def _derivative(self, u: Tensor, coordinate: Tensor) -> Tensor:
        """du/dcoordinate of each channel; points do not interact, so the gradient of a sum serves all at once."""
        columns = []
        for channel in range(u.shape[1]):
            if not u.requires_grad:
                columns.append(torch.zeros_like(coordinate))
                continue
            (g,) = torch.autograd.grad(u[:, channel].sum(), coordinate, create_graph=True, allow_unused=True)
            columns.append(torch.zeros_like(coordinate) if g is None else g)
        return torch.cat(columns, dim=1)

    def components(self, u: Tensor) -> tuple[Tensor, ...]:
        return u.split(1, dim=1)

    def stack(self, *fields: Tensor) -> Tensor:
        return torch.cat(fields, dim=1)

    def poisson(self, name: str, rhs: Tensor) -> Tensor:
        if name not in self.auxiliary:
            raise ValueError(
                f"expected an output of the network for the auxiliary unknown {name!r}, got {sorted(self.auxiliary)}; "
                "give the network one output for each of pde.auxiliary"
            )
        value = self.auxiliary[name]
        self.auxiliary_residuals[name] = self.laplacian(value) - rhs
        return value

    @property
    def coordinates(self) -> tuple[Tensor, ...]:
        return self._coordinates[:-1]

    @property
    def time(self) -> Tensor:
        return self._coordinates[-1]
