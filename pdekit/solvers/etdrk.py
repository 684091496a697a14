"""Exponential time differencing Runge-Kutta: the linear part exactly, the rest by a Runge-Kutta scheme."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pdekit.fields import Grid
from pdekit.pdes.base import SemilinearPDE
from pdekit.solvers.phi import phi_matrix, phi_scalar
from pdekit.solvers.spectral import (
    Apply,
    Operator,
    SpectralForm,
    diagonal,
    mode_operator,
    spectral_form,
    step_size,
)
from pdekit.solvers.step import Step
from pdekit.solvers.traced import traced

VERSION = 1
Build = Callable[..., Operator]  # a function of dt L -> the operator, times dt unless told otherwise


def etdrk(
    pde: SemilinearPDE,
    grid: Grid,
    dt: Any,
    order: int = 4,
    dtype: torch.dtype = torch.float64,
    device: Any = None,
) -> Step:
    """A step of ETDRK of order 1 to 4 (0 for linear equations: exact) on a periodic grid.

    The linear part is integrated exactly; where it couples channels, each mode gets matrix functions. Products are
    de-aliased by keeping |m| <= ceil(n/(degree+1)) - 1 modes of each axis. The state is the spectrum.

    Args:
        pde: a semilinear equation; its parameters may be tensors "batch 1 *1".
        grid: periodic.
        dt: the step, a number or a tensor "batch 1 *1".
        order: order of accuracy in time. Prefer 4: at a relative error of 1e-4, order 2 costs about 7 times more.
        dtype: float64 (default), or float32 with an error floor of 1e-5 to 3e-5 after a turnover time.
        device: "cpu" or "cuda".

    Raises:
        ValueError: order not in 1..4; equation and grid that do not fit.

    Limits: no step-size control; stability of the explicit part is the caller's (for advection, dt below about
    1.9 spacings over the speed for order 4).

    Source: Cox and Matthews (2002), equations 22 (order 2), 23-25 (order 3), 26-29 (order 4); coefficients as in
    Kassam and Trefethen (2005), over a full circle.
    """
    if order not in (1, 2, 3, 4):
        raise ValueError(f"expected an order among 1, 2, 3, 4, got {order}")
    form = spectral_form(pde, grid, dtype, device)
    dt = step_size(dt, device)
    functions = _functions(form, dt, 3)

    def operator(values: Tensor, times_dt: bool = True) -> Operator:
        return mode_operator(form, values, times=dt if times_dt else 1.0)

    if form.nonlinear is None:
        return Step(form.encode, operator(functions[0], times_dt=False), form.decode)
    stages = {1: _order_1, 2: _order_2, 3: _order_3, 4: _order_4}[order]
    advance = stages(form.nonlinear, functions, _functions(form, dt / 2, 2), operator)
    return Step(form.encode, traced(advance), form.decode)


def _functions(form: SpectralForm, dt: Any, n: int) -> list[Tensor]:
    """phi_0 ... phi_n of dt L: "batch channel *modes", or "batch row column *modes" where channels couple."""
    if not form.coupled:
        return phi_scalar(diagonal(form, form.linear) * dt, n)
    z = form.linear * (dt.unsqueeze(1) if isinstance(dt, Tensor) else dt)
    z = z.movedim((1, 2), (-2, -1))
    return [f.movedim((-2, -1), (1, 2)) for f in phi_matrix(z, n)]


def _order_1(nonlinear: Apply, phi: list[Tensor], half: list[Tensor], operator: Build) -> Apply:
    e, q = operator(phi[0], times_dt=False), operator(phi[1])
    return lambda u: q(nonlinear(u), plus=e(u))


def _order_2(nonlinear: Apply, phi: list[Tensor], half: list[Tensor], operator: Build) -> Apply:
    e, q, r = operator(phi[0], times_dt=False), operator(phi[1]), operator(phi[2])

    def advance(u: Tensor) -> Tensor:
        n_u = nonlinear(u)
        a = q(n_u, plus=e(u))
        return r(nonlinear(a) - n_u, plus=a)

    return advance


def _order_3(nonlinear: Apply, phi: list[Tensor], half: list[Tensor], operator: Build) -> Apply:
    e, e_half = operator(phi[0], times_dt=False), operator(half[0], times_dt=False)
    q_half, q = operator(half[1] / 2), operator(phi[1])
    f1 = operator(phi[1] - 3 * phi[2] + 4 * phi[3])
    f2 = operator(4 * phi[2] - 8 * phi[3])
    f3 = operator(4 * phi[3] - phi[2])

    def advance(u: Tensor) -> Tensor:
        n_u = nonlinear(u)
        n_a = nonlinear(q_half(n_u, plus=e_half(u)))
        e_u = e(u)
        n_b = nonlinear(q(torch.sub(n_u, n_a, alpha=2), plus=e_u, sign=-1))
        return f3(n_b, plus=f2(n_a, plus=f1(n_u, plus=e_u)))

    return advance


def _order_4(nonlinear: Apply, phi: list[Tensor], half: list[Tensor], operator: Build) -> Apply:
    e, e_half = operator(phi[0], times_dt=False), operator(half[0], times_dt=False)
    q_half = operator(half[1] / 2)
    f1 = operator(phi[1] - 3 * phi[2] + 4 * phi[3])
    f2 = operator(2 * phi[2] - 4 * phi[3])
    f3 = operator(4 * phi[3] - phi[2])

    def advance(u: Tensor) -> Tensor:
        n_u = nonlinear(u)
        e_u = e_half(u)
        a = q_half(n_u, plus=e_u)
        n_a = nonlinear(a)
        n_b = nonlinear(q_half(n_a, plus=e_u))
        n_c = nonlinear(q_half(torch.sub(n_u, n_b, alpha=2), plus=e_half(a), sign=-1))
        return f3(n_c, plus=f2(n_a + n_b, plus=f1(n_u, plus=e(u))))

    return advance
