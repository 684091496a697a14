"""Weights of the points of a mesh: each cell gives its volume to its corners in equal shares (lumped masses).

    w_i = sum over the cells with corner i of |cell| / number of its corners

sum_i w_i v_i is the integral of v over the mesh to second order, exact for linear v on simplices, however the points
are spaced.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Integer
from torch import Tensor

SIMPLICES = {
    (1, 2): ((0, 1),),
    (2, 3): ((0, 1, 2),),
    (2, 4): ((0, 1, 2), (0, 2, 3)),
    (3, 4): ((0, 1, 2, 3),),
    (3, 5): ((0, 1, 2, 4), (0, 2, 3, 4)),
    (3, 6): ((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5)),
    (3, 8): ((0, 1, 3, 4), (1, 2, 3, 6), (1, 4, 5, 6), (3, 4, 6, 7), (1, 3, 4, 6)),
}
"""Lines, triangles, quads, tetrahedra, pyramids, wedges and hexahedra (corners in VTK's order) as simplices, by
dimensions and corners."""
LEAST = 1e-12  # weight of a point of no cell, as a share of the mean: it has no volume, but its NaN must be seen


def has_volumes(cells: Integer[Tensor, "batch cell corner"] | None, ndim: int) -> bool:
    """Return whether there are cells, and all of them are of a kind in `SIMPLICES`; padding has corners of -1."""
    if cells is None:
        return False
    kinds = set((cells >= 0).sum(-1).unique().tolist()) - {0}
    return bool(kinds) and all((ndim, corners) in SIMPLICES for corners in kinds)


def dual_volumes(
    points: Float[Tensor, "batch point dim"], cells: Integer[Tensor, "batch cell corner"]
) -> Float[Tensor, "batch point"]:
    """Return the weight of each point, over the mean of its mesh; a point of no cell has the weight `LEAST`.

    Args:
        points: coordinates.
        cells: numbers of the corners of each cell, of the kinds of `SIMPLICES`, filled with -1.

    >>> line = torch.tensor([[[0.0], [1.0], [3.0]]])
    >>> dual_volumes(line, torch.tensor([[[0, 1], [1, 2]]])).tolist()  # (1/2, 3/2, 1) over their mean
    [[0.5, 1.5, 1.0]]
    """
    places, ndim = points.double(), points.shape[-1]
    weights = places.new_zeros(points.shape[:2])
    number_of_corners = (cells >= 0).sum(-1)
    for corners in number_of_corners.unique().tolist():
        if not corners:
            continue
        sample, cell = (number_of_corners == corners).nonzero(as_tuple=True)
        chosen = cells[sample, cell, :corners]  # padding comes last
        at = places[sample[:, None], chosen]
        signed = [_signed(at[:, list(simplex)]) for simplex in SIMPLICES[ndim, corners]]
        volume = torch.stack(signed).sum(0).abs() / corners
        weights.index_put_((sample[:, None], chosen), volume[:, None].expand(chosen.shape), accumulate=True)
    n_points = (weights > 0).sum(1, keepdim=True).clamp(min=1)
    volume = weights.sum(1, keepdim=True)
    return (weights * n_points / torch.where(volume > 0, volume, 1.0)).clamp(min=LEAST)


def _signed(corners: Float[Tensor, "simplex corner dim"]) -> Float[Tensor, " simplex"]:
    edges = corners[:, 1:] - corners[:, :1]
    return torch.linalg.det(edges) / math.factorial(edges.shape[1])
