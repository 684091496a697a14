"""Averages over space: <v> = sum(w v) / sum(w), with the weights of the grid and of the mask.

What all field measures share. ``u`` is "... batch time channel *space" (usually with members in front),
``reference`` is "batch time channel *space", ``mask`` is "batch field *space" or None; results are
"... batch time channel". Averages do not depend on the size of the box, so nominal grids serve varying boxes.
Components of one vector or complex field carry one *joint* relative value: a component that happens to vanish
has no scale of its own, and the joint value does not depend on the choice of axes or phase.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pdekit.fields import Problem


def space_dims(problem: Problem) -> tuple[int, ...]:
    """The trailing dimensions that are space: one for each axis of the grid, one for a mesh, none for an ODE."""
    return tuple(range(-len(problem.grid.shape), 0))


def average(values: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """Mean over space of "... batch time channel *space"; points outside the mask are never read.

    A mask is 1 where a field exists, or the weight of each point of a mesh, see `pdekit.metrics.dual_volumes`.
    Exact for band-limited fields on periodic axes, second order on cells and nodes.

    >>> from pdekit.fields import Field, Grid
    >>> problem = Problem(Grid((3,), (1.0,), layout=("nodes",)), (Field("u"),), dt=1.0, n_frames=2)
    >>> float(average(torch.tensor([[[[0.0, 1.0, 2.0]]]]) ** 2, problem))  # trapezoidal rule: (0/2 + 1 + 4/2)/2
    1.5
    """
    space = space_dims(problem)
    if not space:
        return values
    weights = None
    if "nodes" in problem.grid.layout:
        weights = problem.grid.weights(values.dtype, values.device)
    if mask is None and weights is None:
        return values.flatten(space[0]).mean(-1)
    if mask is not None:
        shares = mask.unsqueeze(1)  # the same at all times
        values = torch.where(shares > 0, values, torch.zeros((), dtype=values.dtype, device=values.device))
        weights = shares.to(values.dtype) * (1.0 if weights is None else weights)
    return (values * weights).sum(space) / weights.sum(space)


def edge(problem: Problem, like: Tensor) -> Tensor:
    """1 at the points next to an end of a bounded axis, "*space"."""
    grid = problem.grid
    found = torch.zeros(grid.shape, dtype=like.dtype, device=like.device)
    for axis, layout in enumerate(grid.layout):
        if layout != "periodic":
            found.index_fill_(axis, torch.tensor([0, grid.shape[axis] - 1], device=like.device), 1)
    return found


def edge_average(values: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
    """Mean over the points of `edge` inside the mask, all of them alike; NaN where there is none."""
    inside = _edge_inside(problem, values, mask)
    space = space_dims(problem)
    return torch.where(inside > 0, values, values.new_zeros(())).sum(space) / inside.sum(space)


def has_edge(problem: Problem, like: Tensor, mask: Tensor | None = None) -> Tensor:
    """True where the mask contains a point of `edge`: one value, or "batch 1 field"."""
    return _edge_inside(problem, like, mask).sum(space_dims(problem)) > 0


def _edge_inside(problem: Problem, like: Tensor, mask: Tensor | None) -> Tensor:
    inside = edge(problem, like)
    return inside if mask is None else inside * (mask > 0).unsqueeze(1).to(inside)


def joint(values: Tensor, problem: Problem, dim: int = -1) -> Tensor:
    """Mean over the components of each field's group, given back to every component; channels are axis ``dim``."""
    groups = [field.group for field in problem.fields]
    if len(set(groups)) == len(groups):
        return values
    components = [[i for i, other in enumerate(groups) if other == group] for group in groups]
    return torch.stack([sum(values.select(dim, i) for i in chosen) / len(chosen) for chosen in components], dim)


def ratio(error: Tensor, scale: Tensor) -> Tensor:
    """error / scale, where 0/0 is 0 (nothing was to be predicted, and nothing was) and e/0 is +inf.

    A scale that has overflowed gives +inf, so that it makes no error small.
    """
    return torch.where(error == 0, 0.0, torch.where(scale == math.inf, math.inf, error / scale))


def diverged_as(worst: float, values: Tensor) -> Tensor:
    """Replace NaN and infinities by the worst value, so that no later reduction can hide them."""
    return torch.nan_to_num(values, worst, worst, worst)  # worst is an infinity: nothing is made to look well
