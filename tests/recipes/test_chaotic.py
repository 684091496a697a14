"""Recipes of chaotic systems: their starts, frames and names."""

import numpy as np
import pytest
import torch

from pdekit.pdes.chaotic_system import SYSTEMS
from pdekit.recipes.chaotic import LORENZ_96, chaotic_recipe

COUNTS = dict.fromkeys(("train", "valid", "test"), 2)


@pytest.mark.parametrize("system", [*SYSTEMS, LORENZ_96])
def test_a_system_is_simulated_from_starts_that_differ(system):
    recipe = chaotic_recipe(system, COUNTS, COUNTS, warmup=0.0)
    assert recipe.dt == pytest.approx({LORENZ_96: 2.20}.get(system, getattr(SYSTEMS.get(system), "period", 0)) / 30)
    u = recipe.simulate("train", [0, 1]).u
    assert u.isfinite().all() and (u[0] != u[1]).any() and (u[:, 0] != u[:, 1]).any()
    assert recipe.pde.lyapunov_exponent(recipe.problem("train")) > 0.05


@pytest.mark.parametrize("system", ["henon_heiles", "double_pendulum"])
def test_starts_of_hamiltonian_systems_have_the_energy_of_the_dataset(system):
    recipe, energy = chaotic_recipe(system, COUNTS, COUNTS), SYSTEMS[system].energy
    wanted = float(energy(*torch.tensor(SYSTEMS[system].start, dtype=torch.float64)))
    for seed in range(20):
        start = recipe.initial(recipe.grid, recipe.pde.fields, np.random.default_rng(seed))
        assert float(energy(*start)) == pytest.approx(wanted, abs=1e-12)


def test_no_star_starts_beyond_the_passes_through_which_it_would_escape():
    """Henon and Heiles' potential is below the energy there too: about one start in a hundred ran to infinity."""
    recipe = chaotic_recipe("henon_heiles", COUNTS, COUNTS)
    starts = [recipe.initial(recipe.grid, recipe.pde.fields, np.random.default_rng(seed)) for seed in range(400)]
    x, y = torch.stack(starts)[:, :2].T
    inside = (y > -0.5) & (y < 1 - 3**0.5 * x.abs())
    assert inside.all(), f"{int((~inside).sum())} starts lie outside"


def test_the_forcing_of_duffings_oscillator_has_its_amplitude():
    recipe = chaotic_recipe("duffing", COUNTS, COUNTS, warmup=0.0)
    u = recipe.simulate("train", [0, 1]).u
    torch.testing.assert_close(u[:, :, 2:].norm(dim=2), torch.ones(2, 2), rtol=0, atol=1e-6)


def test_what_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"expected a system among .* found 'lorentz'"):
        chaotic_recipe("lorentz", COUNTS, COUNTS)
    with pytest.raises(ValueError, match="points_per_period >= 2"):
        chaotic_recipe("lorenz", COUNTS, COUNTS, points_per_period=1)
