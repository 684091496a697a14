"""Errors of steady forecasts and residuals of their equations by region: interior, boundary and interface.

Scores of every model, baselines included: what the mean leaves is the scale of an equation that no single term gives.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.judges.base import Batch, ForecastBlock, Judge, ReferenceBlock, Setup
from pdekit.evaluation.references.stored import mask_of
from pdekit.fields import Problem
from pdekit.metrics.physics import PLACES
from pdekit.metrics.regions import equation_residuals, has_equations, rmse_by_place


class Regions(Judge):
    """Writes the RMSE of each field and the residual of each equation of a steady problem, by region."""

    def __init__(self, setup: Setup):
        self.problem, self.units = setup.problem, setup.units
        self.active, self.obeyed = has_regions(self.problem), has_equations(self.problem)

    def declare(self, archive: Archive) -> None:
        self.archive = archive
        for name, values in self.coords(self.problem).items():
            archive.coordinate(name, values)
        if self.active:
            words = {"units": self.units, "long_name": "RMSE"}
            archive.declare("rmse_by_place", ("model", "sample", "place", "field"), words)
        if self.obeyed:
            archive.declare("equation_residual", ("model", "sample", "place", "equation"), {})
            words = {"long_name": "of the reference"}
            archive.declare("equation_residual_floor", ("sample", "place", "equation"), words)

    @staticmethod
    def coords(problem: Problem) -> dict[str, Any]:
        """Places and equations of a problem; nothing if it has none."""
        found = {"place": list(PLACES)} if has_regions(problem) else {}
        if not has_equations(problem):
            return found
        params = torch.ones(1, len(problem.params)) if problem.params else None
        coeffs = torch.ones(1, len(problem.coeffs), *problem.grid.shape) if problem.coeffs else None
        any_state = torch.ones(1, problem.n_channels, *problem.grid.shape)
        n = equation_residuals(any_state, problem, params, coeffs).shape[-1]
        named = problem.pde.equations or [f"equation {i + 1}" for i in range(n)]
        return {"place": list(PLACES), "equation": list(named)}

    def begin(self, batch: Batch) -> None:
        self.given, self.mask = batch.given, mask_of(batch.given)

    def reference(self, block: ReferenceBlock) -> None:
        self.wanted = block.u.cpu()
        if self.obeyed:
            self.archive.write("equation_residual_floor", (block.rows,), self._residuals(self.wanted))

    def forecast(self, row: int, member: int, block: ForecastBlock) -> None:
        """Score the first member."""
        if member or not (self.active or self.obeyed):
            return
        u = block.u.cpu()
        if self.active:
            found = rmse_by_place(u[:, 0], self.wanted[:, 0], self.problem, self.given.coeffs, self.mask)
            self.archive.write("rmse_by_place", (row, block.rows), found)
        if self.obeyed:
            self.archive.write("equation_residual", (row, block.rows), self._residuals(u))

    def _residuals(self, u: Tensor) -> Tensor:
        return equation_residuals(u[:, 0], self.problem, self.given.params, self.given.coeffs, self.mask)


def has_regions(problem: Problem) -> bool:
    """True for steady problems on a grid with ends, a mask or input fields, which have more than an interior."""
    if not problem.steady or not problem.on_box:
        return False
    return problem.has_mask or bool(problem.coeffs) or set(problem.grid.layout) != {"periodic"}
