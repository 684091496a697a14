"""A run of a problem of which no reference solution is known: only the equation and its conditions are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pdekit.data.no_reference import NoReference
from pdekit.models.base import Surrogate
from pdekit.models.pinn import PINN
from pdekit.recipes.base import BaseRecipe


def without_reference(recipe: BaseRecipe, model: Surrogate, config: Mapping[str, Any]) -> NoReference:
    """Return the data of a run whose recipe has no solver: none.

    Args:
        recipe: recipe of the problem.
        model: learns from the equation alone.
        config: configuration of the run.

    Raises:
        ValueError: if the method needs data, or an evaluation is asked for.
    """
    if not isinstance(model, PINN) or (model.unknowns is not None and not config.get("measurements")):
        raise ValueError(
            f"expected a method that learns from the equation alone for {recipe.name}, which has no reference "
            f"solution, got {config['choices']['model']}; use model=pinn, or model=pinn_inverse with measurements=FILE"
        )
    if config.get("evaluate", True):
        raise ValueError(
            f"expected evaluate=false for {recipe.name}, which has no reference solution to compare with, got "
            "evaluate=true; add evaluate=false"
        )
    return NoReference(model.problem)
