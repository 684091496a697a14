"""Uncertainty of an ensemble at the end of the rollout: coverage, spread against skill, structure between places.

Of n = 19 members, the interval between the j-th smallest and the j-th largest covers (n + 1 - 2 j) / (n + 1) if the
reference is drawn like a member: exactly 50 % for j = 5 and 90 % for j = 1. The damage is relative to what is right, so
that an ensemble without spread has the damage 1, which is the scale. Too much spread is seen by the coverage of 50 %
and by the spread: an interval of 90 % that holds everything has a damage of 0.11.

Source of the variogram score: Scheuerer and Hamill (2015), Monthly Weather Review 143, equation 6, with p = 0.5 and
unit weights over pairs of points that are 1, 2 and 4 cells apart along each axis. The damage is its distance from the
score that a member of the ensemble has against the others, and the scale is the score of persistence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from pdekit.checks.base import ONE_FORECAST, CheckRow
from pdekit.checks.ground import Forecaster, Ground
from pdekit.metrics.ensembles import skill, spread

MEMBERS = 19
INTERVALS = {50: 5, 90: 1}
"""Rank of the lower end of the interval of a coverage, in percent."""
APART = (1, 2, 4)
POWER = 0.5


def uncertainty_rows() -> tuple[CheckRow, ...]:
    """Return the rows of this group."""
    return (
        *(_coverage(percent) for percent in INTERVALS),
        _row("spread", "Is the spread of the members as large as their error?", _spread, _ones, _zeros),
        _row(
            "variogram",
            "Do differences between places vary as those of the reference?",
            _unlikely,
            lambda ground: variogram_score(_persistent(ground), ground.reference[:, -1], ground),
            _zeros,
        ),
    )


def _row(
    name: str,
    question: str,
    measure: Callable[[Tensor, Ground], Tensor],
    scale: Callable[[Ground], Tensor],
    floor: Callable[[Ground], Tensor],
) -> CheckRow:
    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        if not surrogate.model.stochastic:
            return ONE_FORECAST
        if ground.problem.has_mask or not ground.problem.grid.uniform:
            return "the fields exist in a part of the box only, or on points"
        return ""

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        members = ground.last_members(dataclasses.replace(forecaster, members=MEMBERS))
        found = measure(members.expand(MEMBERS, *members.shape[1:]), ground)
        finite = torch.isfinite(members).flatten(2).all(-1).all(0)
        return torch.where(finite, found, torch.inf)

    return CheckRow(f"uncertainty.{name}", question, value, scale, excluded, floor)


def _coverage(percent: int) -> CheckRow:
    low, wanted = INTERVALS[percent], percent / 100

    def measure(members: Tensor, ground: Ground) -> Tensor:
        ordered = members.sort(0).values
        reference = ground.reference[:, -1]
        inside = (ordered[low - 1] <= reference) & (reference <= ordered[MEMBERS - low])
        return (inside.double().flatten(1).mean(1) - wanted).abs() / wanted

    question = f"Does the middle {percent} % of the members hold the reference in {percent} % of the places?"
    return _row(f"coverage_{percent}", question, measure, _ones, _zeros)


def _spread(members: Tensor, ground: Ground) -> Tensor:
    u, reference = members[:, :, None], ground.reference[:, -1:]
    wide, wrong = (
        (measure(u, reference, ground.problem)[:, 0] / ground.unit).square().mean(1).sqrt()
        for measure in (spread, skill)
    )
    return (wide - wrong).abs() / wrong


def _unlikely(members: Tensor, ground: Ground) -> Tensor:
    """Return |score of the reference - mean score of a member against the others|: 0 if it is drawn like a member."""
    others = [torch.cat([members[:m], members[m + 1 :]]) for m in range(MEMBERS)]
    own = [variogram_score(rest, members[m], ground) for m, rest in enumerate(others)]
    return (variogram_score(members, ground.reference[:, -1], ground) - torch.stack(own).mean(0)).abs()


def variogram_score(members: Tensor, reference: Tensor, ground: Ground) -> Tensor:
    """mean over pairs of (mean over members of |u_i - u_j|^p - |r_i - r_j|^p)^2, in units of the fields, "batch"."""
    unit = ground.unit.reshape(-1, *[1] * ground.problem.ndim)
    u, r = members / unit, reference / unit
    total = torch.zeros(r.shape[0], dtype=torch.float64)
    for axis in range(ground.problem.ndim):
        for cells in (cells for cells in APART if cells < r.shape[2 + axis]):
            wrong = differences(u, 3 + axis, cells).mean(0) - differences(r, 2 + axis, cells)
            total = total + wrong.square().flatten(1).mean(1)
    return total


def differences(u: Tensor, dim: int, cells: int) -> Tensor:
    """Return |u_i - u_j|^p of points that are so many cells apart along a dimension."""
    n = u.shape[dim] - cells
    return (u.narrow(dim, cells, n) - u.narrow(dim, 0, n)).abs() ** POWER


def _persistent(ground: Ground) -> Tensor:
    return ground.frames(ground.baseline, ground.horizon)[:, -1].expand(MEMBERS, *[-1] * (2 + ground.problem.ndim))


def _ones(ground: Ground) -> Tensor:
    return torch.ones(len(ground.given), dtype=torch.float64)


def _zeros(ground: Ground) -> Tensor:
    return torch.zeros(len(ground.given), dtype=torch.float64)
