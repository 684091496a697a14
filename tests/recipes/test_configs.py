"""Every recipe composes, generates, and has a card."""

import dataclasses
import re
from functools import cache
from math import prod
from pathlib import Path

import hydra
import pytest
import torch
import yaml
from omegaconf import OmegaConf

from pdekit.calculus import FiniteDifference
from pdekit.cli.command_line import CONFIGS, choices, evaluation_times, generation_times
from pdekit.fields import Trajectory
from pdekit.recipes.base import SPLITS, BaseRecipe
from pdekit.recipes.cases import SolvedRecipe
from pdekit.recipes.trajectories import Recipe, recipe_from
from pdekit.simulate import recipe_named

CARDS = Path(__file__).parents[2] / "datasets"
RECIPES = list(choices("data"))
LARGE = ("kolmogorov_re1000", "darcy_421", "darcy_211")  # the scale of papers
SLOW = ("elder", "mhd", "ns_heat")  # cases of which two samples take longer than a fast test may


@cache
def compose(name: str, *overrides: str) -> BaseRecipe:
    if overrides:
        with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
            config = hydra.compose("generate", [f"data={name}", *(f"data.{one}" for one in overrides)])
        recipe = recipe_from(OmegaConf.to_container(config.data, resolve=True))
    else:
        recipe = recipe_named(name)
    assert isinstance(recipe, SolvedRecipe if is_solved(name) else Recipe)
    return recipe


def is_solved(name: str) -> bool:
    """Return whether the recipe is of a case, from its file alone: composing all takes seconds."""
    config = yaml.safe_load((CONFIGS / "data" / f"{name}.yaml").read_text())
    return config["_target_"].endswith("SolvedRecipe") if "_target_" in config else is_solved(config["defaults"][0])


MARCHED = [name for name in RECIPES if not is_solved(name)]
ON_POINTS = ("cylinder",)  # tests/cases/test_cylinder.py
ON_GRIDS = [name for name in RECIPES if name not in ON_POINTS]
SOLVED = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in ON_GRIDS if is_solved(name)]


def tiny(recipe: Recipe) -> Recipe:
    """Two trajectories of three frames, and less of a warm-up; the numbers of the recipe otherwise."""
    warmup = min(recipe.warmup, 10 * recipe.dt / recipe.substeps)
    counts = dict.fromkeys(SPLITS, 2)
    large = prod(recipe.solver_shape or recipe.grid.shape) > 20000
    frames = dict.fromkeys(SPLITS, 2 if large else 3)
    return dataclasses.replace(recipe, warmup=warmup, n_trajectories=counts, n_frames=frames, chunk=2)


def two_samples(name: str) -> Trajectory:
    """Of a case; skipped where what it needs is not installed."""
    try:
        return compose(name).simulate("train", [0, 1])
    except ModuleNotFoundError as missing:
        pytest.skip(f"needs {missing.name}")


@pytest.mark.parametrize("name", MARCHED)
def test_a_recipe_generates_two_trajectories_that_differ_and_move(name):
    recipe = compose(name)
    assert recipe.name == name
    batch = tiny(recipe).simulate("train", [0, 1])
    assert torch.isfinite(batch.u).all()
    assert batch.u.shape[3:] == recipe.grid.shape and batch.u.dtype == torch.float32
    scale = batch.u[:, 0].std()
    assert scale > 0 and (batch.u[0, 0] - batch.u[1, 0]).abs().max() > 0.1 * scale
    assert (batch.u[:, 1] - batch.u[:, 0]).abs().max() > 1e-3 * scale


@pytest.mark.parametrize("name", SOLVED)
@pytest.mark.slow
def test_a_case_gives_two_samples_that_differ_and_obey_its_equation(name):
    """Values are zero outside the mask; the equation finds all that it needs, and some number everywhere."""
    recipe = compose(name)
    problem, batch = recipe.problem("train"), two_samples(name)
    assert recipe.name == name and batch.u.shape[3:] == recipe.grid.shape
    for channel in range(problem.n_channels):
        values = batch.u[:, -1, channel]
        assert values.std() > 0 and (values[0] - values[1]).abs().max() > 1e-3 * values.std(), problem.fields[channel]
    if problem.has_mask:
        assert set(batch.mask.unique().tolist()) <= {0.0, 1.0} and batch.mask.flatten(2).any(2).all()
        assert not (batch.u * (1 - batch.mask[:, None])).any()
    u = batch.u.double()
    params = None if batch.params is None else batch.params.repeat_interleave(problem.n_frames, 0)
    pde, grid, dt = problem.at(params)
    coeffs = batch.coeffs.double().repeat_interleave(problem.n_frames, 0).split(1, 1) if problem.coeffs else ()
    named = {field.name: values for field, values in zip(problem.coeffs, coeffs, strict=True)}
    time = batch.t.reshape(-1, 1, *[1] * problem.ndim)
    d = FiniteDifference(grid, frames=problem.n_frames, dt=dt, time=time, coeffs=named)
    residual = pde.residual(d.field(u.flatten(0, 1)), d)
    assert residual.shape[:1] + residual.shape[2:] == (2 * problem.n_frames, *problem.grid.shape)
    assert torch.isfinite(residual).all()
    values = dict(zip(problem.params, [] if batch.params is None else batch.params[0].tolist(), strict=True))
    assert pde.describe(values).endswith(".")


@pytest.mark.parametrize("name", MARCHED)
def test_a_frame_is_a_whole_number_of_steps(name):
    recipe = compose(name)
    steps = recipe.warmup / recipe.dt * recipe.substeps
    assert abs(steps - round(steps)) < 1e-6, "the warm-up is not a whole number of steps"


@pytest.mark.parametrize("name", RECIPES)
def test_a_dataset_fits_a_laptop(name):
    recipe = compose(name)
    assert sum(recipe.n_trajectories[s] * n_bytes(recipe, s) for s in SPLITS) < 200e6 or name in LARGE


@pytest.mark.parametrize("times", [generation_times, evaluation_times])
def test_the_help_states_what_each_dataset_costs(times):
    assert [name for name, time in times().items() if not re.fullmatch(r"\d+ (s|min|h)", time)] == []


def n_bytes(recipe: BaseRecipe, split: str) -> int:
    """Of the fields and inputs of one trajectory, in float32."""
    problem = recipe.problem(split)
    return 4 * (problem.n_frames * problem.n_channels + len(problem.coeffs)) * prod(problem.grid.shape)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_a_card(name):
    text = (CARDS / name / "README.md").read_text()
    for heading in (
        "One line description",
        "Longer description",
        "Equation",
        "# About the data",
        "Dimension of discretized data",
        "Fields available",
        "Number of trajectories",
        "Estimated size",
        "Grid type",
        "Initial conditions",
        "Boundary conditions",
        "Simulation time-step",
        "Data are stored separated by",
        "Total time range",
        "Spatial domain size",
        "Set of coefficients",
        "Approximate time to generate",
        "Validity of the reference",
        "# What is interesting and challenging",
        "How to evaluate",
        "Licence",
    ):
        assert f"**{heading}" in text or heading in text, f"datasets/{name}/README.md lacks {heading!r}"
    assert f"python -m pdekit.generate data={name}" in text
