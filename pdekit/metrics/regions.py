"""Errors and equation residuals of steady forecasts by region: interior, boundary and interface.

Derivatives are differences of order 4, one-sided at ends. The residual of the reference is the *floor*. It is large
where a field or a coefficient jumps, which no grid resolves, so points near a jump form a region of their own.
Residuals of different equations have different units and are never added.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus import FiniteDifference
from pdekit.fields import Grid, Problem
from pdekit.metrics.physics import PLACES, REACH, near
from pdekit.metrics.quadrature import edge

FEWEST = 7
"""Points of an axis that one-sided differences of order 4 need for second derivatives."""

JUMP = 0.5
"""A coefficient jumps between neighbours that differ by more than this share of its range in the sample."""


def has_equations(problem: Problem) -> bool:
    """True if residuals are defined: a steady problem on a grid whose fields and inputs are those of its equation."""
    pde = problem.pde
    if pde is None or not problem.steady or not problem.on_box:
        return False
    known = [field.name for field in pde.fields] == [field.name for field in problem.fields]
    given = {field.name for field in pde.coeffs} <= {field.name for field in problem.coeffs}
    return known and given and not pde.auxiliary and min(problem.grid.shape) >= FEWEST


@torch.no_grad()
def equation_residuals(
    u: Float[Tensor, "batch channel *space"],
    problem: Problem,
    params: Float[Tensor, "batch param"] | None = None,
    coeffs: Float[Tensor, "batch coeff *space"] | None = None,
    mask: Float[Tensor, "batch field *space"] | None = None,
) -> Float[Tensor, "batch place equation"]:
    """The root mean square of each equation's residual over the points of each of `PLACES`; NaN where there are none.

    Args:
        u: forecasts, in physical units; +inf in all places where a sample has diverged.
        params: params of the samples, in the order of `Problem.params`.
        coeffs: input fields, in the order of `Problem.coeffs`.
        mask: 1 where each field exists. A field counts as zero elsewhere; points without any field are in no norm.

    >>> from pdekit.fields import Field
    >>> from pdekit.pdes import Darcy
    >>> grid = Grid((9, 9), (1.0, 1.0), layout=("nodes", "nodes"))
    >>> problem = Problem(grid, (Field("pressure"),), coeffs=(Field("permeability"),), pde=Darcy(source=4.0))
    >>> x, y = grid.mesh()
    >>> found = equation_residuals((-x * x - y * y)[None, None], problem, coeffs=torch.ones(1, 1, 9, 9))
    >>> bool(found[0, :2].max() < 1e-10), bool(found[0, 2].isnan())  # no interface
    (True, True)
    """
    u = u.double()
    if mask is not None:
        u = torch.where(mask > 0, u, 0.0)
    finite = torch.isfinite(u).flatten(1).all(1)
    u = torch.where(finite.reshape(-1, *[1] * (u.ndim - 1)), u, 0.0)
    pde, grid, _ = problem.at(None if params is None else params.double().to(u.device))
    named = {} if coeffs is None else zip([f.name for f in problem.coeffs], coeffs.double().split(1, 1), strict=True)
    d = FiniteDifference(grid, coeffs=dict(named))
    square = pde.residual(d.field(u), d).square()
    square = square.expand(len(u), *square.shape[1:])
    zones = zones_of(problem, coeffs, mask, u)
    weights = torch.stack([zones[name].expand(len(u), *grid.shape) for name in PLACES], 1).to(u).flatten(2)
    # "batch place point" x "batch point equation"
    total = weights @ square.flatten(2).transpose(1, 2)
    norm = (total / weights.sum(-1, keepdim=True)).sqrt()  # 0 / 0 is NaN: no such points
    return torch.where(finite.reshape(-1, 1, 1) | norm.isnan(), norm, math.inf)


def rmse_by_place(
    u: Float[Tensor, "batch channel *space"],
    reference: Float[Tensor, "batch channel *space"],
    problem: Problem,
    coeffs: Float[Tensor, "batch coeff *space"] | None = None,
    mask: Float[Tensor, "batch field *space"] | None = None,
) -> Float[Tensor, "batch place channel"]:
    """The root mean square error of each field over the points of each of `PLACES`, in its unit.

    The same points as those of `equation_residuals`, and of them those where the field exists; NaN where there are
    none, +inf in all places of a field that has diverged.

    >>> from pdekit.fields import Field
    >>> grid = Grid((9, 9), (1.0, 1.0), layout=("nodes", "nodes"))
    >>> problem = Problem(grid, (Field("pressure"),), coeffs=(Field("permeability"),))
    >>> x, _ = grid.mesh()
    >>> u = torch.where(x < 0.1, 2.0, 1.0)[None, None]  # an error at one end only
    >>> rmse_by_place(u, torch.ones(1, 1, 9, 9), problem, torch.ones(1, 1, 9, 9))[0, :, 0].round(decimals=2).tolist()
    [0.0, 0.53, nan]
    """
    there = torch.ones_like(reference, dtype=torch.bool) if mask is None else (mask > 0).expand_as(reference)
    error = torch.where(there, u.double() - reference.double(), 0.0)
    finite = torch.isfinite(error).flatten(2).all(-1)[:, None]
    square = torch.where(torch.isfinite(error), error, 0.0).square()
    zones = zones_of(problem, coeffs, mask, u)
    places = torch.stack([zones[name].expand(len(u), *u.shape[2:]) for name in PLACES], 1).unsqueeze(2)
    weights = (places & there.unsqueeze(1)).to(square).flatten(3)  # "batch place channel point"
    norm = ((weights * square.flatten(2).unsqueeze(1)).sum(-1) / weights.sum(-1)).sqrt()
    return torch.where(finite | norm.isnan(), norm, math.inf)


def zones_of(problem: Problem, coeffs: Tensor | None, mask: Tensor | None, like: Tensor) -> dict[str, Tensor]:
    """The points of each place: booleans that broadcast to "batch *space".

    Interfaces are the points within reach of the differences from a mask's edge or a coefficient's jump; the boundary
    is what lies next to an end of a bounded axis, else.
    """
    grid = problem.box
    inside = torch.ones(1, *grid.shape, dtype=torch.bool, device=like.device)
    interface = torch.zeros_like(inside)
    if mask is not None:
        there = mask > 0
        inside = there.any(1)
        for one in there.unbind(1):
            interface = interface | (near(one, grid, REACH) & near(~one, grid, REACH))
    for one in () if coeffs is None else coeffs.unbind(1):
        interface = interface | near(jumps(one, grid), grid, REACH)
    interface = interface & inside
    boundary = inside & (edge(problem, like) > 0) & ~interface
    return {"interior": inside & ~boundary & ~interface, "boundary": boundary, "interface": interface}


def jumps(values: Float[Tensor, "batch *space"], grid: Grid) -> Tensor:
    """True on both sides of a jump: neighbours that differ by more than half of the range of the sample.

    >>> jumps(torch.tensor([[3.0, 3.0, 12.0, 12.0]]), Grid((4,), (1.0,), layout=("cells",))).tolist()
    [[False, True, True, False]]
    """
    flat = values.flatten(1)
    limit = JUMP * (flat.amax(1) - flat.amin(1)).reshape(-1, *[1] * grid.ndim)
    found = torch.zeros_like(values, dtype=torch.bool)
    for axis, layout in enumerate(grid.layout):
        dim = 1 + axis
        leaps = (values - values.roll(-1, dim)).abs() > limit
        if layout != "periodic":  # the last point's neighbour is the first only if the axis wraps
            leaps.narrow(dim, grid.shape[axis] - 1, 1).fill_(False)
        found |= leaps | leaps.roll(1, dim)
    return found
