"""Explicit Runge-Kutta on the spectrum: the plain schemes, for equations that are not stiff and for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pdekit.fields import Grid
from pdekit.pdes.base import SemilinearPDE
from pdekit.solvers.spectral import diagonal, keep_real, mode_operator, spectral_form, step_size
from pdekit.solvers.step import Step
from pdekit.solvers.tableaux import EXPLICIT
from pdekit.solvers.traced import traced

VERSION = 2


def runge_kutta(
    pde: SemilinearPDE,
    grid: Grid,
    dt: Any,
    scheme: str = "rk4",
    dtype: torch.dtype = torch.float64,
    device: Any = None,
) -> Step:
    """A step of an explicit Runge-Kutta scheme on a periodic grid, linear part included.

    U_i = u + dt sum_{j<i} a_ij F(U_j), u(t+dt) = u + dt sum_i b_i F(U_i), F(u) = L u + N(u), on the modes that
    `etdrk` keeps. Linear equations work too.

    Args:
        pde, grid, dt, dtype, device: as in `etdrk`.
        scheme: "euler" (order 1), "midpoint" or "heun" (2), "ssprk3" (3), "rk4" (4).

    Raises:
        ValueError: an unknown scheme; equation and grid that do not fit.

    Limits: stable only while dt times the spectrum of L stays in the scheme's region (for rk4, real parts above
    -2.78, imaginary ones below 2.83 in size): Kuramoto-Sivashinsky with 256 modes on L = 64 would need dt below
    6e-5. On advection-dominated flow it does as well as `etdrk` at equal dt.

    Source: see pdekit.solvers.tableaux.
    """
    if scheme not in EXPLICIT:
        raise ValueError(f"expected a scheme among {sorted(EXPLICIT)}, got {scheme!r}; choose one of these")
    tableau = EXPLICIT[scheme]
    form = spectral_form(pde, grid, dtype, device)
    dt = step_size(dt, device)
    linear = mode_operator(form, diagonal(form, form.linear), times=dt)
    scale = (form.mask * dt).to(form.fourier.complex_dtype)

    def slope(u_hat: Tensor) -> Tensor:
        """dt F(u), on the modes kept."""
        if form.nonlinear is None:
            return linear(u_hat)
        return linear(u_hat, plus=form.nonlinear(u_hat) * scale)

    def advance(u_hat: Tensor) -> Tensor:
        slopes: list[Tensor] = []
        for row in tableau.a:
            slopes.append(slope(weighted_sum(u_hat, row, slopes)))
        return weighted_sum(u_hat, tableau.b, slopes)

    return Step(form.encode, traced(keep_real(form, advance)), form.decode)


runge_kutta.configurable = True


def weighted_sum(start: Tensor, weights: Sequence[float], terms: Sequence[Tensor | None]) -> Tensor:
    """start + sum_i weights_i terms_i; None is a term whose weights are all zero."""
    for weight, term in zip(weights, terms, strict=True):
        if weight and term is not None:
            start = torch.add(start, term, alpha=weight)
    return start
