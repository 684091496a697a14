"""Residual of the equation of a forecast: its norm, next to that of the reference on the same frames.

The residual is that of the equation itself (`PDE.residual`) with spectral derivatives on periodic boxes, and finite
differences of order 4 on bounded ones; the time derivative is a central difference over frames. Its error does not
vanish for the exact solution: the residual of the reference on the same frames is the *floor*, under which nothing is
known of a forecast. Where frames are far apart the floor is as large as the terms of the equation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus import FiniteDifference, Fourier
from pdekit.fields import Grid, Problem
from pdekit.metrics.quadrature import average, diverged_as, edge

PLACES = ("interior", "boundary", "interface")
"""Regions of a residual: next to an end of a bounded axis, else next to the edge of the mask, else neither."""

REACH = 2
"""Points that a difference of order 4 looks at to either side: so near to the edge of a mask is its interface."""


@dataclass(frozen=True)
class Residual:
    """Norms of a residual, "batch inner", at all frames but the first and the last.

    Args:
        norm: sqrt(<residual^2>) over all equations and points.
        scale: the same of the time derivative.
        places: the same as ``norm`` over the points of each of `PLACES` that the problem has.
    """

    norm: Tensor
    scale: Tensor
    places: dict[str, Tensor]


def has_residual(problem: Problem) -> bool:
    """True if the residual is defined: an equation in time on a box whose unknowns and inputs the fields determine."""
    pde = problem.pde
    if pde is None or problem.n_frames < 3 or not problem.on_box:
        return False
    if problem.coeffs or pde.coeffs or problem.forcing or len(pde.fields) != len(problem.fields):
        return False
    return (problem.grid.periodic and not problem.has_mask) or not pde.auxiliary


def places_of(problem: Problem) -> tuple[str, ...]:
    """Those of `PLACES` that a problem has; none if there is only an interior."""
    if not problem.grid.uniform:
        return ()
    bounded, masked = not problem.grid.periodic, problem.has_mask
    return ("interior", *(("boundary",) if bounded else ()), *(("interface",) if masked else ())) * (bounded or masked)


@torch.no_grad()
def residual(
    u: Float[Tensor, "batch time channel *space"],
    problem: Problem,
    params: Float[Tensor, "batch param"] | None = None,
    mask: Float[Tensor, "batch field *space"] | None = None,
) -> Residual:
    """Norms of the residual of the equation for a forecast; +inf where one of the neighbouring frames has diverged.

    Args:
        u: at least three neighbouring frames.
        params: params of the samples, in the order of `Problem.params`.
        mask: 1 where the equation holds. Outside, the field counts as zero and is in no norm. The residual of the
            reference next to the mask shows the error of this assumption.

    Returns:
        In the unit of the fields per unit of time.

    >>> from math import pi
    >>> from pdekit.fields import Field
    >>> from pdekit.pdes import Diffusion
    >>> problem = Problem(Grid((16,), (2 * pi,)), (Field("u"),), dt=0.01, n_frames=3, pde=Diffusion(diffusivity=1.0))
    >>> wave = torch.sin(problem.grid.coordinates(0))
    >>> u = torch.stack([math.exp(-0.01 * n) * wave for n in range(3)])[None, :, None]
    >>> found = residual(u, problem)
    >>> bool(found.norm < 1e-4 * found.scale)
    True
    """
    if u.shape[1] < 3:
        raise ValueError(
            f"expected at least 3 frames for a residual, got {u.shape[1]}; give the frames before and after, too"
        )
    frames = u.shape[1]
    if mask is not None:
        u = torch.where((mask > 0).unsqueeze(1), u, torch.zeros((), dtype=u.dtype, device=u.device))
    pde, grid, flat = at_frames(u, problem, params)
    _, _, dt = problem.at(None if params is None else params.double().to(u.device))
    d = _calculus(grid, frames, dt, flat, mask is not None)
    field = d.field(flat)
    left, rate = (
        _samples(part).square().mean(1).unflatten(0, u.shape[:2])[:, 1:-1]
        for part in (pde.residual(field, d), d.t(field))
    )
    where = points_of_places(problem, mask, left)

    def norm(square: Tensor, points: Tensor | None) -> Tensor:
        only = None if points is None else points.to(square).expand(len(square), *grid.shape).unsqueeze(1)
        return diverged_as(math.inf, average(square.unsqueeze(2), problem, only)[..., 0].sqrt())

    inside = None if mask is None else (mask > 0).all(1)
    return Residual(norm(left, inside), norm(rate, inside), {name: norm(left, where[name]) for name in where})


def points_of_places(problem: Problem, mask: Tensor | None, like: Tensor) -> dict[str, Tensor]:
    """The points of each place that a problem has: booleans "1 *space", with a mask "batch *space"."""
    names = places_of(problem)
    if not names:
        return {}
    inside = torch.ones(1, *problem.grid.shape, dtype=torch.bool, device=like.device)
    if mask is not None:
        inside = (mask > 0).all(1)
    boundary = inside & (edge(problem, like) > 0)
    interface = inside & near(~inside, problem.box, REACH) & ~boundary
    found = {"interior": inside & ~boundary & ~interface, "boundary": boundary, "interface": interface}
    return {name: found[name] for name in names}


def near(points: Tensor, grid: Grid, reach: int) -> Tensor:
    """True where one of `points`, "batch *space", lies at most `reach` points away along an axis."""
    found = points.clone()
    for axis, layout in enumerate(grid.layout):
        dim, n = axis - grid.ndim, grid.shape[axis]
        for shift in range(1, min(reach, n - 1) + 1):
            for sign in (shift, -shift):
                rolled = points.roll(sign, dim)
                if layout != "periodic":  # what came around the end is no neighbour
                    rolled = rolled.clone()
                    rolled.narrow(dim, 0 if sign > 0 else n - shift, shift).fill_(False)
                found |= rolled
    return found


@torch.no_grad()
def kept_integrals(
    u: Float[Tensor, "batch time channel *space"], problem: Problem, params: Float[Tensor, "batch param"] | None = None
) -> dict[str, Float[Tensor, "batch time"]]:
    """Integrals over the box that the equation keeps, or never lets grow, by name and for each frame; inf if diverged.

    Names are those of `PDE.invariants` and `PDE.dissipated`; empty where the equation declares none.
    """
    pde, grid, flat = at_frames(u, problem, params)
    found = pde.dissipated(flat, grid) | pde.invariants(flat, grid)
    return {name: diverged_as(math.inf, value.unflatten(0, u.shape[:2])) for name, value in found.items()}


def at_frames(u: Tensor, problem: Problem, params: Tensor | None) -> tuple[Any, Grid, Tensor]:
    """Equation and grid with the parameters of each frame, and the frames as one batch, in float64."""
    repeated = None if params is None else params.double().to(u.device).repeat_interleave(u.shape[1], 0)
    pde, grid, _ = problem.at(repeated)
    return pde, grid, u.double().flatten(0, 1)


def _calculus(grid: Grid, frames: int, dt: Any, u: Tensor, masked: bool) -> Fourier | FiniteDifference:
    if grid.periodic and not masked:
        return Fourier(grid, u.dtype, u.device, frames=frames, dt=dt)
    return FiniteDifference(grid, frames=frames, dt=dt)


def _samples(field: Any) -> Tensor:
    return field if torch.is_tensor(field) else field.samples
