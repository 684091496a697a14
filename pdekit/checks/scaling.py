"""Scaling of the operator: F of a scaled state against the scaled F(u), over one step.

The equation declares a scaling by exponents, `PDE.scaling`: fields, parameters and the step between frames are
multiplied by powers of one number. A parameter that it changes must be an input of the model, unless it is zero. As for
other symmetries, the scale of the damage is the error of persistence.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from pdekit.checks.base import CheckRow, missed_after
from pdekit.checks.ground import Forecaster, Ground
from pdekit.checks.symmetry import needs_free_start
from pdekit.fields import Problem
from pdekit.metrics.boundary import known_ends

FACTOR = 1.25
"""The number whose powers scale a state."""


def scaling_rows() -> tuple[CheckRow, ...]:
    """Return the row of this group."""

    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        problem = ground.problem
        reason = needs_free_start(ground)
        if reason or problem.pde is None or problem.pde.scaling() is None:
            return reason or "the equation declares no scaling"
        if known_ends(problem):
            return "an end of an axis prescribes a value, which a scaled state does not have"
        fixed = [name for name in changed(problem) if name not in problem.params]
        if fixed:
            return f"the scaling changes {' and '.join(fixed)}, which the model is not given"
        return "" if _known(ground) else "the scaled parameters lie outside of the training range"

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        last, times = ground.given.t[:, -1:].double(), ground.times[:, :1]
        slower = FACTOR ** ground.problem.pde.scaling().get("dt", 0.0)
        start = dataclasses.replace(
            ground.starting(scaled(ground.given.u, ground.problem)),
            t=last + slower * (ground.given.t.double() - last),
            params=None if ground.given.params is None else scaled_params(ground.given.params, ground.problem),
        )
        found = forecaster(start, last + slower * (times - last))
        return ground.distance(found[:, -1], scaled(ground.frames(forecaster, 1), ground.problem)[:, -1])

    question = "Does a step commute with a scaling of the equation?"
    return (CheckRow("symmetry.scale", question, value, missed_after(1), excluded),)


def changed(problem: Problem) -> list[str]:
    """Return the parameters, and ``dt``, that the scaling of a problem's equation changes."""
    fields = {field.name for field in problem.fields}
    exponents = {name: power for name, power in problem.pde.scaling().items() if power and name not in fields}
    return [name for name in exponents if name in (*problem.params, "dt") or getattr(problem.pde, name) != 0]


def scaled(u: Tensor, problem: Problem) -> Tensor:
    """Return frames "batch time channel *space" with each field times its power of `FACTOR`."""
    exponents = problem.pde.scaling()
    powers = torch.tensor([FACTOR ** exponents.get(field.name, 0.0) for field in problem.fields], dtype=u.dtype)
    return u * powers.reshape(-1, *[1] * problem.ndim)


def scaled_params(params: Tensor, problem: Problem) -> Tensor:
    """Return parameters "batch param", each times its power of `FACTOR`."""
    exponents = problem.pde.scaling()
    return params * torch.tensor([FACTOR ** exponents.get(name, 0.0) for name in problem.params], dtype=params.dtype)


def _known(ground: Ground) -> bool:
    """Return False if scaled parameters leave the box of the training split, where that is known."""
    if ground.given.params is None or ground.training is None or ground.training.params is None:
        return True
    touched = [i for i, name in enumerate(ground.problem.params) if name in changed(ground.problem)]
    after = scaled_params(ground.given.params.double(), ground.problem)[:, touched]
    known = ground.training.params[:, touched]
    return bool(((known.amin(0) <= after) & (after <= known.amax(0))).all())
