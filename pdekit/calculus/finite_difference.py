"""Finite differences on bounded or periodic grids, one-sided at walls: for residuals of stored data.

Each derivative is a matrix along one axis, made of the weights of the interpolating polynomial through the
nearest points (Fornberg 1988), so that the declared order holds up to the walls. Stored data hold their boundary values
already: the calculus assumes nothing of them but that periodic axes wrap.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from pdekit.calculus.base import Calculus, time_derivative
from pdekit.fields import Grid


class FiniteDifference(Calculus):
    """Derivatives by polynomial interpolation; fields are plain tensors "batch channel *space".

    Args:
        grid: any layout; periodic axes wrap around.
        order: accuracy, 2, 4 or 6 (the error falls like spacing ** order), also at walls.
        frames, dt: frames of each trajectory (neighbours along the batch) and their distance, for `t`.
        time: the time of the frames, for equations that depend on it explicitly.
        auxiliary: values of auxiliary unknowns, by name. Their equations are then residuals too:
            `auxiliary_residuals` holds laplacian(value) - rhs after an equation has been read.
        coeffs: known fields "batch 1 *space", by name.
    """

    def __init__(
        self,
        grid: Grid,
        order: int = 4,
        frames: int = 1,
        dt: Any = None,
        time: Any = None,
        auxiliary: Mapping[str, Tensor] | None = None,
        coeffs: Mapping[str, Tensor] | None = None,
    ):
        if order not in (2, 4, 6):
            raise ValueError(f"expected an accuracy order of 2, 4 or 6, got {order}; choose one of these")
        self.grid, self.order, self.ndim = grid, order, grid.ndim
        self.frames, self.dt, self._time = frames, dt, time
        self.auxiliary = dict(auxiliary or {})
        self.coeffs = dict(coeffs or {})
        self.auxiliary_residuals: dict[str, Tensor] = {}
        self._like = torch.empty(0, dtype=torch.float64)

    def field(self, samples: Tensor) -> Tensor:
        if tuple(samples.shape[2:]) != self.grid.shape:
            raise ValueError(
                f'expected samples "batch channel *space" with *space = {self.grid.shape}, got '
                f"{tuple(samples.shape)}; give the calculus the grid of the data"
            )
        self._like = samples
        return samples

    def partial(self, u: Tensor, orders: tuple[int, ...]) -> Tensor:
        for axis, derivative in enumerate(orders):
            if derivative:
                n, layout = self.grid.shape[axis], self.grid.layout[axis]
                matrix = _matrix(n, layout == "periodic", derivative, self.order).to(u)
                dim = 2 + axis
                u = torch.tensordot(u, matrix, dims=([dim], [1])).movedim(-1, dim)
                u = u / self.grid.spacing[axis] ** derivative
        return u

    def poisson(self, name: str, rhs: Tensor) -> Tensor:
        if name not in self.auxiliary:
            raise ValueError(
                f"expected the auxiliary unknown {name!r} among the fields, got {sorted(self.auxiliary)}; "
                "store it with the data, or use Fourier on a periodic grid"
            )
        value = self.auxiliary[name]
        self.auxiliary_residuals[name] = self.laplacian(value) - rhs
        return value

    def t(self, u: Tensor) -> Tensor:
        return time_derivative(u, self.frames, self.dt)

    def components(self, u: Tensor) -> tuple[Tensor, ...]:
        return u.split(1, dim=1)

    def stack(self, *fields: Tensor) -> Tensor:
        return torch.cat(fields, dim=1)

    @property
    def coordinates(self) -> tuple[Tensor, ...]:
        return self.grid.mesh(self._like.dtype, self._like.device)

    @property
    def time(self) -> Tensor:
        if self._time is None:
            raise ValueError("expected a time for an equation that depends on it, got none; pass time=...")
        return self._time


@lru_cache(maxsize=64)
def _matrix(n: int, periodic: bool, derivative: int, order: int) -> Tensor:
    """The (n, n) matrix of a derivative on unit spacing."""
    half = (derivative + 1) // 2 + order // 2 - 1  # a centred stencil of 2 half + 1 points has this order
    one_sided = derivative + order
    if n < max(2 * half + 1, 0 if periodic else one_sided):
        raise ValueError(
            f"expected at least {max(2 * half + 1, one_sided)} points for derivative {derivative} of order {order}, "
            f"got {n}; use a lower order or a finer grid"
        )
    matrix = torch.zeros(n, n, dtype=torch.float64)
    for row in range(n):
        if periodic or half <= row < n - half:
            points = torch.arange(row - half, row + half + 1)
        else:
            start = min(max(row - one_sided // 2, 0), n - one_sided)
            points = torch.arange(start, start + one_sided)
        weights = _weights((points - row).double(), derivative)
        matrix[row, points % n] += weights
    return matrix


def _weights(offsets: Tensor, derivative: int) -> Tensor:
    """Weights w with sum_j w_j f(x_j) = f^(derivative)(0), exact for polynomials through the offsets.

    Solved from the Taylor conditions sum_j w_j x_j^p / p! = 1 if p == derivative else 0.
    """
    n = len(offsets)
    powers = torch.arange(n, dtype=torch.float64)
    factorials = torch.exp(torch.lgamma(powers + 1))
    conditions = offsets[None, :] ** powers[:, None] / factorials[:, None]
    right = torch.zeros(n, dtype=torch.float64)
    right[derivative] = 1.0
    return torch.linalg.solve(conditions, right)
