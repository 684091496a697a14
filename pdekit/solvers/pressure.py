"""div(grad p) = a on a staggered grid, by transforms that diagonalise the second difference along each axis."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.solvers.staggered import Staggered

Cells = Float[Tensor, "batch *space"]
SINGULAR = 1e-10
"""Eigenvalues below this share of the largest are zero: a pressure is known up to a constant in a closed box."""


class PressureSolver:
    """Solve div(grad p) = a for cells, with the divergence and the gradient of `Staggered`.

    Along an axis the second difference is a symmetric matrix. Its eigenvectors are the Fourier modes of a periodic
    axis, the cosines of DCT-II between walls, and quarter waves towards an outflow. One product with the matrix of
    eigenvectors transforms an axis: exact to rounding for every pair of ends, 4 n^3 operations for n x n cells.

    In a closed box p has no mean, and a mean of the right-hand side (rounding) is ignored.

    Source: Schumann and Sweet (1988), Fast Fourier transforms for direct solution of Poisson's equation with staggered
    boundary conditions, for the transforms.

    Args:
        mesh: the staggered grid.
        dtype, device: of the matrices; they are computed in float64.
    """

    def __init__(self, mesh: Staggered, dtype: torch.dtype = torch.float64, device: object = None):
        self.modes: list[Tensor] = []
        total = torch.zeros((), dtype=torch.float64)
        for axis in range(mesh.ndim):
            values, vectors = torch.linalg.eigh(second_difference(mesh, axis))
            self.modes.append(vectors.to(device=device, dtype=dtype))  # type: ignore[call-overload]
            total = total[..., None] + values
        singular = total.abs() < SINGULAR * total.abs().max()
        inverse = torch.where(singular, 0.0, 1 / torch.where(singular, 1.0, total))
        self.inverse = inverse.to(device=device, dtype=dtype)  # type: ignore[call-overload]

    def __call__(self, a: Cells) -> Cells:
        for axis, modes in enumerate(self.modes):
            a = along_axis(a, modes.mT, axis)
        a = a * self.inverse
        for axis, modes in enumerate(self.modes):
            a = along_axis(a, modes, axis)
        return a


def second_difference(mesh: Staggered, axis: int) -> Float[Tensor, "cell cell"]:
    """The matrix of p -> diff(gradient of p) / spacing along one axis, from the unit vectors, in float64."""
    n, h = mesh.grid.shape[axis], mesh.grid.spacing[axis]
    unit = torch.eye(n, dtype=torch.float64).reshape(n, *(n if place == axis else 1 for place in range(mesh.ndim)))
    slope = mesh.all_faces(mesh.gradient(unit, axis), axis)
    return (torch.diff(slope, dim=1 + axis) / h).reshape(n, n)


def along_axis(u: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """A matrix times an axis of "batch *space"."""
    dim = 1 + axis - u.ndim
    if dim == -1:
        return u @ matrix.T
    if dim == -2:
        return matrix @ u
    return (u.movedim(dim, -1) @ matrix.T).movedim(-1, dim)
