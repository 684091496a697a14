"""Hard constraints on samples: D is replaced by the nearest point that fulfils them.

The update is one of `pdekit.diffusion.guidance.guided`. The sampler ends with D, so that the sample fulfils the
constraint as well as the last projection does. `samplers.corrected` is the sampler that was published with it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pdekit.diffusion.conjugate import solve_symmetric
from pdekit.diffusion.guidance import Update
from pdekit.diffusion.observations import LinearOperator


def nearest(x: Tensor, operator: LinearOperator, values: Tensor, iterations: int = 100) -> Tensor:
    """Return the point nearest to x with A x = values: x - A^T (A A^T)^-1 (A x - values).

    Args:
        x: "batch ...".
        operator: A; the rows need not be orthonormal, and a mask may observe nothing in places.
        values: in the range of A; outside of it, the residual that no x removes is left.
        iterations: of conjugate gradients, at most.
    """
    weight = solve_symmetric(
        lambda r: operator.forward(operator.adjoint(r)), operator.forward(x) - values, iterations, 1e-15
    )
    return x - operator.adjoint(weight)


def linear_constraint(operator: LinearOperator, values: Tensor, iterations: int = 100) -> Update:
    """Return the update D -> nearest point with A x = values (ECI, Cheng et al. 2025)."""
    return lambda clean, y, k: nearest(clean, operator, values, iterations)


def newton_constraint(
    constraint: Callable[[Tensor], Tensor], steps: int = 1, iterations: int = 50, damping: float = 1e-9
) -> Update:
    """Return the update that moves D to h(x) = 0 by Gauss-Newton steps (PCFM, Utkarsh et al. 2025):

        x <- x - J^T (J J^T + damping)^-1 h(x),    J = dh/dx.

    Difference from the released code: J J^T is solved by conjugate gradients instead of a dense Jacobian.
    Limits: a step reduces h quadratically only near the solution; count the steps by the residual that is left.

    Args:
        constraint: h, "batch ..." to "batch ...", differentiable; samples do not mix.
        steps: of Newton at each level.
        iterations: of conjugate gradients in each step.
        damping: makes dependent constraints solvable.
    """

    def update(clean: Tensor, y: Tensor, k: float) -> Tensor:
        for _ in range(steps):
            clean = constrained_step(constraint, clean, damping, iterations)
        return clean

    return update


def soft_constraint(constraint: Callable[[Tensor], Tensor], noise: float, iterations: int = 20) -> Update:
    """Return one Gauss-Newton step towards argmin ‖x - D‖² / r² + ‖h(x)‖² / noise², r² = k² / (1 + k²).

    For an equation's residual h that is not zero on a grid even for the reference: ``noise`` is the size that it has
    there. r² is the posterior variance of data of variance one without correlations.

    Args:
        constraint: h, "batch ..." to "batch ...", differentiable; samples do not mix.
        noise: standard deviation of h.
        iterations: of conjugate gradients; few of them act on the largest residuals only.
    """

    def update(clean: Tensor, y: Tensor, k: float) -> Tensor:
        return constrained_step(constraint, clean, noise**2 * (1 + k**2) / k**2, iterations)

    return update


def constrained_step(constraint: Callable[[Tensor], Tensor], x: Tensor, damping: float, iterations: int) -> Tensor:
    """Return x - J^T (J J^T + damping)^-1 h(x), with J = dh/dx applied by automatic differentiation."""
    with torch.enable_grad():
        point = x.detach().requires_grad_()
        value = constraint(point)
        weight = torch.zeros_like(value, requires_grad=True)
        # linear in the weight, so that its gradient by the weight is J
        (pulled,) = torch.autograd.grad(value, point, weight, create_graph=True)

    def pull(r: Tensor) -> Tensor:
        return torch.autograd.grad(value, point, r, retain_graph=True)[0]

    def apply(r: Tensor) -> Tensor:
        return torch.autograd.grad(pulled, weight, pull(r), retain_graph=True)[0] + damping * r

    return x - pull(solve_symmetric(apply, value.detach(), iterations))
