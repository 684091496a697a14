"""Budgets: d stored/dt next to the rates at which the terms of the equation change the stored quantity."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus.base import per_sample
from pdekit.fields import Problem
from pdekit.metrics.physics import at_frames
from pdekit.metrics.quadrature import diverged_as


def budgets_hold(problem: Problem) -> bool:
    """Return whether what the equation says of its budgets holds in the box: it is periodic, or has the walls that the
    equation means. Not with a mask."""
    at_walls = problem.pde is not None and problem.pde.budgets_at_walls
    return not problem.has_mask and (problem.box.periodic or at_walls)


@torch.no_grad()
def budgets(
    u: Float[Tensor, "batch time channel *space"], problem: Problem, params: Float[Tensor, "batch param"] | None = None
) -> dict[str, tuple[Float[Tensor, "batch time"], dict[str, Float[Tensor, "batch time"]]]]:
    """Return each stored quantity and its rates by name (`PDE.budgets`), at every frame; +inf if diverged.

    Empty where the equation declares none.

    >>> from math import pi
    >>> from pdekit.fields import Field, Grid
    >>> from pdekit.pdes import Diffusion
    >>> problem = Problem(Grid((8,), (2 * pi,)), (Field("u"),), dt=0.1, n_frames=3, pde=Diffusion(diffusivity=0.5))
    >>> u = torch.sin(problem.grid.coordinates(0)).expand(1, 3, 1, 8)
    >>> stored, rates = budgets(u, problem)["variance"]
    >>> round((rates["dissipation"] / stored)[0, 0].item(), 12)  # the square of a wave decays at twice its rate
    -1.0
    """
    pde, grid, flat = at_frames(u, problem, params)
    found = pde.budgets(flat, grid)

    def frames(values: Tensor) -> Tensor:
        return diverged_as(math.inf, values.unflatten(0, u.shape[:2]))

    return {
        name: (frames(budget.stored), {term: frames(rate) for term, rate in budget.rates.items()})
        for name, budget in found.items()
    }


def imbalance(
    stored: Float[Tensor, "batch time"], rates: dict[str, Float[Tensor, "batch time"]], dt: Any
) -> tuple[Float[Tensor, "batch inner"], Float[Tensor, "batch inner"]]:
    """d stored/dt (a central difference over frames) less the sum of the rates, and the sum of their sizes: its scale.

    Both at all frames but the first and the last; the imbalance is signed, +inf where a neighbour has diverged. Like a
    residual it does not vanish for a solution: that of the reference on the same frames is its floor.

    Args:
        stored, rates: from `budgets`.
        dt: time between frames, a number or "batch 1 *1".
    """
    change = (stored[:, 2:] - stored[:, :-2]) / (2 * per_sample(dt, 2))
    inner = [rate[:, 1:-1] for rate in rates.values()]
    total, size = sum(inner, torch.zeros_like(change)), sum((rate.abs() for rate in inner), torch.zeros_like(change))
    return diverged_as(math.inf, change - total), diverged_as(math.inf, size)
