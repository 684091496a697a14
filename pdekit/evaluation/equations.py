"""Whether steady forecasts obey their equations, beside the reference: scores of every model, baselines included."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.references import mask_of
from pdekit.fields import Problem, Trajectory
from pdekit.metrics.physics import PLACES
from pdekit.metrics.steady import equation_residuals, has_equations


class Equations:
    """Writes the residual of each equation of a steady problem, of the reference (the floor) and of each model.

    Baselines are scored too: what the mean leaves is the scale of an equation that no single term gives.

    Args:
        archive: of scores, with the coordinates of `coords`.
        problem: of the reference.
    """

    def __init__(self, archive: Archive, problem: Problem):
        self.archive, self.problem = archive, problem
        self.active = has_equations(problem)
        if self.active:
            archive.declare("equation_residual", ("model", "sample", "place", "equation"), {})
            archive.declare(
                "equation_residual_floor", ("sample", "place", "equation"), {"long_name": "of the reference"}
            )

    @staticmethod
    def coords(problem: Problem) -> dict[str, Any]:
        """Places and equations of a problem; nothing if it has none."""
        if not has_equations(problem):
            return {}
        params = torch.ones(1, len(problem.params)) if problem.params else None
        coeffs = torch.ones(1, len(problem.coeffs), *problem.grid.shape) if problem.coeffs else None
        any_state = torch.ones(1, problem.n_channels, *problem.grid.shape)
        n = equation_residuals(any_state, problem, params, coeffs).shape[-1]
        return {"place": list(PLACES), "equation": [f"equation {i + 1}" for i in range(n)]}

    def begin(self, given: Trajectory) -> None:
        """Take in the samples of a batch."""
        self.given, self.mask = given, mask_of(given)

    def follow(self, samples: slice, wanted: Tensor) -> None:
        """The reference of the batch."""
        if self.active:
            self.archive.write("equation_residual_floor", (samples,), self._measure(wanted))

    def score(self, row: int, samples: slice, u: Tensor) -> None:
        """A forecast of the batch."""
        if self.active:
            self.archive.write("equation_residual", (row, samples), self._measure(u.cpu()))

    def _measure(self, u: Tensor) -> Any:
        found = equation_residuals(u[:, 0], self.problem, self.given.params, self.given.coeffs, self.mask)
        return found.float().numpy()
