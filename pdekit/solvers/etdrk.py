"""Exponential time differencing Runge-Kutta: the linear part exactly, the rest by a Runge-Kutta scheme."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pdekit.fields import Grid
from pdekit.pdes.base import SemilinearPDE
from pdekit.solvers.phi import phi_matrix, phi_scalar
from pdekit.solvers.spectral import SpectralForm, spectral_form
from pdekit.solvers.step import Step
from pdekit.solvers.traced import traced

VERSION = 1
Nonlinear = Callable[[Tensor], Tensor]
Apply = Callable[..., Tensor]
Operator = Callable[..., Apply]


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
    if isinstance(dt, Tensor):
        dt = dt.to(device=device, dtype=torch.float64)
    functions = _functions(form, dt, 3)
    half = _functions(form, dt / 2, 2)
    mask = form.mask

    def operator(combination: Tensor, times_dt: bool = True) -> Apply:
        """A function of dt L on spectra, masked, times dt."""
        values = combination * mask
        if times_dt:
            values = values * (dt.unsqueeze(1) if isinstance(dt, Tensor) and form.coupled else dt)
        values = values.to(form.fourier.complex_dtype).contiguous()
        return _matrix_operator(values) if form.coupled else _diagonal_operator(values)

    if form.nonlinear is None:
        propagate = operator(functions[0], times_dt=False)
        return Step(form.encode, propagate, form.decode)
    stages = {1: _order_1, 2: _order_2, 3: _order_3, 4: _order_4}[order]
    return Step(form.encode, traced(stages(form.nonlinear, functions, half, operator)), form.decode)


def _functions(form: SpectralForm, dt: Any, n: int) -> list[Tensor]:
    """phi_0 ... phi_n of dt L: "batch channel *modes", or "batch row column *modes" where channels couple."""
    if not form.coupled:
        diagonal = torch.diagonal(form.linear, dim1=1, dim2=2).movedim(-1, 1)
        return phi_scalar(diagonal * dt, n)
    z = form.linear * (dt.unsqueeze(1) if isinstance(dt, Tensor) else dt)
    z = z.movedim((1, 2), (-2, -1))
    return [f.movedim((-2, -1), (1, 2)) for f in phi_matrix(z, n)]


def _diagonal_operator(values: Tensor) -> Apply:
    """plus + sign values u in one pass."""

    def apply(u: Tensor, plus: Tensor | None = None, sign: float = 1.0) -> Tensor:
        if plus is None:
            return u * values
        return torch.addcmul(plus, u, values, value=sign)

    return apply


def _matrix_operator(values: Tensor) -> Apply:
    def apply(u: Tensor, plus: Tensor | None = None, sign: float = 1.0) -> Tensor:
        product = (values * u.unsqueeze(1)).sum(dim=2)
        return product if plus is None else torch.add(plus, product, alpha=sign)

    return apply


def _order_1(nonlinear: Nonlinear, phi: list[Tensor], half: list[Tensor], operator: Operator) -> Nonlinear:
    e, q = operator(phi[0], times_dt=False), operator(phi[1])
    return lambda u: q(nonlinear(u), plus=e(u))


def _order_2(nonlinear: Nonlinear, phi: list[Tensor], half: list[Tensor], operator: Operator) -> Nonlinear:
    e, q, r = operator(phi[0], times_dt=False), operator(phi[1]), operator(phi[2])

    def advance(u: Tensor) -> Tensor:
        n_u = nonlinear(u)
        a = q(n_u, plus=e(u))
        return r(nonlinear(a) - n_u, plus=a)

    return advance


def _order_3(nonlinear: Nonlinear, phi: list[Tensor], half: list[Tensor], operator: Operator) -> Nonlinear:
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


def _order_4(nonlinear: Nonlinear, phi: list[Tensor], half: list[Tensor], operator: Operator) -> Nonlinear:
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
