"""The samples of a recipe on another grid, simulated again, because nothing is known between the stored points."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pdekit.fields import Trajectory
from pdekit.recipes.base import BaseRecipe

KEPT = 2**24
"""Values of solved samples that are kept in memory, so that no sample in use is solved twice."""


class SolvedAgain:
    """A source of the samples of one split of a recipe, seen on another grid of the same box.

    They are the same functions of place: the same random inputs, solved at the same resolution or a little finer.

    Args:
        recipe: recipe of the stored samples.
        split: split of the samples.
        shape: points of each axis.
    """

    def __init__(self, recipe: BaseRecipe, split: str, shape: Sequence[int]):
        self.recipe = dataclasses.replace(recipe, grid=recipe.grid.resized(shape))
        self.split = split
        self.problem = self.recipe.problem(split)
        self.n_trajectories = recipe.n_trajectories[split]
        self._known: dict[int, Trajectory] = {}

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Some frames of one sample, as a batch of one; parameters in float32, as they are read from a file."""
        if trajectory not in self._known:
            batch = self.recipe.simulate(self.split, [trajectory])
            params = None if batch.params is None else batch.params.float()
            while self._known and (len(self._known) + 1) * batch.u.numel() > KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[trajectory] = dataclasses.replace(batch, params=params)
        return self._known[trajectory].frames(frames)
