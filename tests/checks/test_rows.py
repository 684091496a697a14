"""Rows on problems of other kinds: with forcing, with a mask, and nets that do not run on other grids."""

import dataclasses
from functools import partial

import pytest
import torch

from pdekit.checks.catalogue import chosen_rows
from pdekit.checks.ground import Forecaster, TrainingRange
from pdekit.checks.run import run_check
from pdekit.checks.verdict import CANNOT_SAY, PASS
from pdekit.data.arrays import Arrays
from pdekit.data.module import DataModule
from pdekit.fields import Field, Grid
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.one_step import OneStep
from pdekit.pdes import AllenCahn
from pdekit.workflows.check_run import CheckSettings, ground_of
from tests.checks.grounds import ground
from tests.checks.traps import trapped
from tests.models.small import PointwiseNet, make_batch, make_problem


def states_of(problem, batch):
    data = DataModule(*(Arrays(problem, batch) for _ in range(3)))
    return ground_of(1, data, None, CheckSettings(against="data", horizon=3, n_states=3))


def asked(states, forecaster, *names):
    found = run_check(forecaster, states, chosen_rows(states.problem, names))
    return {one.row: one.verdict for one in found}


def test_a_forecast_of_a_forced_problem_is_given_the_forcing():
    problem = make_problem(forcing=(Field("f"),))
    batch = make_batch(problem).to(torch.float32)
    model = OneStep(problem, partial(PointwiseNet))
    model.calibrate([batch])
    states = states_of(problem, batch)
    found = asked(states, Forecaster("forced", model), "rest.step", "rest.rollout", "engineering.batch")
    assert all(verdict.share[1] == verdict.share[1] for verdict in found.values()), "each row has a share"
    assert found["engineering.batch"].verdict == PASS


def test_what_lies_outside_of_a_mask_is_not_asked():
    problem = make_problem(fields=AllenCahn().fields, pde=AllenCahn(), has_mask=True)
    batch = make_batch(problem).to(torch.float32)
    states = states_of(
        problem, dataclasses.replace(batch, u=torch.where(batch.mask[:, None] > 0, 0.9 * torch.sin(batch.u), 5.0))
    )
    rows = ("conservation.bounds", "domain.start")
    persistence = Forecaster("persistence", Persistence(problem))
    assert asked(states, persistence, *rows)["conservation.bounds"].verdict == PASS
    unknown = dataclasses.replace(states, training=TrainingRange(states.training.states * torch.nan))
    assert "a part of the box only" in asked(unknown, persistence, *rows)["domain.start"].reason


def test_a_net_that_does_not_fit_another_grid_is_a_reason():
    states = ground("ks")

    def only_there(u, after):
        if u.shape[2] != 64:
            raise RuntimeError("The size of tensor a (33) must match the size of tensor b (32)\nat layer 2")
        return after

    verdict = asked(states, trapped(states, only_there), "grid.odd")["grid.odd"]
    assert verdict.verdict == CANNOT_SAY
    assert verdict.reason == (
        "the model does not run on 65 points: The size of tensor a (33) must match the size of tensor b (32)"
    )


def test_half_of_the_smallest_grid_is_no_other_grid():
    problem = make_problem(grid=Grid((4,), (1.0,)))
    still = Forecaster("still", Persistence(problem))
    states = dataclasses.replace(states_of(problem, make_batch(problem)), solver=still)
    verdict = asked(states, still, "grid.half")["grid.half"]
    assert verdict.verdict == CANNOT_SAY and "no axis of more than 4 intervals" in verdict.reason


@pytest.mark.parametrize("rows", [[], "symmetry.*"])
def test_rows_are_a_list_of_names(rows):
    with pytest.raises(ValueError, match="expected rows as a list of names or patterns, or None for all"):
        CheckSettings(rows=rows)


class Off(Forecaster):
    """A forecaster that is 0.001 too large everywhere."""

    def ensemble(self, given, t):
        return super().ensemble(given, t) + 1e-3


def test_a_component_that_vanishes_has_no_scale_of_its_own():
    problem = make_problem(fields=(Field("u", vector="velocity"), Field("v", vector="velocity")))
    batch = make_batch(problem).to(torch.float32)
    batch.u[:, :, 1] *= 1e-9
    still = Forecaster("still", Persistence(problem))
    states = dataclasses.replace(states_of(problem, batch), solver=still, long=4)
    (row,) = chosen_rows(problem, ["time.long"])
    assert float(row.value(Off("off", still.model), states).max()) < 1e-2
