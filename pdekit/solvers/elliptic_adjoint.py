"""Gradients through the solver of -div(a grad u) = f by its adjoint: one more solve of the same system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.solvers.elliptic import elliptic

METHOD = "scaled"


def elliptic_solution(
    a: Float[Tensor, "*space"], f: float, spacing: Sequence[float], method: str = METHOD
) -> Float[Tensor, "*space"]:
    """Return the solution of `pdekit.solvers.elliptic.elliptic` as a differentiable function of a, in float64.

    With K(a) u = f and a loss L(u), the adjoint solves K lam = dL/du, because K is symmetric, and

        dL/da = -d/da sum over faces of face(a) (difference of lam) (difference of u) / h^2.

    Limits: the gradient by f is not returned.

    Args:
        a: coefficient at the nodes, positive.
        f: source, a number.
        spacing: between the nodes of each axis.
        method: of the solver.
    """
    return _Solve.apply(a, f, tuple(spacing), method)


class _Solve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, f: float, spacing: tuple[float, ...], method: str) -> Tensor:
        u = torch.from_numpy(elliptic(a.detach().double().numpy(), f, spacing, method=method))
        ctx.save_for_backward(a, u)
        ctx.spacing, ctx.method = spacing, method
        return u

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        a, u = ctx.saved_tensors
        source = grads[0].double().numpy()
        adjoint = torch.from_numpy(elliptic(a.detach().double().numpy(), source, ctx.spacing, method=ctx.method))
        with torch.enable_grad():
            coefficient = a.detach().double().requires_grad_()
            energy = -_product(coefficient, adjoint, u, ctx.spacing)
            (gradient,) = torch.autograd.grad(energy, coefficient)
        return gradient.to(a.dtype), None, None, None


def _product(a: Tensor, left: Tensor, right: Tensor, spacing: Sequence[float]) -> Tensor:
    """Return left^T K(a) right for fields that vanish on the boundary, with the harmonic means of the solver."""
    total = a.new_zeros(())
    for axis, h in enumerate(spacing):
        low, high = a.narrow(axis, 0, a.shape[axis] - 1), a.narrow(axis, 1, a.shape[axis] - 1)
        face = 2 * low * high / (low + high)
        total = total + (face * left.diff(dim=axis) * right.diff(dim=axis)).sum() / h**2
    return total
