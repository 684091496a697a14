"""A reference beyond what is stored: the same trajectories, in blocks, from several starts, on other grids."""

import dataclasses
from functools import partial

import pytest
import torch

from pdekit.calculus.resample import resample
from pdekit.evaluation.references.choose import can_go_on, reference_for
from pdekit.evaluation.references.continued import Continued
from pdekit.evaluation.references.stored import Span, StoredReference
from pdekit.fields import Grid
from pdekit.pdes import Burgers, KuramotoSivashinsky, Lorenz96, ShallowWater
from pdekit.recipes.base import SPLITS
from pdekit.recipes.initial import Channels, Constant, GaussianBumps, RandomConstant, RandomFourierSeries
from pdekit.recipes.trajectories import Recipe, Uniform
from pdekit.solvers import etdrk, finite_volume
from tests.recipes.test_trajectories import basin


def recipe(**changes) -> Recipe:
    known = dict(
        name="ks",
        pde=KuramotoSivashinsky(),
        grid=Grid((32,), (22.0,)),
        initial=RandomFourierSeries(n_terms=4, min_mode=1, max_mode=2, amplitude=0.5),
        solver=etdrk,
        dt=0.4,
        substeps=4,
        warmup=4.0,
        n_trajectories=dict.fromkeys(SPLITS, 5),
        n_frames={"train": 3, "valid": 3, "test": 6},
    )
    return Recipe(**{**known, **changes})


class Made:
    """The stored test split of a recipe."""

    def __init__(self, made: Recipe, n_frames: int | None = None):
        made = dataclasses.replace(made, n_frames={**made.n_frames, "test": n_frames or made.n_frames["test"]})
        self.problem, self.n_trajectories = made.problem("test"), made.n_trajectories["test"]
        batch = made.simulate("test", range(self.n_trajectories))
        self.batch = dataclasses.replace(batch, params=None if batch.params is None else batch.params.float())

    def read(self, trajectory, frames=slice(None)):
        return self.batch.samples(slice(trajectory, trajectory + 1)).frames(frames)


def frames_of(reference, span) -> torch.Tensor:
    parts = list(reference.frames(span))
    assert [p.u.shape[1] for p in parts] == [s.stop - s.start for s in span.parts]
    assert torch.equal(torch.cat([p.t for p in parts], 1), reference.times(span))
    return torch.cat([p.u for p in parts], 1)


WITHOUT_SPACE = {
    "pde": Lorenz96(n_sites=6),
    "grid": Grid((), ()),
    "initial": RandomConstant(mean=8.0, std=0.5),
    "dt": 0.05,
    "warmup": 1.0,
}
LAW = {
    "pde": ShallowWater(),
    "grid": Grid((8, 8), (5.0, 5.0)),
    "solver_shape": (24, 24),
    "initial": Channels(
        (
            GaussianBumps(number=(1, 2), amplitude=(0.1, 0.2), radius=(0.1, 0.2), background=1.0),
            Constant(0.0),
            Constant(0.0),
        )
    ),
    "solver": partial(finite_volume, scheme="muscl", order=2),
    "dt": 0.1,
    "warmup": 0.0,
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"solver_shape": (48,)},
        {"params": {"viscosity": Uniform(0.8, 1.2), "dt": Uniform(0.3, 0.5)}},
        WITHOUT_SPACE,
        LAW,
    ],
    ids=["plain", "restricted", "varying", "without space", "law"],
)
def test_it_is_the_same_trajectory_with_more_frames(changes):
    """Bit by bit what the recipe would have stored, whatever the block, the batch and the starts."""
    made = recipe(**changes)
    stored, long = Made(made), Made(made, 20)
    for trajectories, starts, size in (((0, 3), (0, 0), 4), ((4,), (2,), 1), ((1, 1, 2), (0, 5, 3), 50)):
        span = Span(trajectories, starts, 2, 12, size)
        expected = StoredReference(long)
        reference = reference_for(stored, made, 20)
        assert isinstance(reference, Continued) and reference.problem.n_frames == 20
        assert torch.equal(frames_of(reference, span), frames_of(expected, span))
        torch.testing.assert_close(reference.times(span), expected.times(span), rtol=1e-14, atol=0)
        first, same = next(reference.frames(span)), next(expected.frames(span))
        assert torch.equal(first.index, same.index)
        assert first.params is None or torch.equal(first.params, same.params)


def test_work_is_told_as_it_is_done():
    made = recipe()
    reference, told = Continued(made, Made(made), 20), []
    reference.tick = told.append
    span = Span((0, 3), (0, 1), 1, 9, 3)
    list(reference.frames(span))
    assert sum(told) == reference.work(span) > 2 * made.simulator.warmup_steps


def test_stored_frames_serve_as_far_as_they_go():
    made = recipe()
    stored = Made(made)
    assert isinstance(reference_for(stored, made, 6), StoredReference)
    assert isinstance(reference_for(stored), StoredReference)
    assert can_go_on(made) and not can_go_on(None)
    with pytest.raises(
        ValueError, match="at most the 6 frames that each trajectory has, 7 are needed: these data have no"
    ):
        reference_for(stored, None, 7)


def test_finer_than_the_solver_is_interpolated_and_finer_than_stored_is_made_again():
    """All are one function: on every grid the values at common points agree."""
    made = recipe(grid=Grid((12,), (22.0,)), solver_shape=(64,))
    stored, span = Made(made), Span((0, 2), (0, 0), 1, 5, 2)
    fine = reference_for(stored, made, shape=(64,))
    finer = reference_for(stored, made, shape=(128,))
    assert isinstance(fine, Continued) and fine.problem.grid.shape == (64,)
    u = frames_of(fine, span)
    torch.testing.assert_close(frames_of(finer, span)[..., ::2], u, rtol=1e-5, atol=1e-5)
    coarse = resample(u.flatten(0, 1), (12,)).unflatten(0, u.shape[:2])
    torch.testing.assert_close(coarse, frames_of(StoredReference(stored), span), rtol=1e-5, atol=1e-5)
    interpolated = reference_for(stored, None, shape=(64,))
    assert isinstance(interpolated, StoredReference) and (frames_of(interpolated, span) - u).abs().max() > 1e-2, (
        "modes are lost"
    )
    assert isinstance(reference_for(Made(recipe()), recipe(), shape=(64,)), StoredReference), "the solver knew no more"


def test_a_grid_that_does_not_fit_is_refused_before_the_wait():
    made = basin()
    stored = Made(recipe())
    stored.problem = made.problem("test")
    with pytest.raises(ValueError, match="expected at most 64 points on an axis of averages over cells, got 96"):
        Continued(made, stored, 20, (96,))


def test_a_reference_that_diverges_is_refused():
    wild = RandomFourierSeries(n_terms=4, min_mode=1, max_mode=2, amplitude=1e9)
    made = recipe(pde=Burgers(viscosity=1e-3), initial=wild, substeps=1, warmup=0.0)
    stable = Made(recipe(pde=Burgers(viscosity=0.5), warmup=0.0))
    with pytest.raises(ValueError, match="expected a finite reference, found NaN or Inf in test trajectory 0"):
        list(Continued(made, stable, 100).frames(Span((0,), (0,), 1, 99, 50)))
