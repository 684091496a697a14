"""The reference solver has every property of its equation: it passes all rows that can be asked, on every dataset."""

import dataclasses

import pytest

from pdekit.checks.catalogue import rows_of
from pdekit.checks.run import run_check
from pdekit.checks.verdict import CANNOT_SAY, FAIL, PASS
from pdekit.recipes.base import SPLITS
from pdekit.simulate import recipe_named
from tests.checks.grounds import finer_solver, ground, ground_from, small
from tests.recipes.slab import Slab, slab

# rows that a coarse grid or the equation does not answer: the reference solver itself has the damage
BY_AXES = {"symmetry.shift_y", "symmetry.shift_y.rollout", "symmetry.turn", "symmetry.turn.rollout"}
OPEN = {
    "kolmogorov": BY_AXES | {"grid.half"},  # its force is a wave along y
    "decaying_turbulence": {"grid.half"},
    "navier_stokes_3d": {"grid.half"},
    "cavity": {"grid.odd", "grid.even", "grid.half", "grid.finer"},
    "rayleigh_benard": {"grid.half"},
    "smoke": {"symmetry.turn", "symmetry.turn.rollout"},
    "radial_dam_break": {"rest.zero", "conservation.divergence", "grid.odd", "grid.even", "grid.half", "grid.finer"},
    "shallow_water": {"rest.zero", "conservation.divergence", "grid.odd", "grid.even", "grid.half"},
    # gas leaves through open ends, and jumps are not resolved; no state is zero, because a density is positive
    "euler_1d": {"rest.zero", "conservation.density", "conservation.momentum_x", "conservation.energy"},
    "riemann_2d": {
        "rest.zero", "conservation.density", "conservation.momentum_y", "conservation.divergence", "grid.odd",
        "grid.even", "grid.finer",
    },
}  # fmt: skip
FAST = ("ks", "advection", "wave_2d")
SLOW = (
    "allen_cahn", "burgers", "cahn_hilliard", "decaying_turbulence", "diffusion", "gray_scott", "kdv", "kolmogorov",
    "euler_1d", "ks_jitter", "ks_varying", "lorenz_96", "navier_stokes_3d", "nlse", "shallow_water", "sine_gordon",
    "cavity", "chaos", "radial_dam_break", "rayleigh_benard", "reaction_diffusion", "riemann_2d", "smoke",
    "smoke_obstacles", "swift_hohenberg", "wave_1d",
)  # fmt: skip
MINIMUM = {
    "lorenz_96": 9, "chaos": 8, "smoke": 10, "euler_1d": 15, "riemann_2d": 18, "cavity": 9, "smoke_obstacles": 5,
}  # fmt: skip
"""Rows that must pass: 19 at least, fewer for a system without space and boxes with walls or open ends."""
STEADY = (
    "poisson",
    "helmholtz",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("darcy", "darcy_lognormal")),
)
WHOLE = "the reference solver solves a sample as a whole, from its own start"


def verdicts(states, forecaster):
    rows = [row for row in rows_of(states.problem) if not row.name.startswith("domain.")]  # a solver has no training
    return run_check(forecaster, states, rows)


@pytest.mark.parametrize("name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_a_solver_passes_every_row(name):
    """A solver with half the step of the reference: it is right, and not the reference itself."""
    states = ground(name)
    found = verdicts(states, finer_solver(states))
    assert [one.row for one in found if one.verdict.verdict == FAIL] == []
    passed = [one.row for one in found if one.verdict.verdict == PASS]
    assert len(passed) >= MINIMUM.get(name, 19)
    asked = {one.row for one in found if one.verdict.verdict == CANNOT_SAY and one.scale[1] == one.scale[1]}
    assert asked == OPEN.get(name, set()), "the solver does not hold these rows on this grid"
    assert max(one.verdict.share[2] for one in found if one.verdict.verdict == PASS) < 0.1


def test_a_case_passes_what_can_be_asked_of_it():
    """A steady case with input fields: it follows the reference, and no other start can be asked for."""
    states = ground_from(slab(Slab(points=400)), n_states=2)
    found = {one.row: one.verdict for one in verdicts(states, states.solver)}
    passed = {row for row, verdict in found.items() if verdict.verdict == PASS}
    assert passed == {"rest.step", "engineering.batch", "engineering.precision", "engineering.seed"}
    assert "steady" in found["symmetry.shift_x"].reason and found["rest.rollout"].reason == "the reference is one frame"


@pytest.mark.parametrize("name", STEADY)
def test_steady_problems_pass_what_can_be_asked_of_them(name):
    states = ground_from(dataclasses.replace(recipe_named(name), n_trajectories=dict.fromkeys(SPLITS, 5)))
    found = verdicts(states, states.solver)
    passed = {one.row for one in found if one.verdict.verdict == PASS}
    expected = {"rest.step", "conservation.boundary", "engineering.batch", "engineering.precision", "engineering.seed"}
    assert passed == expected and not [one.row for one in found if one.verdict.verdict == FAIL]


@pytest.mark.slow
def test_a_case_in_time_is_not_asked_from_other_starts():
    """Its solver ignores the frames that it is given: it would call every other start wrong."""
    recipe = recipe_named("diffusion_sorption")
    recipe = dataclasses.replace(recipe, grid=recipe.grid.resized((32,)), n_trajectories=dict.fromkeys(SPLITS, 5))
    states = ground_from(recipe)
    found = {one.row: one.verdict for one in verdicts(states, states.solver)}
    passed = {row for row, verdict in found.items() if verdict.verdict == PASS}
    expected = {"rest.step", "rest.rollout", "conservation.boundary"}
    assert passed == expected | {"engineering.batch", "engineering.precision", "engineering.seed"}
    for row in ("rest.uniform", "symmetry.mirror_x", "grid.half", "time.long", "locality.kick"):
        assert found[row].reason == WHOLE


def test_without_a_solver_the_stored_frames_say_what_is_right():
    states = ground("ks")
    alone = ground_from(small("ks"), against="data")
    assert alone.solver is None
    found = {one.row: one.verdict for one in verdicts(alone, states.solver)}
    assert found["rest.step"].verdict == found["symmetry.mirror_x"].verdict == PASS, "declared by the equation"
    assert "no reference solver" in found["symmetry.shift_x"].reason
