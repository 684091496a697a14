"""Conservation and sign: invariants, dissipated integrals, budgets, divergence, boundary conditions, bounds.

Persistence keeps every integral, so that its own value proves nothing. The scale of an integral I is its *reach*, the
integral of |dI/du| |change of the field|: how far a change of the true size could move I if it acted in one direction
everywhere. For the mass this is the integral of |change|, for an energy that of |u| |change|.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pdekit.calculus.projections import vectors
from pdekit.checks.base import CheckRow
from pdekit.checks.ground import Forecaster, Ground
from pdekit.fields import Grid, Problem
from pdekit.metrics.boundary import EndInputs, boundary_violation, known_ends, named_forcing
from pdekit.metrics.budgets import budgets, budgets_hold
from pdekit.metrics.incompressible import divergence
from pdekit.metrics.quadrature import average
from pdekit.models.base import time_steps
from pdekit.pdes.base import PDE

Integral = Callable[[Any, Tensor, Grid], Tensor]
"""(equation, frames "batch channel *space", grid) -> "batch"."""


def conservation_rows(problem: Problem) -> tuple[CheckRow, ...]:
    """Return the rows of a problem: one for each integral that its equation names, and those of all problems."""
    return (*integral_rows(problem), _divergence(), _boundary(), _bounds())


def integral_rows(problem: Problem) -> Sequence[CheckRow]:
    """Return the rows of invariants, of dissipated integrals and of budgets, by their names in the equation."""
    pde: Any = problem.pde
    if pde is None or not problem.grid.uniform or problem.steady or problem.has_mask:
        return ()
    ones = torch.ones(1, problem.n_channels, *problem.grid.shape, dtype=torch.float64)
    rows = [_kept(name) for name in pde.invariants(ones, problem.grid)]
    rows += [_never_grows(name) for name in pde.dissipated(ones, problem.grid)]
    return [*rows, *(_budget(name) for name in (pde.budgets(ones, problem.grid) if budgets_hold(problem) else ()))]


def _kept(name: str) -> CheckRow:
    def integral(pde: PDE, u: Tensor, grid: Grid) -> Tensor:
        return pde.invariants(u, grid)[name]

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        last = ground.frames(forecaster, ground.horizon)[:, -1]
        change = at(integral, last, ground) - at(integral, ground.given.u[:, -1], ground)
        return change.abs()

    return CheckRow(
        f"conservation.{_word(name)}",
        f"Does the rollout keep {name}?",
        value,
        lambda ground: reach(integral, ground, ground.horizon),
    )


def _never_grows(name: str) -> CheckRow:
    def integral(pde: PDE, u: Tensor, grid: Grid) -> Tensor:
        return pde.dissipated(u, grid)[name]

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        frames = torch.cat([ground.given.u[:, -1:], ground.frames(forecaster, ground.horizon)], 1)
        values = torch.stack([at(integral, frame, ground) for frame in frames.unbind(1)], 1)
        return values.diff(dim=1).clamp_min(0).sum(1)

    return CheckRow(
        f"dissipation.{_word(name)}",
        f"Does {name} never grow?",
        value,
        lambda ground: reach(integral, ground, ground.horizon),
    )


def _budget(name: str) -> CheckRow:
    """Return the row of a budget: the change of the stored integral over a step, in shares of all that flows."""

    def stored(pde: PDE, u: Tensor, grid: Grid) -> Tensor:
        return pde.budgets(u, grid)[name].stored

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        last = ground.frames(forecaster, 1)[:, -1]
        return (at(stored, last, ground) - at(stored, ground.reference[:, 0], ground)).abs()

    def scale(ground: Ground) -> Tensor:
        frames = torch.stack([ground.given.u[:, -1], ground.reference[:, 0]], 1)
        rates = budgets(frames, ground.problem, ground.given.params)[name][1].values()
        flow = sum((rate.abs().mean(1) for rate in rates), torch.zeros(len(frames), dtype=torch.float64))
        return flow * time_steps(ground.problem, ground.given)

    return CheckRow(
        f"budget.{_word(name)}", f"Does {name} change over a step as its sources and sinks say?", value, scale
    )


def at(integral: Integral, u: Tensor, ground: Ground) -> Tensor:
    """Return an integral of frames "batch channel *space" with the parameters of their states, "batch"."""
    params = None if ground.given.params is None else ground.given.params.double()
    pde, grid, _ = ground.problem.at(params)
    return integral(pde, u.double(), grid)


def reach(integral: Integral, ground: Ground, n: int) -> Tensor:
    """Sum over points and fields of |dI/du| |u(n) - u(0)|, dI/du being that of the first frame, "batch"."""
    start = ground.given.u[:, -1].double()
    with torch.enable_grad():
        u = start.clone().requires_grad_()
        (slope,) = torch.autograd.grad(at(integral, u, ground).sum(), u)
    return (slope.abs() * (ground.reference[:, n - 1] - start).abs()).flatten(1).sum(1)


def _divergence() -> CheckRow:
    """Return the row of vectors that are free of divergence; the scale is that of unrelated components."""

    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        return "" if vectors(ground.problem) else "no field is a vector with a component for each axis"

    def worst(u: Tensor, ground: Ground) -> Tensor:
        return divergence(u[:, None], ground.problem, ground.given.params)[:, 0].amax(-1)

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        return worst(ground.frames(forecaster, ground.horizon)[:, -1], ground)

    def scale(ground: Ground) -> Tensor:
        u = ground.reference[:, -1].clone()
        for channel in range(u.shape[1]):
            u[:, channel] = u[:, channel].roll(channel * (u.shape[-1] // 3), -1)
        return worst(u, ground)

    question = "Are velocities free of divergence at the end of the rollout?"
    return CheckRow("conservation.divergence", question, value, scale, excluded, solver_decides=True)


def _boundary() -> CheckRow:
    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        return "" if known_ends(ground.problem) else "no end of an axis prescribes a value"

    def inputs(ground: Ground, n: int) -> EndInputs:
        forcing = ground.given.forcing
        if forcing is not None and named_forcing(ground.problem):
            history = ground.given.u.shape[1]
            forcing = forcing[:, history + n - 1 : history + n]
        return EndInputs(ground.times[:, n - 1 : n], ground.given.coeffs, forcing)

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        last = ground.frames(forecaster, ground.horizon)[:, -1:]
        found = boundary_violation(last, ground.problem, inputs(ground, ground.horizon))[:, 0]
        return (found / ground.unit).square().mean(1).sqrt()

    def floor(ground: Ground) -> Tensor:
        found = boundary_violation(ground.reference[:, -1:], ground.problem, inputs(ground, ground.horizon))[:, 0]
        return (found / ground.unit).square().mean(1).sqrt()

    question = "Does the last frame obey the conditions at the ends of the axes?"
    return CheckRow("conservation.boundary", question, value, lambda g: g.missed(g.horizon), excluded, floor)


def _bounds() -> CheckRow:
    """Return the row of bounds that the equation declares: how far the rollout leaves them."""

    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        pde: Any = ground.problem.pde
        return "" if pde is not None and pde.bounds() else "the equation declares no bounds"

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        frames = ground.frames(forecaster, ground.horizon)
        beyond = torch.zeros_like(frames)
        for channel, field in enumerate(ground.problem.fields):
            low, high = ground.problem.pde.bounds().get(field.name, (-torch.inf, torch.inf))
            u = frames[:, :, channel] / ground.unit[channel]
            low, high = (float(end / ground.unit[channel]) for end in (low, high))
            beyond[:, :, channel] = (low - u).clamp_min(0) + (u - high).clamp_min(0)
        total = average(beyond**2, ground.problem, ground.mask).amax(1).sum(1)
        return torch.where(torch.isfinite(total), total.sqrt(), torch.inf)

    question = "Do the fields stay within the bounds of the equation?"
    return CheckRow("conservation.bounds", question, value, lambda g: g.missed(g.horizon), excluded)


def _word(name: str) -> str:
    return name.replace(" ", "_")
