"""Choice of the reference of an evaluation: the stored frames, the same on another grid, or the recipe's solver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import torch

from pdekit.data.windows import Source
from pdekit.evaluation.references.continued import Continued
from pdekit.evaluation.references.resampled import Resampled
from pdekit.evaluation.references.solved_again import SolvedAgain
from pdekit.evaluation.references.stored import Reference, StoredReference
from pdekit.recipes.base import BaseRecipe


def on_grid(
    source: Source, shape: Sequence[int] | None, recipe: BaseRecipe | None = None, split: str = "test"
) -> Source:
    """The source itself, or brought to another number of points; samples that are solved as wholes are solved there."""
    if shape is None or tuple(shape) == tuple(source.problem.grid.shape):
        return source
    if recipe is not None and not recipe.simulator.steps:
        return SolvedAgain(recipe, split, shape)
    return Resampled(source, shape)


def can_go_on(recipe: BaseRecipe | None) -> TypeGuard[BaseRecipe]:
    """Return whether a recipe can make its trajectories longer than they are stored: a solver steps through them."""
    return recipe is not None and recipe.simulator.steps


def reference_for(
    source: Source,
    recipe: BaseRecipe | None = None,
    n_frames: int | None = None,
    shape: Sequence[int] | None = None,
    device: torch.device | str = "cpu",
) -> Reference:
    """The reference with so many frames on a grid.

    Stored frames serve as far as they go. On a coarser grid they are restricted. On a finer one they are interpolated,
    band-limited, if the solver that made them knew no more (its own grid is the stored one, or not known); else the
    recipe's solver runs again and its frames are brought to the requested grid. Samples of a case are solved on the
    requested grid. A solver also runs where more frames are wanted than are stored. All of these are the same
    trajectories: errors on different grids are errors against one function, seen at more or fewer points.

    Args:
        source: the test split.
        recipe: recipe of the data; None for data from files.
        n_frames: number of frames of each trajectory; None for the stored ones.
        shape: points of each axis; None for the stored grid's.
        device: device of the solver.

    Raises:
        ValueError: if more frames are wanted than are stored and no recipe can make them, or the grid does not fit.
    """
    grid, stored = source.problem.grid, source.problem.n_frames
    n_frames = n_frames or stored
    steps = recipe if can_go_on(recipe) else None
    finer = shape is not None and any(m > n for m, n in zip(shape, grid.shape, strict=True))
    knows_more = finer and steps is not None and steps.simulator.shape_at(grid) != grid.shape
    if n_frames <= stored and not knows_more:
        return StoredReference(on_grid(source, shape, recipe))
    if steps is not None:
        return Continued(steps, source, max(n_frames, stored), shape, device)
    raise ValueError(
        f"expected at most the {stored} frames that each trajectory has, {n_frames} are needed: these data have no "
        "recipe whose solver could go on; shorten the horizon, or store longer trajectories"
    )
