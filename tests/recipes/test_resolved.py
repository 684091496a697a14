"""Warnings about a reference that its own check does not confirm."""

import dataclasses

import numpy as np
import pytest

from pdekit.pdes import Burgers
from pdekit.recipes.resolved import TAIL, unresolved
from tests.recipes.test_trajectories import recipe


@pytest.mark.parametrize(
    ("step", "space", "exponent", "said"),
    [
        ([0.0, 0.01, 0.05], [0.0, 0.02, 0.09], None, ""),
        (
            [0.0, 0.2, 1.3],
            [0.0, 0.01, 0.2],
            None,
            "half the step changes it by up to 130 %, and by more than 10 % from",
        ),
        ([0.0, 0.0, 0.2], [0.0, 0.2, 1.15], None, "a finer grid changes it by up to 115 %, and by more than 10 % from"),
        ([0.0, 0.05, 0.2], [0.0, 0.01, 1.15], 0.5, ""),  # chaotic, and in agreement for a Lyapunov time of 2
        ([0.0, 0.05, 0.2], [0.0, 0.2, 1.15], 0.5, "from t = 1.5 on"),  # chaotic, but too soon
        ([0.0, 0.05, float("nan")], [0.0, 0.2, 0.3], None, "half the step changes it"),
    ],
)
def test_which_reference_is_not_resolved(step, space, exponent, said):
    check = {"time": [0.0, 1.5, 3.0], "error_step": [step] * 3, "error_space": [space] * 3}
    found = unresolved(check, "front", exponent)
    assert said in found and bool(found) == bool(said)


def test_the_remedy_fits_the_equation_and_the_solver():
    check = {"time": [0.0, 1.0], "error_space": [[0.0, 0.5]], "solver_shape": [64]}
    assert unresolved(check, "kdv").endswith("choose a finer solver_shape or grid, or do not use times beyond")
    assert "or a larger viscosity, or do not" in unresolved(check, "front", smoothing=Burgers.smoothing)
    solved = {"time": [0.0], "error_space": [[0.5]], "refinement": 1.0}
    assert unresolved(solved, "plate").endswith("choose a finer mesh of the case")


def test_energy_at_the_smallest_scales_is_announced():
    check = {"time": [0.0, 1.5], "error_step": [[0.0, 0.01]], "error_space": [[0.0, 0.01]]}
    assert not unresolved({**check, "spectrum_tail": [[1e-6, 0.019]]}, "front")
    found = unresolved({**check, "spectrum_tail": [[1e-6, 0.31]]}, "front", 5.0, ("viscosity",))
    assert found == (
        "the reference of front is not resolved: from t = 1.5 on, up to 31 % of its energy lies at the smallest scales "
        "of the solver's grid (expected less than 2 %); choose a finer solver_shape or grid, or a larger viscosity, or "
        "do not use times beyond"
    )


@pytest.mark.slow
def test_a_front_that_keeps_its_energy_has_a_tail():
    """Without viscosity to speak of, truncated Burgers conserves energy, where the shock should dissipate it."""
    long = {"train": 2, "valid": 2, "test": 30}
    front = recipe(pde=Burgers(viscosity=1e-5), substeps=10, n_frames=long)
    batch = front.simulate("test", [0])
    energy = batch.u.double().square().mean((2, 3))[0]
    assert float(energy[-1] / energy[0]) > 0.9
    thick = dataclasses.replace(front, pde=Burgers(viscosity=0.1))
    tails = [np.max(made.check()["spectrum_tail"]) for made in (front, thick)]
    assert tails[0] > 10 * TAIL and tails[1] < TAIL
    assert "smallest scales" in unresolved({"time": [0.0], "error_space": [[0.0]], "spectrum_tail": [[tails[0]]]}, "a")


def test_a_steady_reference_has_no_time():
    found = unresolved({"time": [0.0], "error_space": [[0.1], [0.3], [0.2]]}, "darcy")
    assert found.startswith("the reference of darcy is not resolved: a finer grid changes it by up to 20 %; choose ")
