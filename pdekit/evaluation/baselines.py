"""Baselines and numerical solvers that a surrogate is compared with."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from pdekit.evaluation.settings import Evaluation
from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Surrogate
from pdekit.models.baselines.dmd import DynamicModes
from pdekit.models.baselines.mean import Mean
from pdekit.models.baselines.nearest import Nearest
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.baselines.pod import PODRegression
from pdekit.models.baselines.reservoir import Reservoir
from pdekit.models.baselines.simulator import SimulatorBaseline
from pdekit.models.baselines.solver import stepping_for
from pdekit.pdes import ConservationLaw
from pdekit.pdes.incompressible_flow import IncompressibleFlow
from pdekit.recipes.base import BaseRecipe
from pdekit.simulators.base import Refinement
from pdekit.simulators.stepping import Stepping

BASELINES: dict[str, Callable[[Problem], Surrogate]] = {"persistence": Persistence, "mean": Mean}
LEARNT = ("mean", "nearest neighbour", "POD regression", "DMD", "reservoir computer")
"""Those that are calibrated on training data."""
OF_STEADY: dict[str, Callable[[Problem], Surrogate]] = {"nearest neighbour": Nearest, "POD regression": PODRegression}
"""Further ones, of steady problems."""
OF_SYSTEMS: dict[str, Callable[[Problem], Surrogate]] = {"DMD": DynamicModes, "reservoir computer": Reservoir}
"""Further ones, of systems without space."""

DIVIDED = (ConservationLaw, IncompressibleFlow)
"""Equations whose solvers divide a step as the fastest wave or flow asks for: their rows state a bound of the step."""

SMALLEST = 8
"""Points of an axis below which a solver is not worth a row."""


def baselines(
    problem: Problem, training: Callable[[], Iterable[Trajectory]] | None
) -> tuple[dict[str, Surrogate], dict[str, str]]:
    """Baselines by name, calibrated on the training split; and the reason for each that is not defined.

    Args:
        problem: problem to forecast.
        training: gives batches of the training split, once each time it is called; None if there are none.
    """
    defined: dict[str, Surrogate] = {}
    absent: dict[str, str] = {}
    further = OF_STEADY if problem.steady else {} if problem.ndim else OF_SYSTEMS
    for name, make in (BASELINES | further).items():
        try:
            model = make(problem)
            if training is None and name in LEARNT:
                raise ValueError("no training data were given to calibrate it; give train=")
        except ValueError as reason:
            absent[name] = str(reason)
            continue
        model.calibrate(() if training is None else training())
        defined[name] = model
    return defined, absent


def solver_rows(
    problem: Problem, recipe: BaseRecipe | None, settings: Evaluation
) -> tuple[dict[str, Surrogate], dict[str, str]]:
    """Solvers by name, or the reason why there is none: the simulator that made the data, at other resolutions.

    Data from elsewhere have none. Where their equation is known, a solver is chosen from it (`stepping_for`).

    Args:
        problem: problem to forecast, on the grid of the evaluation.
        recipe: recipe of the data; None for data from files.
        settings: the sweep.
    """
    sweep = settings.sweep
    if recipe is None or recipe.simulator.steps:
        known = None if recipe is None else recipe.simulator
        simulator = known if isinstance(known, Stepping) else None
        return solvers(problem, sweep.sizes, sweep.steps, sweep.precisions, simulator)
    return solved_wholes(problem, recipe, sweep.refinements, sweep.orders)


def solvers(
    problem: Problem,
    sizes: Sequence[float],
    steps: Sequence[int],
    precisions: Sequence[str] = ("float64",),
    simulator: Stepping | None = None,
) -> tuple[dict[str, Surrogate], dict[str, str]]:
    """Solvers in time by name, on several grids with several steps and precisions; or the reason why there is none.

    Args:
        problem: problem to forecast.
        sizes: points of each axis, as shares of the data grid; rounded to even numbers of at least `SMALLEST`.
        steps: solver steps between frames.
        precisions: "float32" and "float64", the latter being what is meant where a name says nothing.
        simulator: simulator of the data; None for one that is chosen from the equation.
    """
    defined: dict[str, Surrogate] = {}
    grid = problem.grid
    try:
        simulator = stepping_for(problem) if simulator is None else simulator
        dt = simulator.dt if problem.dt is None else problem.dt  # data from elsewhere may have other frames
        base = dataclasses.replace(simulator, shape=None, substeps=1, warmup=0.0, dt=dt)
        SimulatorBaseline(problem, base)
    except ValueError as reason:
        return {}, {"solver": str(reason)}
    shapes = dict.fromkeys(tuple(max(SMALLEST, 2 * round(size * n / 2)) for n in grid.shape) for size in sizes)
    for shape in shapes:
        share = tuple(new / n for new, n in zip(shape, grid.shape, strict=True))
        for n, precision in itertools.product(dict.fromkeys(steps), dict.fromkeys(precisions)):
            name = f"solver {shape_text(shape)}".rstrip() + f", {_step_text(problem, n)}"
            name += ", float32" if precision == "float32" else ""
            defined[name] = SimulatorBaseline(problem, base, Refinement(share, n, precision))
    return defined, {}


def solved_wholes(
    problem: Problem, recipe: BaseRecipe, refinements: Sequence[float], orders: Sequence[int] = ()
) -> tuple[dict[str, Surrogate], dict[str, str]]:
    """Solvers of problems that are solved as wholes by name, and the reason why there are none.

    Args:
        problem: problem to forecast, on the grid of the evaluation.
        recipe: recipe of the data, with a case.
        refinements: refinements of the solvers, as shares of the resolution of the reference.
        orders: orders of the elements, in addition to that of the case. Higher ones, and cases without elements, are
            left out.
    """
    if not refinements:
        return {}, {"solver": "left out, because sweep.refinements is empty"}
    cases = {"": recipe.simulator} | {f"order {order}, ": recipe.simulator.at_order(order) for order in orders}
    draw = partial(recipe.draw, "test")
    found = {
        f"solver, {what}{share:g} of the resolution": SimulatorBaseline(problem, case, Refinement(share), draw)
        for what, case in cases.items()
        for share in dict.fromkeys(refinements)
        if case is not None
    }
    return found, {}


def shape_text(shape: Sequence[int]) -> str:
    """A shape in as few signs as possible.

    >>> shape_text((64,)), shape_text((64, 64)), shape_text((32, 32, 32)), shape_text((64, 128))
    ('64', '64²', '32³', '64×128')
    """
    if len(set(shape)) == 1:
        return f"{shape[0]}{('', '', '²', '³')[len(shape)]}"
    return "×".join(map(str, shape))


def _step_text(problem: Problem, n: int) -> str:
    # frames that are further apart than the nominal ones take more steps, and some solvers divide a step of their own
    if "dt" in problem.params or isinstance(problem.pde, DIVIDED):
        return f"dt ≤ {problem.step / n:.3g}"
    return f"dt {problem.step / n:.3g}"
