"""Following and rest: the reference, closed forms, uniform states and the zero state.

The damage is the distance from what is right: the stored frames, a closed form, or what the reference solver makes of
a uniform state at half its step. Persistence, which does not move, gives the scale.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from pdekit.checks.base import CheckRow, missed_after
from pdekit.checks.ground import Forecaster, Ground
from pdekit.checks.symmetry import needs_free_start
from pdekit.fields import Problem
from pdekit.models.baselines.simulator import changed_solver
from pdekit.pdes.base import ExactSolution

SAME_BOX = 1e-6
"""Largest relative difference of two lengths that are meant to be one."""


def rest_rows() -> tuple[CheckRow, ...]:
    """Return the rows of this group."""
    return (
        _followed("rest.step", "Does one step follow the reference?", 1),
        _followed("rest.rollout", "Does the rollout follow the reference?", None),
        _closed_form(),
        _limit("rest.uniform", "Does a uniform state evolve as the equation says?", _uniform),
        _limit("rest.zero", "Does the zero state evolve as the equation says?", torch.zeros_like),
    )


def _followed(name: str, question: str, steps: int | None) -> CheckRow:
    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        n = steps or ground.horizon
        return ground.distance(ground.frames(forecaster, n)[:, -1], ground.reference[:, n - 1])

    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        return "the reference is one frame" if steps is None and ground.horizon == 1 else ""

    return CheckRow(name, question, value, missed_after(steps), excluded)


def _closed_form() -> CheckRow:
    """Return the row of a closed form of the equation on the box of the data, over one step."""

    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        reason = needs_free_start(ground)
        if reason or ground.problem.params:
            return reason or "parameters vary from state to state"
        return "" if _fitting(ground.problem) else "no closed form of the equation is known on this box"

    def frames(ground: Ground, t: Tensor) -> Tensor:
        solution = _fitting(ground.problem)[0]
        box = solution.grid(*ground.problem.box.shape)  # with its own lower corner
        made = [solution.on(box, float(time)) for time in t]
        return torch.stack(made, 1).expand(len(ground.given), *[-1] * (2 + ground.problem.ndim))

    def times(ground: Ground) -> tuple[Tensor, Tensor]:
        start = ground.given.t[0].double() - float(ground.given.t[0, 0])
        return start, start[-1:] + ground.times[0, :1].double() - float(ground.given.t[0, -1])

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        before, after = times(ground)
        found = forecaster(ground.starting(frames(ground, before)), ground.times[:, :1])
        return ground.distance(found[:, -1], frames(ground, after)[:, -1])

    return CheckRow(
        "rest.closed_form",
        "Does one step follow a closed form of the equation?",
        value,
        missed_after(1),
        excluded,
    )


def _fitting(problem: Problem) -> list[ExactSolution]:
    """Closed forms that are periodic on the box of a problem."""
    if problem.pde is None or not problem.box.periodic:
        return []
    lengths = [float(length) for length in problem.box.extent]
    return [
        solution
        for solution in problem.pde.exact()
        if solution.periodic
        and len(solution.extent) == len(lengths)
        and all(abs(a - b) <= SAME_BOX * b for a, b in zip(solution.extent, lengths, strict=True))
    ]


def _limit(name: str, question: str, state: Callable[[Tensor], Tensor]) -> CheckRow:
    """Return the row of a state without structure; the truth is the reference solver's at half its step."""

    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        return needs_free_start(ground)

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        assert ground.solver is not None  # the solver decides
        start, times = ground.starting(state(ground.given.u)), ground.times[:, :1]
        truth = finer(ground.solver)(start, times)[:, -1]
        return ground.distance(forecaster(start, times)[:, -1], truth)

    return CheckRow(name, question, value, missed_after(1), excluded, solver_decides=True)


def _uniform(u: Tensor) -> Tensor:
    """Return the mean over space of each field of each state."""
    space = tuple(range(3, u.ndim))
    return u.mean(space, keepdim=True).expand_as(u).clone() if space else u


def finer(solver: Forecaster) -> Forecaster:
    """Return the reference solver with half its step."""
    return dataclasses.replace(solver, model=changed_solver(solver.model, time=2.0))
