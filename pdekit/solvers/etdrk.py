"""Exponential time differencing Runge-Kutta: the linear part exactly, the rest by a Runge-Kutta scheme."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pdekit.calculus.base import per_sample
from pdekit.fields import Grid
from pdekit.pdes.base import SemilinearPDE
from pdekit.solvers.phi import phi_matrix, phi_scalar
from pdekit.solvers.spectral import (
    Apply,
    ModeOperator,
    SpectralForm,
    diagonal,
    keep_real,
    mode_operator,
    spectral_form,
    step_size,
)
from pdekit.solvers.step import Step
from pdekit.solvers.traced import traced

VERSION = 3
Exact = Callable[[Tensor], Apply]
Weighted = Callable[[Tensor], ModeOperator]


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
        dtype: float64 (default), or float32 with an error floor of 2e-6 to 1e-5 after a turnover time.
        device: "cpu" or "cuda".

    Raises:
        ValueError: order not in 1..4; equation and grid that do not fit.

    Limits: no step-size control; stability of the explicit part is the caller's (for advection, dt below about
    1.9 spacings over the speed for order 4).

    Source: Cox and Matthews (2002), equations 22 (order 2) and 23-25 (order 3); Krogstad (2005), ETDRK4-B (order 4),
    which costs what the usual scheme of Cox and Matthews costs and errs less where L is stiff: measured 5.7 times
    less on Kuramoto-Sivashinsky, 1.3 on Korteweg-de Vries, the same on turbulence.
    """
    if order not in (1, 2, 3, 4):
        raise ValueError(f"expected an order among 1, 2, 3, 4, got {order}; choose one of these")
    form = spectral_form(pde, grid, dtype, device)
    dt = step_size(dt, device)
    exact, weighted = partial(_propagator, form), partial(mode_operator, form, times=dt)
    phi = _functions(form, dt, 3)
    if form.nonlinear is None:
        return Step(form.encode, exact(phi[0]), form.decode)
    stages = {1: _order_1, 2: _order_2, 3: _order_3, 4: _order_4}[order]
    advance = stages(form.nonlinear, phi, _functions(form, dt / 2, 2), exact, weighted)
    return Step(form.encode, traced(keep_real(form, advance)), form.decode)


etdrk.configurable = True


def _functions(form: SpectralForm, dt: Any, n: int) -> list[Tensor]:
    """phi_0 ... phi_n of dt L: "batch channel *modes", or "batch row column *modes" where channels couple."""
    if not form.coupled:
        return phi_scalar(diagonal(form, form.linear) * dt, n)
    z = form.linear * per_sample(dt, form.linear.ndim)
    z = z.movedim((1, 2), (-2, -1))
    return [f.movedim((-2, -1), (1, 2)) for f in phi_matrix(z, n)]


def _propagator(form: SpectralForm, phi_0: Tensor) -> Apply:
    """exp(dt L) u, as u + (exp(dt L) - 1) u.

    A factor near 1 rounded to float32 errs the same way at each step, like a wrong L; its difference from 1 has all
    its digits. Measured: the float32 error of Kuramoto-Sivashinsky at t = 20 falls 3 to 10 times.
    """
    identity = diagonal(form, torch.eye(form.linear.shape[1], dtype=phi_0.dtype, device=phi_0.device)[None])
    change = mode_operator(form, phi_0 - identity.reshape(*identity.shape, *[1] * form.fourier.ndim))
    return lambda u: change(u, plus=u)


# The schemes. phi: phi_0 ... phi_3 of dt L, half: phi_0 ... phi_2 of dt L / 2; weighted(f) is the operator dt f.


def _order_1(nonlinear: Apply, phi: list[Tensor], half: list[Tensor], exact: Exact, weighted: Weighted) -> Apply:
    e, q = exact(phi[0]), weighted(phi[1])
    return lambda u: q(nonlinear(u), plus=e(u))


def _order_2(nonlinear: Apply, phi: list[Tensor], half: list[Tensor], exact: Exact, weighted: Weighted) -> Apply:
    e, q, r = exact(phi[0]), weighted(phi[1]), weighted(phi[2])

    def advance(u: Tensor) -> Tensor:
        n_u = nonlinear(u)
        a = q(n_u, plus=e(u))
        return r(nonlinear(a) - n_u, plus=a)

    return advance


def _order_3(nonlinear: Apply, phi: list[Tensor], half: list[Tensor], exact: Exact, weighted: Weighted) -> Apply:
    e, e_half = exact(phi[0]), exact(half[0])
    q_half, q = weighted(half[1] / 2), weighted(phi[1])
    f1 = weighted(phi[1] - 3 * phi[2] + 4 * phi[3])
    f2 = weighted(4 * phi[2] - 8 * phi[3])
    f3 = weighted(4 * phi[3] - phi[2])

    def advance(u: Tensor) -> Tensor:
        n_u = nonlinear(u)
        n_a = nonlinear(q_half(n_u, plus=e_half(u)))
        e_u = e(u)
        n_b = nonlinear(q(torch.sub(n_u, n_a, alpha=2), plus=e_u, sign=-1))
        return f3(n_b, plus=f2(n_a, plus=f1(n_u, plus=e_u)))

    return advance


def _order_4(nonlinear: Apply, phi: list[Tensor], half: list[Tensor], exact: Exact, weighted: Weighted) -> Apply:
    e, e_half = exact(phi[0]), exact(half[0])
    q_half, r_half = weighted(half[1] / 2), weighted(half[2])
    q, r = weighted(phi[1] - 2 * phi[2]), weighted(2 * phi[2])
    f1 = weighted(phi[1] - 3 * phi[2] + 4 * phi[3])
    f2 = weighted(2 * phi[2] - 4 * phi[3])
    f3 = weighted(4 * phi[3] - phi[2])

    def advance(u: Tensor) -> Tensor:
        n_u = nonlinear(u)
        a = q_half(n_u, plus=e_half(u))
        n_a = nonlinear(a)
        n_b = nonlinear(r_half(n_a - n_u, plus=a))
        e_u = e(u)
        n_c = nonlinear(r(n_b, plus=q(n_u, plus=e_u)))
        return f3(n_c, plus=f2(n_a + n_b, plus=f1(n_u, plus=e_u)))

    return advance
