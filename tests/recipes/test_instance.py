"""One instance of a dataset: what it is, that it is what the dataset says, and what is refused."""

import math

import numpy as np
import pytest

from pdekit.fields import Grid
from pdekit.pdes.burgers import Burgers
from pdekit.pdes.initial_states import Wave, Waves, sampled
from pdekit.plain import to_plain
from pdekit.recipes.initial import RandomFourierSeries
from pdekit.recipes.initial.fixed import Fixed
from pdekit.recipes.instance import instance_from
from pdekit.recipes.trajectories import Recipe, Uniform, recipe_from
from pdekit.solvers import etdrk
from tests.recipes.test_trajectories import basin

STATE = Waves(1, (Wave(0, -1.0, (math.pi,), -math.pi / 2),))
RECIPE = Recipe(
    name="burgers",
    pde=Burgers(viscosity=0.05),
    grid=Grid((32,), (2.0,), (-1.0,)),
    initial=RandomFourierSeries(n_terms=3),
    solver=etdrk,
    dt=0.1,
    n_trajectories=dict(train=3, valid=2, test=4),
    n_frames=dict(train=4, valid=4, test=6),
    warmup=0.2,
    params={"viscosity": Uniform(0.05, 0.1), "length_x": Uniform(1.8, 2.2)},
)
BLOCK = {"state": to_plain(STATE), "pde": to_plain(Burgers(viscosity=0.1)), "n_frames": 11, "substeps": 4}
CONFIG = {**to_plain(RECIPE), "instances": {"published": BLOCK}}


def test_an_instance_is_a_dataset_of_one_trajectory():
    instance = instance_from(CONFIG, "published")
    problem = instance.problem("test")
    assert set(instance.n_trajectories.values()) == {1} and set(instance.n_frames.values()) == {11}
    assert problem.instance == STATE and problem.params == () and problem.pde.viscosity == 0.1
    assert instance.substeps == 4 and instance.grid == RECIPE.grid and instance.warmup == 0
    batch = instance.simulate("test", [0])
    assert (batch.u[0, 0] - sampled(STATE, RECIPE.grid)).abs().max() < 1e-7  # stored in float32


def test_the_block_does_not_change_the_dataset():
    plain = recipe_from(CONFIG)
    assert plain.hash == RECIPE.hash == instance_from(CONFIG, None).hash
    assert plain.problem("train").instance is None
    assert instance_from(CONFIG, "published").hash != RECIPE.hash


@pytest.mark.parametrize("number", [0, 3])
def test_a_sample_is_the_trajectory_of_that_number(number):
    instance = instance_from(CONFIG, f"sample:{number}")
    found, expected = instance.simulate("test", [0]), RECIPE.simulate("test", [number])
    assert (found.u - expected.u).abs().max() < 1e-6
    viscosity, length = expected.params[0].tolist()
    assert instance.pde.viscosity == viscosity and instance.grid.extent == (length,)
    assert isinstance(instance.problem("test").instance, Waves)


def test_what_does_not_exist_is_said():
    with pytest.raises(ValueError, match="published, sample:N"):
        instance_from(CONFIG, "smooth")
    with pytest.raises(ValueError, match="N < 4"):
        instance_from(CONFIG, "sample:4")
    with pytest.raises(ValueError, match="expected a periodic grid for instance=sample:0"):
        instance_from(to_plain(basin()), "sample:0")


@pytest.mark.parametrize("blocks", ["published", {"published": "x"}])
def test_instances_are_given_by_name(blocks):
    with pytest.raises(ValueError, match=r"expected instances.* by name, got"):
        instance_from({**CONFIG, "instances": blocks}, "published")


def test_a_state_of_other_fields_is_refused():
    with pytest.raises(ValueError, match="2 fields"):
        Fixed(STATE)(RECIPE.grid, (*Burgers.fields, *Burgers.fields), np.random.default_rng(0))
