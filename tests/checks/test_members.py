"""Members of an ensemble obey the equation one by one: a mean can hide what each of them breaks."""

import dataclasses

import pytest
import torch

from pdekit.checks.catalogue import chosen_rows, rows_of
from pdekit.checks.ground import Forecaster
from pdekit.checks.run import run_check
from pdekit.checks.verdict import CANNOT_SAY, FAIL, PASS
from tests.checks.grounds import finer_solver, ground
from tests.checks.traps import trapped

OFFSET = 0.4


@dataclasses.dataclass(frozen=True)
class Alternating(Forecaster):
    """An ensemble about the solver: members of even seed are high by ``even * offset``, others low by ``offset``."""

    offset: float = 0.0
    even: float = 1.0

    def ensemble(self, given, t):
        centre = super().ensemble(given, t)[0]
        signs = [-1.0 if (self.seed + m) % 2 else self.even for m in range(self.members)]
        return torch.stack([centre + self.offset * sign for sign in signs])


def ensemble(states, offset):
    return Alternating("ensemble", trapped(states, lambda u, after: after, stochastic=True).model, 4, offset=offset)


def verdicts(states, forecaster, *names):
    rows = chosen_rows(states.problem, names)
    return {one.row: one.verdict.verdict for one in run_check(forecaster, states, rows)}


def test_members_that_are_the_solver_pass():
    states = ground("ks")
    asked = ("rest.step", "rest.zero", "conservation.mass", "budget.energy", "symmetry.shift_x", "symmetry.mirror_x")
    rows = [f"members.{row}" for row in asked]
    assert verdicts(states, ensemble(states, 0.0), *rows) == dict.fromkeys(rows, PASS)
    assert not [row for row in rows_of(states.problem) if row.name.startswith("members.") and ".rollout" in row.name]


def test_a_mean_that_keeps_the_mass_hides_members_that_do_not():
    states = ground("ks")
    found = verdicts(
        states, ensemble(states, OFFSET), "*conservation.mass", "*symmetry.mirror_x", "rest.step", "*rest.zero"
    )
    assert found["conservation.mass"] == found["symmetry.mirror_x"] == found["rest.step"] == found["rest.zero"] == PASS
    assert found["members.conservation.mass"] == found["members.symmetry.mirror_x"] == FAIL
    assert found["members.rest.zero"] == FAIL


def test_the_damage_is_that_of_the_worst_member():
    """Members of mass M and M - OFFSET L; the mean of the start is zero up to rounding."""
    states = ground("ks")
    (row,) = chosen_rows(states.problem, ["members.conservation.mass"])
    length = states.problem.box.extent[0]
    found = row.value(dataclasses.replace(ensemble(states, OFFSET), even=0.0), states)
    assert found.tolist() == pytest.approx([OFFSET * length] * len(states.given), rel=1e-5)


def test_one_forecast_has_no_members():
    states = ground("ks")
    (row,) = chosen_rows(states.problem, ["members.rest.step"])
    (found,) = run_check(finer_solver(states), states, [row])
    assert found.verdict.verdict == CANNOT_SAY and "not an ensemble" in found.verdict.reason
    assert not [row for row in chosen_rows(states.problem, None, False) if row.name.startswith("members.")]
