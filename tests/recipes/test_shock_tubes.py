"""The shock tubes of `euler_1d` are the exact solutions of their Riemann problems."""

import dataclasses

import pytest

import pdekit
from pdekit.pdes.exact_riemann import exact_riemann
from pdekit.recipes.trajectories import Uniform
from pdekit.workflows.datasets import with_parameters
from tests.recipes.test_configs import compose


def test_a_state_of_another_equation_is_refused():
    """Energy and pressure are related by gamma; the shape of a soliton depends on both coefficients."""
    recipe = compose("euler_1d", "pde.gamma=1.6")
    assert recipe.initial.gamma == recipe.pde.gamma == 1.6
    with pytest.raises(ValueError, match=r"with the gamma 1\.6 of CompressibleEuler, got 1\.4"):
        dataclasses.replace(recipe, initial=dataclasses.replace(recipe.initial, gamma=1.4))
    waves = compose("kdv")
    with pytest.raises(ValueError, match="with the dispersion 2 of KortewegDeVries"):
        dataclasses.replace(waves, pde=dataclasses.replace(waves.pde, dispersion=2.0))


def test_a_parameter_of_the_equation_is_one_of_its_initial_state():
    """solve(params=...) and runs that found a parameter change both; what is drawn, or absent, cannot be shared."""
    recipe = compose("euler_1d")
    assert with_parameters(recipe, {"gamma": 1.6}).initial.gamma == 1.6
    u = pdekit.solve("euler_1d", n_frames=1, params={"gamma": 1.6}, seed=3).energy.values
    assert (u < pdekit.solve("euler_1d", n_frames=1, seed=3).energy.values).all(), "p = (gamma - 1) times heat"
    with pytest.raises(ValueError, match=r"one gamma for all trajectories.*in which it is drawn"):
        dataclasses.replace(recipe, params={"gamma": Uniform(1.3, 1.5)})
    with pytest.raises(ValueError, match="which KdVSolitons has, too, got CompressibleEuler"):
        dataclasses.replace(recipe, initial=compose("kdv").initial)


def test_stored_tubes_are_exact_riemann_solutions():
    """The states and the place of the jump are read from the first frame; L1 error over the range of the density."""
    recipe = compose("euler_1d")
    recipe = dataclasses.replace(recipe, n_frames=dict.fromkeys(recipe.n_frames, 6), substeps=8)
    batch = recipe.simulate("test", [0, 1])
    x, t = recipe.grid.coordinates(0), float(batch.t[0, -1])
    for u in batch.u.double():
        density, momentum, energy = u[0]
        velocity = momentum / density
        pressure = 0.4 * (energy - momentum * velocity / 2)
        left, right = (tuple(float(v[end]) for v in (density, velocity, pressure)) for end in (0, -1))
        place = float((density - right[0]).sum() / (left[0] - right[0])) / len(x)
        exact, _, _ = exact_riemann(left, right, (x - place) / t)
        assert t == 0.05 and float((u[-1, 0] - exact).abs().mean()) < 0.01 * float(exact.max() - exact.min())
        assert float((u[-1, 0] - u[0, 0]).abs().mean()) > 0.02 * float(exact.max() - exact.min())
