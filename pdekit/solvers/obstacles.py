"""Obstacles on a staggered grid: forces on the faces of solid cells that keep the velocity there at zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.solvers.staggered import Staggered

Project = Callable[[Sequence[Tensor]], list[Tensor]]
SMALLEST = 1e-10
"""Eigenvalues of the matrix of forces below this are zero: forces inside a body that the pressure balances."""


class Obstacles:
    """Forces on closed faces so that a projected velocity vanishes on them, and still has no divergence.

    With the projection P onto fields free of divergence and the faces E that solid cells touch, the velocity
    P(u + E f) is zero on E where (E^T P E) f = -E^T P u. The matrix is made once, by one projection for each face, and
    its pseudo-inverse kept: exact to rounding, for one more projection and one product in each step.

    Source: the capacitance matrix of Buzbee, Dorr, George and Golub (1971); as forces on a body, Taira and Colonius
    (2007). Here a body consists of whole cells: first order in the spacing.

    Args:
        mesh: the staggered grid.
        solid: 1 in solid cells, "batch *space".
        project: the projection without obstacles, of fields "batch *faces" in float64 and in the precision of
            ``solid``. The matrix is singular, so that its pseudo-inverse is made in float64.
    """

    def __init__(self, mesh: Staggered, solid: Float[Tensor, "batch *space"], project: Project):
        self.mesh, self.project = mesh, project
        dtype, solid = solid.dtype, solid.double()
        closed = [self._closed(solid, axis) for axis in range(mesh.ndim)]
        self.open = [(1 - part).to(dtype) for part in closed]
        surface = [part * self._free_and_meets_fluid(solid, axis) for axis, part in enumerate(closed)]
        flat = torch.cat([part.flatten(1) for part in surface], 1)
        most = int(flat.sum(1).max())
        found = torch.topk(flat, most, dim=1)
        self.places, weights = found.indices, found.values
        shares = torch.cat([self._shares(axis, solid).flatten() for axis in range(mesh.ndim)])
        rows = zip(self.places, weights, strict=True)
        self.inverse = torch.stack([self._inverse(places, weight, shares) for places, weight in rows]).to(dtype)
        self.weights = weights.to(dtype)

    def _closed(self, solid: Tensor, axis: int) -> Tensor:
        """1 on faces of solid cells."""
        return self.mesh.own_faces(torch.maximum(*self._on_both_sides(solid, axis)), axis)

    def _free_and_meets_fluid(self, solid: Tensor, axis: int) -> Tensor:
        """0 on faces between two solid cells and on faces with a prescribed velocity, 1 on all others."""
        inside = self.mesh.own_faces(torch.minimum(*self._on_both_sides(solid, axis)), axis)
        return (1 - inside) * self.mesh.free_faces(axis, solid.dtype, solid.device)

    def _on_both_sides(self, solid: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        """Values of the cells below and above each face; 0 outside the ends."""
        rule = (0.0, 0.0)
        padded = self.mesh.padded(solid, axis, rule, rule)
        dim, n = 1 + axis, padded.shape[1 + axis]
        return padded.narrow(dim, 0, n - 1), padded.narrow(dim, 1, n - 1)

    def _shares(self, axis: int, like: Tensor) -> Tensor:
        """The share of a cell that belongs to each face: a half at an outflow, where half a cell lies outside."""
        shares = torch.ones(self.mesh.face_shape(axis), dtype=like.dtype, device=like.device)
        for side, place in ((0, 0), (1, -1)):
            if self.mesh.opens(axis, side):
                shares.select(axis, place).fill_(0.5)
        return shares

    def _inverse(self, places: Tensor, weights: Tensor, shares: Tensor) -> Tensor:
        """Pseudo-inverse of E^T P E of one trajectory; padded faces have the weight 0.

        P is symmetric in the inner product whose weights are the shares of the faces.
        """
        unit = torch.diag(weights)
        fields = self._fields(places.expand(len(places), -1), unit)
        matrix = self._flat(self.project(fields))[:, places].T * weights[:, None] * weights
        matrix = shares[places, None] * matrix
        return torch.linalg.pinv((matrix + matrix.T) / 2, rtol=SMALLEST, hermitian=True) * shares[places]

    def _fields(self, places: Tensor, values: Tensor) -> list[Tensor]:
        """Fields "batch *faces" that are zero but for some values at places of the flat field."""
        shapes = self.mesh.shapes(0)
        total = sum(torch.Size(shape).numel() for shape in shapes)
        flat = torch.zeros(len(values), total, dtype=values.dtype, device=values.device)
        flat.scatter_add_(1, places, values)
        return self.mesh.parts(flat, 0)

    @staticmethod
    def _flat(fields: Sequence[Tensor]) -> Tensor:
        return torch.cat([field.flatten(1) for field in fields], 1)

    def kept_out(self, velocity: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """A projected velocity that is zero on all closed faces, and the forces (per unit volume of a face)."""
        rows = self.places.expand(len(velocity[0]), -1)
        found = self._flat(velocity).gather(1, rows) * self.weights
        strength = -(self.inverse @ found[..., None])[..., 0] * self.weights
        forces = self._fields(rows, strength)
        added = self.project(forces)
        return [(u + more) * free for u, more, free in zip(velocity, added, self.open, strict=True)], forces
