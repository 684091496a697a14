"""Every recipe composes, generates, and has a card."""

import dataclasses
from math import prod
from pathlib import Path

import hydra
import pytest
import torch
from omegaconf import OmegaConf

from pdekit.command_line import CONFIGS, choices
from pdekit.data.base_recipe import SPLITS
from pdekit.data.recipe import Recipe, recipe_from
from pdekit.data.simulation import simulate

CARDS = Path(__file__).parents[2] / "datasets"
RECIPES = list(choices("data"))


def compose(name: str) -> Recipe:
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = hydra.compose("generate", [f"data={name}"])
    return recipe_from(OmegaConf.to_container(config.data, resolve=True))


def tiny(recipe: Recipe) -> Recipe:
    """Two trajectories of three frames, and less of a warm-up; the numbers of the recipe otherwise."""
    warmup = min(recipe.warmup, 10 * recipe.dt / recipe.substeps)
    counts = dict.fromkeys(SPLITS, 2)
    large = prod(recipe.solver_shape or recipe.grid.shape) > 20000
    frames = dict.fromkeys(SPLITS, 2 if large else 3)
    return dataclasses.replace(recipe, warmup=warmup, n_trajectories=counts, n_frames=frames, chunk=2)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_generates_two_trajectories_that_differ_and_move(name):
    recipe = compose(name)
    assert recipe.name == name
    batch = simulate(tiny(recipe), "train", [0, 1])
    assert torch.isfinite(batch.u).all()
    assert batch.u.shape[3:] == recipe.grid.shape and batch.u.dtype == torch.float32
    scale = batch.u[:, 0].std()
    assert scale > 0 and (batch.u[0, 0] - batch.u[1, 0]).abs().max() > 0.1 * scale
    assert (batch.u[:, 1] - batch.u[:, 0]).abs().max() > 1e-3 * scale


@pytest.mark.parametrize("name", RECIPES)
def test_a_frame_is_a_whole_number_of_steps_and_fits_a_laptop(name):
    recipe = compose(name)
    steps = recipe.warmup / recipe.dt * recipe.substeps
    assert abs(steps - round(steps)) < 1e-6, "the warm-up is not a whole number of steps"
    frames = sum(recipe.n_trajectories[s] * recipe.n_frames[s] for s in SPLITS)
    size = 4 * frames * len(recipe.pde.fields) * prod(recipe.grid.shape)
    assert size < 200e6 or name == "kolmogorov_re1000"


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
