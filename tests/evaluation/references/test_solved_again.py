"""Samples of a case on other grids: the same functions, whatever the grid; neural operators are asked there."""

from functools import partial

import pytest
import torch

from pdekit.data.arrays import Arrays
from pdekit.evaluation.references.choose import on_grid, reference_for
from pdekit.evaluation.references.solved_again import SolvedAgain
from pdekit.evaluation.resolutions import across_resolutions
from pdekit.models.one_step import OneStep
from pdekit.models.operator import Operator
from pdekit.nets.branch import ConvolutionalBranch
from pdekit.nets.deeponet import DeepONet, Trunk
from pdekit.nets.fno import FNO
from tests.recipes.slab import Slab, slab


def stored(recipe):
    return Arrays(recipe.problem("test"), recipe.simulate("test", range(4)))


def test_it_is_the_same_function_on_more_or_fewer_points():
    recipe = slab(Slab(masked=True, points=320))
    fine, coarse = SolvedAgain(recipe, "test", (33,)), SolvedAgain(recipe, "test", (9,))
    for number in (0, 3):
        expected = recipe.simulate("test", [number])
        torch.testing.assert_close(fine.read(number).u[..., ::2], expected.u)
        torch.testing.assert_close(coarse.read(number).u, expected.u[..., ::2])
        torch.testing.assert_close(fine.read(number).mask[..., ::2], expected.mask)
        assert fine.read(number).params.dtype == torch.float32
    assert fine.problem.grid.shape == (33,) and fine.n_trajectories == 4


def test_no_sample_is_solved_twice_unless_memory_is_short(monkeypatch):
    recipe = slab()
    source, count = SolvedAgain(recipe, "test", (33,)), []
    original = Slab.solve
    monkeypatch.setattr(Slab, "solve", lambda *arguments: count.append(1) or original(*arguments))
    for number in (0, 1, 0, 1):
        source.read(number, slice(0, 1))
    assert len(count) == 2
    monkeypatch.setattr("pdekit.evaluation.references.solved_again.KEPT", 40)  # one sample of 33 values
    source.read(2)
    source.read(0)
    assert len(count) == 4


def test_an_evaluation_solves_where_nothing_is_stored():
    recipe = slab()
    source = stored(recipe)
    assert on_grid(source, (17,), recipe) is source and on_grid(source, None, recipe) is source
    assert isinstance(on_grid(source, (33,), recipe, "train"), SolvedAgain)
    reference = reference_for(source, recipe, shape=(33,))
    assert reference.problem.grid.shape == (33,)
    with pytest.raises(ValueError, match="nothing is known between them"):
        reference_for(source, None, shape=(33,))


def test_neural_operators_are_asked_on_finer_and_coarser_grids():
    torch.manual_seed(0)
    recipe = slab()
    problem, batch = recipe.problem("train"), recipe.simulate("train", range(5))

    models = {
        "fno": OneStep(problem, lambda **known: FNO(**known, width=4, modes=3, n_layers=1)),
        "deeponet": Operator(
            problem,
            lambda **known: DeepONet(**known, branch=partial(ConvolutionalBranch, width=4), trunk=Trunk(4, width=8)),
        ),
    }
    for model in models.values():
        model.calibrate([batch])
    found = across_resolutions(models, stored(recipe), recipe, (0.5, 2.0), 1)
    assert found.resolution.values.tolist() == ["9", "10", "33", "34"]
    assert found.nrmse_by_resolution.notnull().all()
