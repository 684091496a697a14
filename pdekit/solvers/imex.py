"""Implicit-explicit Runge-Kutta: the linear part implicitly, mode by mode, the rest explicitly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pdekit.calculus.base import per_sample
from pdekit.fields import Grid
from pdekit.pdes.base import SemilinearPDE
from pdekit.solvers.runge_kutta import weighted_sum
from pdekit.solvers.spectral import (
    ModeOperator,
    SpectralForm,
    diagonal,
    keep_real,
    mode_operator,
    spectral_form,
    step_size,
)
from pdekit.solvers.step import Step
from pdekit.solvers.tableaux import IMEX
from pdekit.solvers.traced import traced

VERSION = 2


def imex(
    pde: SemilinearPDE,
    grid: Grid,
    dt: Any,
    scheme: str = "ark4",
    dtype: torch.dtype = torch.float64,
    device: Any = None,
) -> Step:
    """A step of an additive Runge-Kutta scheme on a periodic grid.

    Stage i solves (1 - dt a_ii L) U_i = u + dt sum_{j<i} (explicit_ij N(U_j) + implicit_ij L U_j), which is a
    division of each mode, or the inverse of a small matrix for each mode where L couples channels. Modes are kept
    as by `etdrk`. Linear equations work too.

    Args:
        pde, grid, dt, dtype, device: as in `etdrk`.
        scheme: "euler" (order 1), "ars222" (2), "ars443" (3), "ark4" (4).

    Raises:
        ValueError: an unknown scheme; equation and grid that do not fit.

    Limits: at equal dt less accurate than `etdrk` where L is stiff: waves of L are damped or shifted, and the order
    may fall towards 2 while fast modes are not resolved. An unstable mode of rate r needs dt r well below 1.

    Source: see pdekit.solvers.tableaux.
    """
    if scheme not in IMEX:
        raise ValueError(f"expected a scheme among {sorted(IMEX)}, got {scheme!r}; choose one of these")
    tableau = IMEX[scheme]
    form = spectral_form(pde, grid, dtype, device)
    dt = step_size(dt, device)
    linear = mode_operator(form, diagonal(form, form.linear), times=dt)
    solves = {weight: _solve(form, weight, dt) for weight in {row[-1] for row in tableau.implicit} if weight}
    weighs_slope = _used(tableau.explicit, tableau.explicit_b)
    weighs_stiff = _used([row[:-1] for row in tableau.implicit], tableau.implicit_b)
    scale = (form.mask * dt).to(form.fourier.complex_dtype)

    def advance(u_hat: Tensor) -> Tensor:
        slopes: list[Tensor | None] = []  # dt N(U_j)
        stiff: list[Tensor | None] = []  # dt L U_j
        for i, (explicit, implicit) in enumerate(zip(tableau.explicit, tableau.implicit, strict=True)):
            value = weighted_sum(weighted_sum(u_hat, explicit, slopes), implicit[:-1], stiff)
            if implicit[-1]:
                value = solves[implicit[-1]](value)
            evaluated = form.nonlinear is not None and weighs_slope[i]
            slopes.append(form.nonlinear(value) * scale if evaluated else None)
            stiff.append(linear(value) if weighs_stiff[i] else None)
        return weighted_sum(weighted_sum(u_hat, tableau.explicit_b, slopes), tableau.implicit_b, stiff)

    return Step(form.encode, traced(keep_real(form, advance)), form.decode)


imex.configurable = True


def _used(rows: Sequence[Sequence[float]], weights: Sequence[float]) -> list[bool]:
    """Return whether any stage or the result weighs the term of stage j."""
    return [bool(b) or any(row[j] for row in rows[j + 1 :]) for j, b in enumerate(weights)]


def _solve(form: SpectralForm, weight: float, dt: Any) -> ModeOperator:
    """The inverse of 1 - weight dt L."""
    scaled = form.linear * (weight * per_sample(dt, form.linear.ndim))
    n = scaled.shape[1]
    eye = torch.eye(n, dtype=scaled.dtype, device=scaled.device).reshape(n, n, *[1] * (scaled.ndim - 3))
    matrices = (eye - scaled).movedim((1, 2), (-2, -1))
    return mode_operator(form, diagonal(form, torch.linalg.inv(matrices).movedim((-2, -1), (1, 2))))
