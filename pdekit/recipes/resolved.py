"""One sentence about a reference that its own checks (half the step, a finer grid) do not confirm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

LARGEST = 0.1
"""Relative error of the checks from which a reference is not resolved."""


def unresolved(check: Mapping[str, Any], name: str, lyapunov_exponent: float | None = None) -> str:
    """A sentence with the remedy if a reference is not resolved; nothing if it is.

    The error at a time is the larger of the checks, each in the median over its trajectories. A reference is resolved
    if it stays below `LARGEST`. Checks of a chaotic problem part in any case: there it is enough that they agree for
    one Lyapunov time.

    Args:
        check: the stored self-convergence: ``time``, and ``error_step`` or ``error_space`` or both, "trajectory time".
        name: of the dataset.
        lyapunov_exponent: largest one, per unit of time; None if it is not known.

    Limits: two checks can agree on a wrong solution, if both are far from resolved.

    >>> print(unresolved({"time": [0.0], "error_step": [[1.15]]}, "front"))
    the reference of front is not resolved: half the step changes it by up to 115 %; choose more substeps
    >>> unresolved({"time": [0.0, 1.0], "error_space": [[0.0, 0.02]]}, "front")
    ''
    """
    refined = {"error_step": "half the step", "error_space": "a finer grid"}
    errors = {key: np.median(np.asarray(check[key], dtype=np.float64), 0) for key in refined if key in check}
    worst = np.max(list(errors.values()), 0)
    large = ~(worst < LARGEST)
    if not large.any():
        return ""
    first = float(check["time"][int(large.argmax())])
    if lyapunov_exponent is not None and lyapunov_exponent > 0 and first >= 1 / lyapunov_exponent:
        return ""
    cause = max(errors, key=lambda key: np.nan_to_num(errors[key], nan=math.inf).max())
    remedy = "more substeps" if cause == "error_step" else "a finer solver_shape or grid, or a larger viscosity"
    since = f", and by more than {LARGEST:.0%} from t = {first:g} on" if len(worst) > 1 else ""
    text = f"the reference of {name} is not resolved: {refined[cause]} changes it by up to {100 * worst.max():.3g} %"
    text += f"{since}; choose {remedy}" + (", or do not use times beyond" if len(worst) > 1 else "")
    return text.replace("10%", "10 %")
