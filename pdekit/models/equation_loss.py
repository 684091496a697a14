"""Loss on equations: mean square of the residual that a steady forecast adds to that of its reference."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus import FiniteDifference
from pdekit.fields import Problem, Trajectory

ORDER = 2
FEWEST = 5
"""Points of an axis that one-sided second derivatives of order 2 need."""


class EquationLoss:
    """mean (R(u) - R(u_reference))^2 of each equation R of a steady problem, over the points where some field exists.

    The residual of the reference is not zero on a grid: near a jump of a coefficient it is as large as anything.
    Subtracting it leaves what the forecast adds, which is zero for a perfect one. Of a linear equation it is R applied
    to the error, and so weighs fine structure as the equation does.

    Args:
        problem: steady, on a uniform grid, with an equation whose fields and coefficients are those of the problem.

    Raises:
        ValueError: on any other problem.
    """

    def __init__(self, problem: Problem):
        pde, grid = problem.pde, problem.grid
        fields = [field.name for field in problem.fields]
        known = (
            problem.steady
            and grid.uniform
            and pde is not None
            and [field.name for field in pde.fields] == fields
            and {field.name for field in pde.coeffs} <= {field.name for field in problem.coeffs}
            and not pde.auxiliary
            and min(grid.shape) >= FEWEST
        )
        if not known:
            found = "no equation" if pde is None else type(pde).__name__
            raise ValueError(
                f"expected a steady problem on a grid with the equation of its fields {fields} for model.equations > "
                f"0, found {found}, {problem.n_frames} frame(s); set model.equations=0"
            )
        self.problem = problem

    def __call__(
        self,
        u: Float[Tensor, "batch channel *space"],
        reference: Float[Tensor, "batch channel *space"],
        batch: Trajectory,
    ) -> Float[Tensor, "equation"]:
        """One number for each equation, in the square of its unit.

        Args:
            u, reference: fields in physical units.
            batch: coeffs, params and mask of the samples, in physical units.
        """
        difference = self.residual(u, batch) - self.residual(reference, batch)
        square = difference.square()
        if batch.mask is None:
            return square.transpose(0, 1).flatten(1).mean(1)
        inside = (batch.mask > 0).any(1, keepdim=True).to(square)
        return (square * inside).transpose(0, 1).flatten(1).sum(1) / inside.sum()

    def residual(self, u: Tensor, batch: Trajectory) -> Float[Tensor, "batch equation *space"]:
        """By differences of order 2, in float64; a field counts as zero where it does not exist."""
        u = u.double()
        if batch.mask is not None:
            u = torch.where(batch.mask > 0, u, 0.0)
        pde, grid, _ = self.problem.at(None if batch.params is None else batch.params.double())
        named = {}
        if batch.coeffs is not None:
            parts = batch.coeffs.double().split(1, 1)
            named = {field.name: part for field, part in zip(self.problem.coeffs, parts, strict=True)}
        d = FiniteDifference(grid.resized(u.shape[2:]), order=ORDER, coeffs=named)
        return pde.residual(d.field(u), d)


def balanced(data: Float[Tensor, ""], equations: Float[Tensor, "equation"], weight: float) -> Float[Tensor, ""]:
    """data + weight sum_e equations_e (data / equations_e), the ratios being constants: each equation counts as much as
    the data do, times the weight, whatever its unit.

    >>> data, equations = torch.tensor(2.0), torch.tensor([1e6, 1e-6])
    >>> round(float(balanced(data, equations, 0.1)), 6)
    2.4
    """
    tiny = torch.finfo(equations.dtype).tiny
    ratios = data.detach() / equations.detach().clamp_min(tiny)
    return data + weight * (equations * ratios).sum().to(data)
