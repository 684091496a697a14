"""What the tests of steady coupled cases share: residuals of samples on grids, differences, a mesh for an oracle."""

import dataclasses

import numpy as np
import torch

from pdekit.calculus import FiniteDifference
from pdekit.cases.base import Case, Draw, Solved
from pdekit.fields import Grid


def names(case: Case) -> list[str]:
    """Of all that a file of the case holds; each may occur once."""
    return [field.name for field in (*case.pde.fields, *case.pde.coeffs)] + list(case.params)


def cells(corner: tuple[float, float], side: float, n: int) -> Grid:
    """n x n cells of a square."""
    return Grid((n, n), (side, side), corner, ("cells", "cells"))


def residual(case: Case, drawn: Draw, solved: Solved, grid: Grid, order: int = 2) -> np.ndarray:
    """Root mean square of each equation's residual, without two cells along the sides of the grid: there a derivative
    of a one-sided derivative is of lower order."""
    pde = dataclasses.replace(case.pde, **drawn.params)
    coeffs = {field.name: torch.tensor(c)[None, None] for field, c in zip(pde.coeffs, solved.coeffs, strict=True)}
    d = FiniteDifference(grid, order, coeffs=coeffs)
    inner = pde.residual(d.field(torch.tensor(solved.u)), d)[0, :, 2:-2, 2:-2]
    return inner.square().mean(dim=(1, 2)).sqrt().numpy()


def slopes(
    case: Case, drawn: Draw, corner: tuple[float, float], side: float, n: int, channels: slice = slice(None)
) -> tuple[np.ndarray, np.ndarray]:
    """The order at which residuals of some equations fall from n to 2 n points in a square, and those on 2 n."""
    found = []
    for points in (n, 2 * n):
        grid = cells(corner, side, points)
        found.append(residual(case, drawn, case.solve(drawn, grid), grid)[channels])
    return np.log2(found[0] / found[1]), found[1]


def difference(one: Solved, other: Solved) -> np.ndarray:
    """||one - other|| / ||other|| of each channel where both exist."""
    both = np.ones_like(one.u) if one.mask is None else one.mask * other.mask
    size = np.sqrt((both * other.u**2).sum(axis=(0, 2, 3)))
    return np.sqrt((both * (one.u - other.u) ** 2).sum(axis=(0, 2, 3))) / size


def around_an_ellipse(half: float, centre: np.ndarray, axes: np.ndarray, around: int, across: int):
    """A scikit-fem mesh between an ellipse and a square of sides 2 half about the origin: straight triangles between
    points on rays, closer to one another near the ellipse. `around` is a multiple of 4."""
    import skfem

    share = np.arange(around) / around * 4
    side, along = share.astype(int), 2 * (share % 1) - 1
    ring = np.stack((np.ones(around), along), axis=1)
    turn = np.array([[0, 1], [-1, 0]])
    outer = half * np.stack([r @ np.linalg.matrix_power(turn, s) for r, s in zip(ring, side, strict=True)])
    ray = (outer - centre) / axes
    inner = centre + axes * ray / np.linalg.norm(ray, axis=1, keepdims=True)
    depth = np.linspace(0, 1, across + 1) ** 1.5
    points = inner + depth[:, None, None] * (outer - inner)
    number = np.arange((across + 1) * around).reshape(across + 1, around)
    ahead = np.roll(number, -1, axis=1)
    a, b, c, d = number[:-1], ahead[:-1], ahead[1:], number[1:]
    triangles = np.concatenate([np.stack(corners).reshape(3, -1) for corners in ((a, b, c), (a, c, d))], axis=1)
    return skfem.MeshTri(points.reshape(-1, 2).T.copy(), triangles)
