"""Solvers of problems that are solved as wholes: the case that made the data, with less resolution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pdekit.fields import Problem
from pdekit.models.base import Surrogate
from pdekit.models.baselines.case_solver import CaseSolver
from pdekit.recipes.base import BaseRecipe
from pdekit.recipes.cases import SolvedRecipe


def case_solvers(
    problem: Problem, recipe: BaseRecipe | None, refinements: Sequence[float], orders: Sequence[int] = ()
) -> tuple[dict[str, Surrogate], dict[str, str]] | None:
    """Solvers by name, and why there are none; None if the data do not come from a case.

    Args:
        problem: what is forecast, on the grid of the evaluation.
        recipe: that made the data; None for data from elsewhere.
        refinements: of the solvers, as shares of the resolution of the reference.
        orders: of elements, beside those of the case; higher ones, and cases without elements, are left out.
    """
    if not isinstance(recipe, SolvedRecipe):
        return None
    if not refinements:
        return {}, {"solver": "left out, because sweep_refinements is empty"}
    cases = {"": recipe.case} | {f"order {order}, ": recipe.case.at_order(order) for order in orders}
    draw = partial(recipe.draw, "test")
    found = {
        f"solver, {what}{share:g} of the resolution": CaseSolver(problem, case, draw, share)
        for what, case in cases.items()
        for share in dict.fromkeys(refinements)
        if case is not None
    }
    return found, {}
