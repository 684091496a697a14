"""Both kinds of simulator obey one protocol; a stepper's refinements are what they say."""

import dataclasses

import pytest
import torch

from pdekit.recipes.trajectories import Uniform
from pdekit.simulators.base import Refinement, Simulator, collected, parameters
from tests.recipes.slab import Slab, slab
from tests.recipes.test_trajectories import basin, recipe


@pytest.mark.parametrize("made", [recipe(), basin(), slab(), slab(Slab(dt=0.5, n_frames=3, masked=True))])
def test_recipes_have_simulators_of_one_protocol(made):
    simulator = made.simulator
    assert isinstance(simulator, Simulator) and simulator == made.simulator
    draws = [made.draw("train", number) for number in (0, 1)]
    n = made.frames_of("train")
    told = []
    u, last = collected(simulator.march(draws, made.grid, tick=told.append), n)
    assert torch.equal(u.float(), made.simulate("train", [0, 1]).u)
    assert sum(told) == len(draws) * simulator.work(n)
    assert (last.coeffs is None) == (not made.problem("train").coeffs)
    assert (last.mask is None) != made.problem("train").has_mask
    found = parameters(simulator, draws)
    assert (found is None) == (not simulator.params)


@pytest.mark.parametrize("made", [recipe(warmup=0.2), recipe(), slab()])
def test_the_work_of_a_check_is_told_as_it_is_done(made):
    told = []
    made.check(tick=told.append)
    assert sum(told) == made.check_work


def test_refinement_of_a_stepper():
    simulator, grid = recipe(substeps=3, solver_shape=(48,)).simulator, recipe().grid
    assert simulator.shape_at(grid) == (48,) and simulator.shape_at(grid, Refinement(1.5)) == (72,)
    assert simulator.shape_at(grid, Refinement(1 / 3)) == (16,)
    assert simulator.resolution(grid, Refinement(0.5, 2.0)) == {"solver_shape": [24], "substeps": 6}
    assert simulator.prepare(None, grid, Refinement(time=0.1)).substeps == 1
    half = simulator.prepare(None, grid, Refinement(dtype="float32")).step
    assert half.decode(half.encode(torch.zeros(1, 1, 48))).dtype == torch.float32
    assert dataclasses.replace(simulator, shape=None).shape_at(grid) == (32,)


def test_a_start_may_be_given():
    made = recipe(substeps=2)
    draws = [made.draw("test", 0)]
    whole, _ = collected(made.simulator.march(draws, made.grid), 5)
    later, _ = collected(made.simulator.march(draws, made.grid, start=whole[:, 2]), 3)
    torch.testing.assert_close(later, whole[:, 2:], rtol=0, atol=1e-12)


@pytest.mark.parametrize("wrong", [{"space": 0.0}, {"time": -1.0}, {"space": (1.0, 0.0)}])
def test_a_refinement_is_positive(wrong):
    with pytest.raises(ValueError, match="expected a refinement > 0"):
        Refinement(**wrong)


def test_streams_of_one_trajectory_are_apart():
    """Parameters and start are drawn from their own streams, so that one more parameter changes no start."""
    made = recipe()
    varied = dataclasses.replace(made, params={"viscosity": Uniform(0.1, 0.2)})
    one, other = made.draw("train", 3), varied.draw("train", 3)
    assert torch.equal(one.start(made.grid), other.start(made.grid)) and set(other.params) == {"viscosity"}
