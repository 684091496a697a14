"""Each trap fails the rows of its fault, and no other row: all but the fault is the reference solver."""

import dataclasses

import pytest
import torch

from pdekit.checks.catalogue import rows_of
from pdekit.checks.ground import Forecaster
from pdekit.checks.run import run_check
from pdekit.checks.verdict import FAIL
from pdekit.models.baselines.simulator import SimulatorBaseline
from pdekit.pdes import KuramotoSivashinsky
from tests.checks.grounds import ground
from tests.checks.traps import trapped


def constant(u, after):
    return torch.full_like(u, 0.3)


def persistence(u, after):
    return u


def shifted_by_a_cell(u, after):
    return after.roll(1, 2)


def damped(u, after):
    return 0.5 * after


def drifting(u, after):
    return after + 0.02


def zeros_beyond_the_ends(u, after):
    """At the two ends of a periodic box the mean of two neighbours, one of which is a zero of the padding."""
    ends = torch.arange(u.shape[2]) % (u.shape[2] - 1) == 0
    return torch.where(ends, 0.5 * after, after)


def wrong_on_odd_grids(u, after):
    return after if u.shape[2] % 2 == 0 else u


def scaled_by_its_batch(u, after):
    return after * (1 + 0.0005 * len(u))


MIRRORED = {"symmetry.mirror_x", "symmetry.mirror_x.rollout"}
BOOSTED = {"symmetry.boost_x", "symmetry.boost_x.rollout"}
FOLLOWED = {"rest.step", "rest.rollout"}
FAILED = {
    persistence: FOLLOWED | BOOSTED | {"budget.energy"},
    constant: FOLLOWED
    | BOOSTED
    | MIRRORED
    | {"rest.uniform", "rest.zero", "conservation.mass", "budget.energy", "time.long"},
    shifted_by_a_cell: FOLLOWED | MIRRORED | {"grid.finer", "grid.half"},
    damped: FOLLOWED | BOOSTED | {"budget.energy", "time.long"},
    wrong_on_odd_grids: {"grid.odd"},
    scaled_by_its_batch: {"engineering.batch"},
}


def failed(states, forecaster):
    """Names of the rows that fail; the start of a check is the same for all traps."""
    rows = [row for row in rows_of(states.problem) if not row.name.startswith("domain.")]
    return {one.row for one in run_check(forecaster, states, rows) if one.verdict.verdict == FAIL}


@pytest.mark.parametrize("trap", FAILED, ids=lambda trap: trap.__name__)
def test_a_trap_fails_its_rows(trap):
    states = ground("ks")
    assert failed(states, trapped(states, trap)) == FAILED[trap]


def test_a_slow_drift_of_the_mean_breaks_conservation():
    states = ground("kdv")
    assert failed(states, trapped(states, drifting)) == {"conservation.mass", "time.long"}


def test_padding_with_zeros_breaks_the_shift():
    states = ground("advection")
    found = failed(states, trapped(states, zeros_beyond_the_ends))
    assert {row for row in found if row.startswith("symmetry.")} >= {"symmetry.shift_x", "symmetry.shift_x.rollout"}
    assert "locality.kick" not in found and "grid.odd" not in found


@dataclasses.dataclass(frozen=True)
class WrongSign(KuramotoSivashinsky):
    """u_t - u u_x + u_xx + nu u_xxxx = 0."""

    def nonlinear(self, u, d):
        return 0.5 * d.x(u * u)


def test_the_wrong_sign_of_a_term_breaks_the_boost_that_the_term_allows():
    states = ground("ks")
    simulator = dataclasses.replace(states.solver.model.simulator, pde=WrongSign())
    wrong = Forecaster("wrong sign", SimulatorBaseline(states.problem, simulator))
    assert failed(states, wrong) == FOLLOWED | BOOSTED


@pytest.mark.parametrize(("spread", "expected"), [
    (0.0, {f"uncertainty.{name}" for name in ("coverage_50", "coverage_90", "spread", "variogram")}), (1.0, set()),
])  # fmt: skip
def test_an_ensemble_without_spread_is_no_ensemble(spread, expected):
    """Members and reference are drawn alike about the same centre; without spread all members are the centre."""
    states = ground("ks")
    generator = torch.Generator().manual_seed(0)

    class Members(Forecaster):
        def ensemble(self, given, t):
            centre = states.frames(states.solver, states.horizon)
            drawn = torch.randn(self.members, *centre.shape, dtype=torch.float64, generator=generator)
            return centre + 0.3 * spread * drawn

    noise = torch.randn(states.reference.shape, dtype=torch.float64, generator=generator)
    noisy = dataclasses.replace(states, reference=states.reference + 0.3 * noise, kept={}, kept_members={})
    members = Members("members", trapped(states, lambda u, after: after, stochastic=True).model)
    rows = [row for row in rows_of(states.problem) if row.name.startswith("uncertainty.")]
    found = {one.row for one in run_check(members, noisy, rows) if one.verdict.verdict == FAIL}
    assert found == expected
