"""Solvers of problems that are solved as wholes: the case that made the data, with less resolution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pdekit.data.base_recipe import BaseRecipe
from pdekit.data.solved import SolvedRecipe
from pdekit.fields import Problem
from pdekit.models.base import Surrogate
from pdekit.models.case_solver import CaseSolver


def case_solvers(problem: Problem, recipe: BaseRecipe | None, refinements: Sequence[float]) -> dict[str, Surrogate]:
    """Solvers by name; none if the data do not come from a case.

    Args:
        problem: what is forecast, on the grid of the evaluation.
        recipe: that made the data; None for data from elsewhere.
        refinements: of the solvers, as shares of the resolution of the reference.
    """
    if not isinstance(recipe, SolvedRecipe):
        return {}
    draw = partial(recipe.draw, "test")
    return {
        f"solver, {share:g} of the resolution": CaseSolver(problem, recipe.case, draw, share)
        for share in dict.fromkeys(refinements)
    }
