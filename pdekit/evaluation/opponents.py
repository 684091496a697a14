"""What a surrogate has to beat: every baseline that is defined for a problem, and numerical solvers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Surrogate
from pdekit.models.baselines.mean import Mean
from pdekit.models.baselines.nearest import Nearest
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.baselines.pod import PODRegression
from pdekit.models.baselines.solver import Solver

BASELINES: dict[str, Callable[[Problem], Surrogate]] = {"persistence": Persistence, "mean": Mean}
OF_STEADY: dict[str, Callable[[Problem], Surrogate]] = {"nearest neighbour": Nearest, "POD regression": PODRegression}
"""Further ones, of steady problems."""

SMALLEST = 8
"""Points of an axis below which a solver is not worth a row."""


def baselines(
    problem: Problem, training: Callable[[], Iterable[Trajectory]]
) -> tuple[dict[str, Surrogate], dict[str, str]]:
    """Baselines by name, calibrated on the training split; and the reason for each that is not defined.

    Args:
        problem: what is forecast.
        training: gives batches of the training split, once each time it is called.
    """
    defined: dict[str, Surrogate] = {}
    absent: dict[str, str] = {}
    for name, make in (BASELINES | (OF_STEADY if problem.steady else {})).items():
        try:
            model = make(problem)
        except ValueError as reason:
            absent[name] = str(reason)
            continue
        model.calibrate(training())
        defined[name] = model
    return defined, absent


def solvers(
    problem: Problem, sizes: Sequence[float], steps: Sequence[int], precisions: Sequence[str] = ("float64",)
) -> tuple[dict[str, Surrogate], dict[str, str]]:
    """Solvers by name, on several grids with several steps and precisions; or the reason why there is none.

    Args:
        problem: what is forecast.
        sizes: points of each axis, as shares of the data grid; rounded to even numbers of at least `SMALLEST`.
        steps: solver steps between frames.
        precisions: "float32" and "float64", the latter being what is meant where a name says nothing.
    """
    defined: dict[str, Surrogate] = {}
    try:
        Solver(problem)
    except ValueError as reason:
        return {}, {"solver": str(reason)}
    shapes = dict.fromkeys(tuple(max(SMALLEST, 2 * round(size * n / 2)) for n in problem.grid.shape) for size in sizes)
    for shape in shapes:
        for n, precision in itertools.product(dict.fromkeys(steps), dict.fromkeys(precisions)):
            name = f"solver {shape_text(shape)}, {_step_text(problem, n)}"
            name += ", float32" if precision == "float32" else ""
            defined[name] = Solver(problem, shape, problem.dt / n, precision)
    return defined, {}


def shape_text(shape: Sequence[int]) -> str:
    """A shape in as few signs as possible.

    >>> shape_text((64,)), shape_text((64, 64)), shape_text((32, 32, 32)), shape_text((64, 128))
    ('64', '64²', '32³', '64×128')
    """
    if len(set(shape)) == 1:
        return f"{shape[0]}{('', '', '²', '³')[len(shape)]}"
    return "×".join(map(str, shape))


def _step_text(problem: Problem, n: int) -> str:
    if "dt" in problem.params:  # frames that are further apart than the nominal ones take more steps
        return f"dt ≤ {problem.dt / n:.3g}"
    return f"dt {problem.dt / n:.3g}"
