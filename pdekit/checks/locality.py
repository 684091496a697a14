"""Locality: a kick at one place does not arrive where that of the reference solver cannot be yet.

The kick is a Gaussian in the middle of the box. The region that it has not reached after one frame is that in which the
response of the reference solver is below a thousandth of its largest value. The damage is the size of the surrogate's
response there, in shares of the size of the whole response of the solver; the scale is that whole response.

Limits: where waves cross the whole box within a frame no statement is possible. A spectral solver of a conservation law
would ring everywhere; those of pdekit are finite volumes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pdekit.checks.base import CheckRow
from pdekit.checks.ground import Forecaster, Ground
from pdekit.checks.symmetry import needs_free_start
from pdekit.fields import Grid

WIDTH = 2.0
"""Radius of the kick in cells."""
HEIGHT = 0.5
"""Height of the kick in deviations of the first field."""
ARRIVED = 1e-3
"""Share of the largest response at which the kick has arrived."""
FREE = 0.1
"""Share of the box that the kick must not have reached."""


def locality_rows() -> tuple[CheckRow, ...]:
    """Return the row of this group."""

    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        return needs_free_start(ground) or ("" if ground.problem.ndim else "a system without space")

    def response(forecaster: Forecaster, ground: Ground) -> Tensor:
        kick = HEIGHT * ground.unit[0] * bump(ground.problem.box)
        kicked = ground.given.u.clone()
        kicked[:, :, 0] += kick
        with_kick = forecaster(ground.starting(kicked), ground.times[:, :1])[:, -1]
        return (with_kick - ground.frames(forecaster, 1)[:, -1]) / ground.unit.reshape(-1, *[1] * ground.problem.ndim)

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        assert ground.solver is not None  # the solver decides
        theirs = response(ground.solver, ground).square().sum(1)
        largest = theirs.flatten(1).amax(1).reshape(-1, *[1] * ground.problem.ndim)
        away = theirs < ARRIVED**2 * largest
        if float(away.double().mean()) < FREE:
            raise ValueError("the kick reaches the whole box within a frame; compare frames that are closer in time")
        mine = response(forecaster, ground).square().sum(1)
        found = ((mine * away).flatten(1).sum(1) / theirs.flatten(1).sum(1)).sqrt()
        return torch.where(torch.isfinite(found), found, torch.inf)

    def scale(ground: Ground) -> Tensor:
        return torch.ones(len(ground.given), dtype=torch.float64)

    question = "Does a kick stay where the reference solver's stays within a frame?"
    return (CheckRow("locality.kick", question, value, scale, excluded, solver_decides=True),)


def bump(grid: Grid) -> Tensor:
    """Return exp(-r^2 / 2) about the middle of the box, r being the distance in units of `WIDTH` cells."""
    square = torch.zeros(grid.shape, dtype=torch.float64)
    for axis, n in enumerate(grid.shape):
        r = (torch.arange(n, dtype=torch.float64) - n // 2) / WIDTH
        square = square + r.square().reshape([-1 if a == axis else 1 for a in range(grid.ndim)])
    return torch.exp(-square / 2)
