"""Whether a forecast obeys its equation: the norm of the residual, beside that of the reference on the same frames.

The residual is that of the equation itself (`PDE.residual`) with spectral derivatives on periodic boxes, and finite
differences of order 4 on bounded ones; the time derivative is a central difference over frames. Its error does not
vanish for the exact solution: the residual of the reference on the same frames is the *floor*, under which nothing is
known of a forecast. Where frames are far apart the floor is as large as the terms of the equation.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus import FiniteDifference, Fourier
from pdekit.fields import Grid, Problem
from pdekit.metrics.quadrature import average, diverged_as


def has_residual(problem: Problem) -> bool:
    """Whether the residual is defined: an equation in time on a box, whose unknowns and inputs the fields determine."""
    pde = problem.pde
    if pde is None or problem.n_frames < 3 or not isinstance(problem.grid, Grid) or not problem.grid.shape:
        return False
    if problem.coeffs or problem.forcing or problem.has_mask or len(pde.fields) != len(problem.fields):
        return False
    return problem.grid.periodic or not pde.auxiliary


@torch.no_grad()
def residual_norm(
    u: Float[Tensor, "batch time channel *space"], problem: Problem, params: Float[Tensor, "batch param"] | None = None
) -> tuple[Float[Tensor, "batch inner"], Float[Tensor, "batch inner"]]:
    """sqrt(<residual^2>) over all equations and points, and the same of the time derivative, which is its scale.

    Args:
        u: at least three neighbouring frames.
        params: of the samples, in the order of `Problem.params`.

    Returns:
        Norms at all frames but the first and the last, +inf where one of the neighbours has diverged. In the unit of
        the fields per unit of time.

    >>> from math import pi
    >>> from pdekit.fields import Field
    >>> from pdekit.pdes import Diffusion
    >>> problem = Problem(Grid((16,), (2 * pi,)), (Field("u"),), dt=0.01, n_frames=3, pde=Diffusion(diffusivity=1.0))
    >>> wave = torch.sin(problem.grid.coordinates(0))
    >>> u = torch.stack([math.exp(-0.01 * n) * wave for n in range(3)])[None, :, None]
    >>> norm, scale = residual_norm(u, problem)
    >>> bool(norm < 1e-4 * scale)
    True
    """
    if u.shape[1] < 3:
        raise ValueError(f"expected at least 3 frames for a residual, got {u.shape[1]}; give the neighbours too")
    u = u.double()
    batch, frames = u.shape[:2]
    params = None if params is None else params.double().to(u.device)
    repeated = None if params is None else params.repeat_interleave(frames, 0)
    pde, grid, _ = problem.at(repeated)
    _, _, dt = problem.at(params)
    d = _calculus(grid, frames, dt, u)
    field = d.field(u.flatten(0, 1))
    parts = (_samples(pde.residual(field, d)), _samples(d.t(field)))

    def norm(square: Tensor) -> Tensor:
        mean = average(square.unsqueeze(1), problem).flatten(1).mean(-1)
        return mean.sqrt().unflatten(0, (batch, frames))[:, 1:-1]

    residual, scale = (norm(part**2) for part in parts)
    return diverged_as(math.inf, residual), diverged_as(math.inf, scale)


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


def _calculus(grid: Grid, frames: int, dt: Any, u: Tensor) -> Fourier | FiniteDifference:
    if grid.periodic:
        return Fourier(grid, u.dtype, u.device, frames=frames, dt=dt)
    return FiniteDifference(grid, frames=frames, dt=dt)


def _samples(field: Any) -> Tensor:
    return field if torch.is_tensor(field) else field.samples
