"""Where steady forecasts are wrong, and whether they obey their equations: by interior, boundary and interface.

Scores of every model, baselines included: what the mean leaves is the scale of an equation that no single term gives.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.references.stored import mask_of
from pdekit.fields import Grid, Problem, Trajectory
from pdekit.metrics.physics import PLACES
from pdekit.metrics.steady import equation_residuals, has_equations, rmse_by_place


class Places:
    """Writes the RMSE of each field and the residual of each equation of a steady problem, by places.

    Args:
        archive: of scores, with the coordinates of `coords`.
        problem: of the reference.
    """

    def __init__(self, archive: Archive, problem: Problem):
        self.archive, self.problem = archive, problem
        self.active, self.obeyed = has_places(problem), has_equations(problem)
        if self.active:
            units = " ".join(dict.fromkeys(field.unit for field in problem.fields))
            words = {"units": units, "long_name": "RMSE"}
            archive.declare("rmse_by_place", ("model", "sample", "place", "field"), words)
        if self.obeyed:
            archive.declare("equation_residual", ("model", "sample", "place", "equation"), {})
            archive.declare(
                "equation_residual_floor", ("sample", "place", "equation"), {"long_name": "of the reference"}
            )

    @staticmethod
    def coords(problem: Problem) -> dict[str, Any]:
        """Places and equations of a problem; nothing if it has none."""
        found = {"place": list(PLACES)} if has_places(problem) else {}
        if not has_equations(problem):
            return found
        params = torch.ones(1, len(problem.params)) if problem.params else None
        coeffs = torch.ones(1, len(problem.coeffs), *problem.grid.shape) if problem.coeffs else None
        any_state = torch.ones(1, problem.n_channels, *problem.grid.shape)
        n = equation_residuals(any_state, problem, params, coeffs).shape[-1]
        named = problem.pde.equations or [f"equation {i + 1}" for i in range(n)]
        return {"place": list(PLACES), "equation": list(named)}

    def begin(self, given: Trajectory) -> None:
        """Take in the samples of a batch."""
        self.given, self.mask = given, mask_of(given)

    def follow(self, samples: slice, wanted: Tensor) -> None:
        """The reference of the batch."""
        self.wanted = wanted.cpu()
        if self.obeyed:
            self.archive.write("equation_residual_floor", (samples,), self._residuals(self.wanted))

    def score(self, row: int, samples: slice, u: Tensor) -> None:
        """A forecast of the batch."""
        u = u.cpu()
        if self.active:
            found = rmse_by_place(u[:, 0], self.wanted[:, 0], self.problem, self.given.coeffs, self.mask)
            self.archive.write("rmse_by_place", (row, samples), found.float().numpy())
        if self.obeyed:
            self.archive.write("equation_residual", (row, samples), self._residuals(u))

    def _residuals(self, u: Tensor) -> Any:
        found = equation_residuals(u[:, 0], self.problem, self.given.params, self.given.coeffs, self.mask)
        return found.float().numpy()


def has_places(problem: Problem) -> bool:
    """Whether there is more to tell apart than an interior: a steady problem on a grid with ends, a mask or inputs."""
    if not problem.steady or not isinstance(problem.grid, Grid) or not problem.grid.shape:
        return False
    return problem.has_mask or bool(problem.coeffs) or set(problem.grid.layout) != {"periodic"}
