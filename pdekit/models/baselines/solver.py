"""A numerical solver as a baseline where no recipe made the data: chosen from the equation. It has nothing to learn."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

from pdekit.fields import Problem
from pdekit.models.baselines.simulator import SimulatorBaseline
from pdekit.nets.layout import for_each_axis
from pdekit.pdes.base import ConservationLaw, SemilinearPDE
from pdekit.pdes.diffusion_sorption import DiffusionSorption
from pdekit.simulators.base import Refinement
from pdekit.simulators.stepping import DTYPES, Stepping
from pdekit.solvers import etdrk, finite_volume
from pdekit.solvers.sorption import ends_of, sorption


def stepping_for(problem: Problem, order: int = 4) -> Stepping:
    """The simulator of a problem with an equation in time, on the data grid with one step between frames.

    Semilinear equations are integrated by ETDRK of order 1 to 4, conservation laws by finite volumes (MUSCL) with a
    time stepping of at most order 3, and diffusion-sorption between its two ends by `sorption`.

    Raises:
        ValueError: if the problem has no equation, or one that these solvers do not integrate.
    """
    pde: Any = problem.pde
    if isinstance(pde, DiffusionSorption) and problem.boundary == (ends_of(pde),) and problem.dt is not None:
        return Stepping(pde=pde, solver=sorption, dt=problem.dt, boundary=problem.boundary)
    if pde is None:
        raise ValueError("expected a problem with an equation, found none; the solver baseline is not defined for it")
    if not isinstance(pde, (ConservationLaw, SemilinearPDE)) or not problem.grid.periodic or problem.dt is None:
        raise ValueError(
            f"expected a semilinear equation or a conservation law on a periodic grid, found "
            f"{type(pde).__name__} on {problem.grid}; the solver baseline is not defined for it"
        )
    solver = partial(finite_volume, order=min(order, 3)) if pde.averages else partial(etdrk, order=order)
    return Stepping(pde=pde, solver=solver, dt=problem.dt, params=dict.fromkeys(problem.params))


class Solver(SimulatorBaseline):
    """Integrates the last frame given on a grid, a step and a precision of its own; see `stepping_for`.

    Args:
        problem: with a semilinear equation or a conservation law on a periodic grid.
        shape: points of each axis; one number for all axes; None for the data grid.
        dt: largest time step; the frame step is divided into equal parts not longer than this. None: the frame step.
            The step of a conservation law is never longer than `stable_dt` of the frame given.
        precision: "float32" or "float64".
        order: order of the time stepping.

    Raises:
        ValueError: if the problem has no equation, or one that this solver does not integrate.
    """

    configurable = True

    def __init__(
        self,
        problem: Problem,
        shape: Sequence[int] | int | None = None,
        dt: float | None = None,
        precision: str = "float64",
        order: int = 4,
    ):
        if precision not in DTYPES:
            raise ValueError(f"expected a precision among {DTYPES}, got {precision!r}; set model.precision")
        simulator = stepping_for(problem, order)
        points = None if shape is None else for_each_axis(shape, problem.ndim)
        simulator = dataclasses.replace(simulator, shape=points, dtype=precision)
        super().__init__(problem, simulator, Refinement(time=1.0 if dt is None else problem.step / dt))
