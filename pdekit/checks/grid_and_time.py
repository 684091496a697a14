"""Grid and time: the same forecast on other grids, in other steps, and for a long time.

On another grid the damage is |R F'(u') - R F(u)|: F' is the same model on the other grid, u' the same state there, and
R brings both to the coarser of the two grids. The scale is the error of persistence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pdekit.calculus.remap import remap
from pdekit.calculus.resample import bring
from pdekit.checks.base import CheckRow, missed_after
from pdekit.checks.ground import Forecaster, Ground
from pdekit.checks.symmetry import needs_free_start
from pdekit.fields import Grid, Trajectory
from pdekit.metrics.quadrature import average, joint

SMALLEST = 4
SIZES: dict[str, tuple[str, Callable[[int], int]]] = {
    "odd": ("an odd number of points", lambda n: n + 1 + n % 2),
    "even": ("another even number of points", lambda n: n + 2 - n % 2),
    "half": ("half of the points", lambda n: max(SMALLEST, n // 2)),
    "finer": ("1.5 times the points", lambda n: 2 * round(0.75 * n)),
}
"""Other grids by name: words for the question, and the points of an axis of n."""


def grid_rows() -> tuple[CheckRow, ...]:
    """Return the rows of other grids, of other steps, and of the long rollout."""
    return (*(_grid(name) for name in SIZES), _two_steps(), _long())


def _grid(name: str) -> CheckRow:
    words, size = SIZES[name]

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        problem, times = ground.problem, ground.times[:, :1]
        own = problem.box
        other = other_grid(own, size)
        averages = problem.pde is not None and problem.pde.averages

        def brought(u: Tensor, before: Grid, after: Grid) -> Tensor:
            flat, shape = u.flatten(0, 1), after.shape
            moved = remap(flat, shape, before.layout) if averages else bring(flat, before, shape)
            return moved.unflatten(0, u.shape[:2])

        start = ground.starting(brought(ground.given.u, own, other))
        there = on_other_points(forecaster, other.shape, start, times)
        here = ground.frames(forecaster, 1)
        coarser = other if other.shape[0] < own.shape[0] else own
        a, b = brought(there, other, coarser)[:, -1], brought(here, own, coarser)[:, -1]
        return ground.distance(a, b, dataclasses.replace(problem, grid=coarser))

    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        if not ground.problem.ndim:
            return "a system without space has no grid"
        if other_grid(ground.problem.box, size) == ground.problem.box:
            return f"the grid has no axis of more than {SMALLEST} intervals, and {words} are the same grid"
        return needs_free_start(ground)

    question = f"Is a step the same with {words}?"
    return CheckRow(f"grid.{name}", question, value, missed_after(1), excluded, solver_decides=True)


def on_other_points(forecaster: Forecaster, shape: Sequence[int], start: Trajectory, times: Tensor) -> Tensor:
    """Return the forecast of the same forecaster on another grid.

    Raises:
        ValueError: if its model refuses that grid, or its layers do not fit there.
    """
    try:
        return forecaster.at(shape)(start, times)
    except RuntimeError as error:  # torch's, of a net that does not check its grid
        first, size = str(error).partition("\n")[0], "x".join(map(str, shape))
        raise ValueError(f"the model does not run on {size} points: {first}") from error


def other_grid(grid: Grid, size: Callable[[int], int]) -> Grid:
    """Return the same box with another number of points; of nodes it is the intervals that are counted."""
    ends = [int(layout == "nodes") for layout in grid.layout]
    return grid.resized([size(n - end) + end for n, end in zip(grid.shape, ends, strict=True)])


def _two_steps() -> CheckRow:
    """Return the row of the step: F(2 dt) against F(dt) twice, where dt is a parameter of the states."""

    def range_of(ground: Ground) -> tuple[float, float]:
        assert ground.training is not None and ground.training.params is not None
        steps = ground.training.params[:, ground.problem.params.index("dt")]
        return float(steps.min()), float(steps.max())

    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        if "dt" not in ground.problem.params or ground.training is None:
            return "the step between frames is fixed"
        if surrogate.model.window[0] > 1:
            return "the model is given several frames, whose distance is the step"
        low, high = range_of(ground)
        return "" if high >= 2 * low else "no step of the training split is twice another one"

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        dt = range_of(ground)[0]

        def after(u: Tensor, step: float) -> Tensor:
            params = ground.given.params.clone()
            params[:, ground.problem.params.index("dt")] = step
            start = dataclasses.replace(ground.starting(u), params=params)
            return forecaster(start, ground.given.t[:, -1:].double() + step)

        start = ground.given.u[:, -1:]
        return ground.distance(after(start, 2 * dt)[:, -1], after(after(start, dt), dt)[:, -1])

    question = "Are two steps the same as one of twice the length?"
    return CheckRow("time.two_steps", question, value, missed_after(1), excluded)


def _long() -> CheckRow:
    """Return the row of the long rollout: mean and deviation of each field over its second half."""

    def excluded(surrogate: Forecaster, ground: Ground) -> str:
        return needs_free_start(ground)

    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        assert ground.solver is not None  # the solver decides
        times = ground.later(ground.long)
        mine, theirs = (moments(one(ground.given, times), ground) for one in (forecaster, ground.solver))
        size = theirs[1].maximum(moments(ground.given.u, ground)[1])
        size = joint(size.square(), ground.problem).sqrt()  # a component that vanishes has no scale of its own
        wrong = (mine - theirs).abs().amax(0) / torch.where(size > 0, size, ground.unit)
        return torch.where(torch.isfinite(wrong), wrong, torch.inf).amax(-1)

    question = "Does a long rollout stay finite, with the mean and the deviation of the solver's?"
    scale: Callable[[Ground], Tensor] = lambda ground: torch.ones(len(ground.given), dtype=torch.float64)  # noqa: E731
    return CheckRow("time.long", question, value, scale, excluded, solver_decides=True)


def moments(u: Tensor, ground: Ground) -> Tensor:
    """Mean and deviation over space, averaged over the second half of some frames, "moment batch channel"."""
    half = u[:, u.shape[1] // 2 :]
    mean = average(half, ground.problem, ground.mask)
    square = average((half - mean.reshape(*mean.shape, *[1] * ground.problem.ndim)) ** 2, ground.problem, ground.mask)
    return torch.stack([mean.mean(1), square.sqrt().mean(1)])
