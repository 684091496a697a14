"""Projection of vector fields onto those that are free of divergence, on boxes of every layout."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus.finite_difference import FiniteDifference
from pdekit.calculus.fourier import Fourier
from pdekit.fields import Grid, Problem

RANK = 1e-11  # eigenvalues below this share of the largest are zeros with rounding


def vectors(problem: Problem) -> dict[str, list[int]]:
    """Channels of the vectors that have as many components as there are axes, two at least, by name."""
    if not problem.grid.uniform or problem.grid.ndim < 2 or problem.has_mask:
        return {}
    groups: dict[str, list[int]] = {}
    for channel, field in enumerate(problem.fields):
        if field.vector is not None:
            groups.setdefault(field.vector, []).append(channel)
    return {name: channels for name, channels in groups.items() if len(channels) == problem.grid.ndim}


def divergence_free(v: Float[Tensor, "batch component *space"], grid: Grid) -> Float[Tensor, "batch component *space"]:
    """Return the nearest field with div v = 0: v - D^T (D D^T)^+ D v, in float64 inside.

    D is the divergence that the calculus of the grid takes: spectral on a periodic box, differences of order 4 on
    others. On a periodic box this is the Leray projection, and it keeps the mean of each component. D D^T is a sum of
    one matrix per axis, so that the eigenvectors of each axis solve it directly (Lynch, Rice and Thomas 1964). Nearest
    is meant with equal weights of all points.

    Args:
        v: as many components as axes.
        grid: any layout; lengths may be tensors "batch 1 *1".

    Limits: values at the ends of a bounded axis move too; nothing is known of walls. Costs a dense product with an
    n x n matrix along each axis.

    Raises:
        ValueError: if there are not as many components as axes.
    """
    if v.shape[1] != grid.ndim:
        raise ValueError(f"expected {grid.ndim} components, one for each axis, got {v.shape[1]}; choose the vector")
    axes = range(grid.ndim)
    parts = [derivative_along(n, layout, grid.periodic) for n, layout in zip(grid.shape, grid.layout, strict=True)]
    matrices = [matrix.to(v.device) for matrix, _, _ in parts]
    vectors = [vector.to(v.device) for _, vector, _ in parts]
    wide = v.double()
    lengths = [torch.as_tensor(length, dtype=torch.float64, device=v.device) for length in grid.extent]
    # "batch *space" lacks the axis of channels that lengths of each sample have
    lengths = [length.reshape(-1, *(1,) * grid.ndim) for length in lengths]
    total = sum(_along(matrices[axis], wide[:, axis], axis) / lengths[axis] for axis in axes)
    eigenvalues = sum(
        parts[axis][2].to(v.device).reshape([-1 if a == axis else 1 for a in axes]) / lengths[axis].square()
        for axis in axes
    )
    for axis in axes:
        total = _along(vectors[axis].T, total, axis)
    largest = eigenvalues.amax(tuple(range(1, grid.ndim + 1)), keepdim=True)
    kept = eigenvalues > RANK * largest
    potential = torch.where(kept, total / torch.where(kept, eigenvalues, 1.0), 0.0)
    for axis in axes:
        potential = _along(vectors[axis], potential, axis)
    gradient = [_along(matrices[axis].T, potential, axis) / lengths[axis] for axis in axes]
    return (wide - torch.stack(gradient, 1)).to(v.dtype)


@lru_cache(maxsize=32)
def derivative_along(n: int, layout: str, spectral: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return (D, eigenvectors of D D^T in columns, eigenvalues) of d/dx on n points of an axis of length one."""
    grid = Grid((n,), (1.0,), layout=(layout,))
    d = Fourier(grid) if spectral else FiniteDifference(grid)
    derivative = d.along(d.field(torch.eye(n, dtype=torch.float64)[:, None]), "x")
    columns = derivative if torch.is_tensor(derivative) else derivative.samples
    matrix = columns[:, 0].T.contiguous()
    values, vectors = torch.linalg.eigh(matrix @ matrix.T)
    return matrix, vectors, torch.where(values > RANK * values[-1], values, 0.0)


def _along(matrix: Tensor, u: Float[Tensor, "batch *space"], axis: int) -> Tensor:
    """Apply a matrix along an axis of space."""
    return torch.tensordot(u, matrix, dims=([1 + axis], [1])).movedim(-1, 1 + axis)
