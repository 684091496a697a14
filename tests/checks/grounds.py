"""States of small versions of the datasets, on which every row of a check can be asked within seconds."""

from __future__ import annotations

import dataclasses
from functools import cache

from pdekit.checks.ground import Forecaster, Ground
from pdekit.data.arrays import Arrays
from pdekit.data.module import DataModule
from pdekit.models.baselines.simulator import SimulatorBaseline
from pdekit.recipes.base import SPLITS, BaseRecipe
from pdekit.simulate import recipe_named
from pdekit.simulators.base import Refinement
from pdekit.workflows.check_run import CheckSettings, ground_of

POINTS = {0: (), 1: (64,), 2: (26, 26), 3: (18, 18, 18)}
CHANGES = {
    "nlse": {"shape": (128,)},
    "sine_gordon": {"shape": (128,)},
    "shallow_water": {"shape": (16, 16)},
    "smoke": {"shape": (16, 16)},
    "cavity": {"shape": (16, 16)},
    "rayleigh_benard": {"shape": (24, 12)},
    "smoke_obstacles": {"shape": (24, 12)},
    "radial_dam_break": {"shape": (16, 16)},
    "kolmogorov": {"shape": (34, 34), "substeps": 8},
    "cahn_hilliard": {"shape": (42, 42)},
    "swift_hohenberg": {"shape": (42, 42)},
    "decaying_turbulence": {"shape": (50, 50), "substeps": 8},
    "allen_cahn": {"substeps": 4},
}
"""Settings of datasets whose starts need more points, or that do with fewer."""


def small(name: str, **changes) -> BaseRecipe:
    """A dataset on few points: five trajectories of six frames, an eighth of its steps, a warm-up of two frames."""
    recipe = recipe_named(name)
    known = {"substeps": max(1, recipe.substeps // 8), "warmup": 2 * recipe.dt, "solver_shape": None}
    changes = known | {"n_frames": dict.fromkeys(SPLITS, 6)} | CHANGES.get(name, {}) | changes
    grid = recipe.grid.resized(changes.pop("shape", POINTS[recipe.grid.ndim]))
    return dataclasses.replace(recipe, grid=grid, n_trajectories=dict.fromkeys(SPLITS, 5), **changes)


def ground_from(recipe: BaseRecipe, **settings) -> Ground:
    """The states of a recipe, without a file."""
    sources = [Arrays(recipe.problem(split), recipe.simulate(split, range(5))) for split in SPLITS]
    known = {"horizon": 3, "long": 6, "n_states": 3} | settings
    return ground_of(1, DataModule(*sources), recipe, CheckSettings(**known))


@cache
def ground(name: str) -> Ground:
    """The states of a small dataset, made once."""
    return ground_from(small(name))


def finer_solver(ground: Ground) -> Forecaster:
    """A forecaster that is right and not the reference solver itself: the same solver with half its step."""
    model = ground.solver.model
    refined = Refinement(model.refinement.space, 2 * model.refinement.time, "float64")
    return Forecaster("finer", SimulatorBaseline(model.problem, model.simulator, refined, model.draw))
