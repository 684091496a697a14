"""Newton's method for nonlinear forms of finite elements, and continuation in one parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

TOLERANCE = 1e-9  # of the last update of Newton's method, relative, in each field
CLOSE = 0.05  # the same on the way to the wanted parameter
ITERATIONS = 10  # it is slow only where it fails


def newton(form: Any, state: Any, free: Any, fields: Sequence[int], tolerance: float) -> tuple[bool, int]:
    """Solve form(state) = 0 from the present state, which is overwritten.

    Args:
        form: an `ngsolve.BilinearForm`, nonlinear, with `condense=True`.
        state: grid function of a compound space.
        free: unknowns to be solved for, a bit array of the coupling unknowns.
        fields: components whose relative updates must fall below the tolerance (not those that stay zero).

    Returns:
        whether it converged, and the number of iterations.
    """
    from netgen.meshing import NgException

    residual, update = state.vec.CreateVector(), state.vec.CreateVector()
    for n in range(1, ITERATIONS + 1):
        form.Apply(state.vec, residual)
        try:
            form.AssembleLinearization(state.vec)
            inverse = form.mat.Inverse(free, inverse="umfpack")
        except NgException:  # a singular matrix
            return False, n
        residual.data += form.harmonic_extension_trans * residual
        update.data = inverse * residual
        update.data += form.harmonic_extension * update
        update.data += form.inner_solve * residual
        state.vec.data -= update
        change = max(_relative(update, state, field) for field in fields)
        if not change < 1e6:
            return False, n
        if change < tolerance:
            return True, n
    return False, ITERATIONS


def _relative(update: Any, state: Any, field: int) -> float:
    part = state.space.Range(field)
    return update[part].Norm() / max(state.vec[part].Norm(), np.finfo(float).tiny)


def continuation(solve: Callable[[float, float], bool], state: Any, target: float, first: float) -> float:
    """Raise a parameter from 0 to a target in steps that treble where a solve succeeds and are quartered where not.

    Args:
        solve: (parameter, tolerance) -> whether it converged from the present state.
        state: the solution, which is restored after a failed attempt.
        target: the wanted value, positive.
        first: the first step.

    Returns:
        the value that was reached: the target, or less if steps of a thousandth fail.
    """
    reached, step = 0.0, first
    while reached < target:
        kept = state.vec.CreateVector(copy=True)
        trial = min(reached + step, target)
        if solve(trial, TOLERANCE if trial == target else CLOSE):
            reached, step = trial, 3 * step
        else:
            state.vec.data = kept
            step /= 4
        if step < 1e-3 * target:
            return reached
    return reached
