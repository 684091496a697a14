"""One sentence about a reference that its own checks (half the step, a finer grid, its spectrum) do not confirm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

LARGEST = 0.1
"""Relative error of the checks from which a reference is not resolved."""

TAIL = 0.02
"""Share of the energy at the smallest scales of the solver's grid from which a reference is not resolved.

Burgers fronts on 128 and 512 points with tails of 0.1 and 0.01 are off by 100 % and 4 % in their energy; the datasets
of pdekit reach 0.005 (0.014 at the random start of decaying turbulence).
"""

REFINED = {"error_step": "half the step", "error_space": "a finer grid"}


def unresolved(
    check: Mapping[str, Any], name: str, lyapunov_exponent: float | None = None, smoothing: tuple[str, ...] = ()
) -> str:
    """Return a sentence with the remedy if a reference is not resolved, and nothing if it is.

    The error at a time is the larger of the checks, each in the median over its trajectories. A reference is resolved
    if it stays below `LARGEST`, and the tail of its spectrum below `TAIL`. Checks of a chaotic problem part in any
    case: there it is enough that they agree for one Lyapunov time.

    Args:
        check: the stored self-convergence: ``time``, and ``error_step`` or ``error_space`` or both, "trajectory time";
            ``spectrum_tail`` if it was checked.
        name: name of the dataset.
        lyapunov_exponent: largest one, per unit of time; None if it is not known.
        smoothing: parameters of the equation that damp small scales (`PDE.smoothing`).

    Limits: two checks can agree on a wrong solution, if both are far from resolved. The spectrum of fields with jumps
    that are there to stay (a medium, a shock of a conservation law) is not judged.

    >>> print(unresolved({"time": [0.0], "error_step": [[1.15]]}, "front"))
    the reference of front is not resolved: half the step changes it by up to 115 %; choose more substeps
    >>> unresolved({"time": [0.0, 1.0], "error_space": [[0.0, 0.02]]}, "front")
    ''
    """
    finer = "a finer solver_shape or grid" if "refinement" not in check else "a finer mesh of the case"
    finer += f", or a larger {' and '.join(smoothing)}" if smoothing else ""
    text = _differs(check, name, lyapunov_exponent, finer) or _piles_up(check, name, finer)
    several = len(check["time"]) > 1
    return text + (", or do not use times beyond" if text and several else "")


def _differs(check: Mapping[str, Any], name: str, lyapunov_exponent: float | None, finer: str) -> str:
    """Return the sentence of the checks that compare two resolutions."""
    errors = {key: np.median(np.asarray(check[key], dtype=np.float64), 0) for key in REFINED if key in check}
    worst = np.max(list(errors.values()), 0)
    large = ~(worst < LARGEST)
    if not large.any():
        return ""
    first = float(check["time"][int(large.argmax())])
    if lyapunov_exponent is not None and lyapunov_exponent > 0 and first >= 1 / lyapunov_exponent:
        return ""
    cause = max(errors, key=lambda key: np.nan_to_num(errors[key], nan=math.inf).max())
    remedy = "more substeps" if cause == "error_step" else finer
    since = f", and by more than {100 * LARGEST:.0f} % from t = {first:g} on" if len(worst) > 1 else ""
    text = f"the reference of {name} is not resolved: {REFINED[cause]} changes it by up to {100 * worst.max():.3g} %"
    return f"{text}{since}; choose {remedy}"


def _piles_up(check: Mapping[str, Any], name: str, finer: str) -> str:
    """Return the sentence of the check of the spectrum."""
    if "spectrum_tail" not in check:
        return ""
    tail = np.median(np.asarray(check["spectrum_tail"], dtype=np.float64), 0)
    large = ~(tail < TAIL)
    if not large.any():
        return ""
    first = float(check["time"][int(large.argmax())])
    return (
        f"the reference of {name} is not resolved: from t = {first:g} on, up to {100 * tail.max():.2g} % of its energy "
        f"lies at the smallest scales of the solver's grid (expected less than {100 * TAIL:g} %); choose {finer}"
    )
