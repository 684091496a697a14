"""`pdekit.solve` gives what the reference solver gives, with names."""

import numpy as np
import pytest
import torch

import pdekit
from pdekit.fields import Grid
from pdekit.pdes import KuramotoSivashinsky
from pdekit.simulate import checked_shape, only_value
from pdekit.solvers import etdrk, integrate
from tests.recipes.slab import Slab, slab


def test_a_start_of_ones_own_is_solved_on_the_grid_of_the_dataset():
    x = Grid((256,), (64.0,)).coordinates(0)
    u0 = torch.cos(2 * np.pi * x / 64).reshape(1, 1, -1)
    data = pdekit.solve("ks", u0=u0, n_frames=3, params={"viscosity": 0.8})
    step = etdrk(KuramotoSivashinsky(0.8), Grid((256,), (64.0,)), 0.8 / 32)
    expected = integrate(step, u0, 3, 32)[:, :, 0]
    np.testing.assert_allclose(data.u.values, expected, atol=1e-12)
    assert data.time.values.tolist() == [0.0, 0.8, 1.6]


def test_seeds_and_shapes():
    first = pdekit.solve("ks", n_frames=2, n_trajectories=2, seed=1, shape=(64,))
    again = pdekit.solve("ks", n_frames=2, n_trajectories=2, seed=1, shape=(64,))
    other = pdekit.solve("ks", n_frames=2, n_trajectories=2, seed=2, shape=(64,))
    assert first.u.shape == (2, 2, 64)
    assert first.identical(again)
    assert abs(first.u - other.u).max() > 0.1
    assert abs(first.u[0] - first.u[1]).max() > 0.1


def test_wrong_input_says_what_exists():
    with pytest.raises(ValueError, match=r"there are: .*kolmogorov"):
        pdekit.solve("kolmogorof")
    with pytest.raises(ValueError, match="expected parameters of KuramotoSivashinsky"):
        pdekit.solve("ks", params={"nu": 1.0})
    with pytest.raises(ValueError, match="expected an array that ends in"):
        pdekit.solve("ks", u0=np.zeros((1, 1, 100)))
    with pytest.raises(AttributeError, match="it has"):
        _ = pdekit.solved


def test_recipes_that_build_on_others_can_be_solved():
    data = pdekit.solve("ks_varying", n_frames=2, n_trajectories=2, shape=(64,))
    assert data.u.shape == (2, 2, 64)
    steps = data.time_of_sample[:, 1].values
    assert steps[0] != steps[1] and all(0.72 <= dt <= 0.88 for dt in steps)


def test_a_start_may_be_one_field_or_named_axes():
    x = Grid((32, 32), (2 * np.pi, 2 * np.pi)).mesh()
    u0 = torch.cos(x[0]) * torch.sin(2 * x[1])
    plain = pdekit.solve("kolmogorov", u0=u0[None, None], n_frames=2)
    assert plain.identical(pdekit.solve("kolmogorov", u0=u0.numpy(), n_frames=2))
    first = plain.isel(time=0)
    turned = first.transpose("y", "sample", "x")
    for start in (first, turned, turned["vorticity"]):
        again = pdekit.solve("kolmogorov", u0=start, n_frames=2)
        np.testing.assert_allclose(again.vorticity, plain.vorticity, atol=1e-5)  # the data are made in float32


@pytest.mark.parametrize(
    "change",
    [
        {"n_frames": 0},
        {"n_frames": 10**12},
        {"n_trajectories": 0},
        {"shape": (64, 64)},
        {"shape": (0,)},
        {"device": "gpuu"},
        {"u0": np.full(256, np.nan)},
        {"u0": np.zeros((1, 2, 1, 256))},
    ],
)
def test_impossible_wishes_are_refused(change):
    with pytest.raises(ValueError, match="expected"):
        pdekit.solve("ks", **change)


@pytest.mark.parametrize("shape", [64, (64.5,), "a", (), (64, 64), (True,), (-1,)])
def test_a_shape_is_one_whole_number_for_each_axis(shape):
    with pytest.raises(ValueError, match=r"expected shape as 1 whole numbers above zero.*shape=\(64,\)"):
        checked_shape(shape, 1)
    assert checked_shape(np.array([8, 4]), 2) == (8, 4) and checked_shape(None, 1) is None


def test_two_values_of_a_parameter_are_not_one():
    with pytest.raises(ValueError, match=r"expected one value for params\['viscosity'\], got 2"):
        only_value("viscosity", np.array([0.1, 0.2]))
    assert only_value("viscosity", np.array([0.1])) == 0.1


def test_steady_samples_come_with_their_inputs():
    data = pdekit.solve("darcy", n_trajectories=2, params={"intervals": 56, "source": 2.0}, seed=3)
    assert data.pressure.dims == ("sample", "time", "x", "y") and data.pressure.shape == (2, 1, 29, 29)
    assert set(np.unique(data.permeability)) == {3.0, 12.0} and data.permeability.dims == ("sample", "x", "y")
    half = pdekit.solve("darcy", n_trajectories=2, params={"intervals": 56}, seed=3)
    np.testing.assert_allclose(data.pressure, 2 * half.pressure)
    assert not np.allclose(half.pressure[0], half.pressure[1])
    finer = pdekit.solve("darcy", params={"intervals": 56}, seed=3, shape=(57, 57))
    np.testing.assert_allclose(finer.pressure[0, 0, ::2, ::2], half.pressure[0, 0])


def test_scalars_that_a_case_draws_can_be_given(monkeypatch):
    monkeypatch.setattr("pdekit.simulate.recipe_named", lambda name: slab(Slab(masked=True)))
    data = pdekit.solve("slab", n_trajectories=3, params={"source": 1.5})
    assert data.source.values.tolist() == [1.5] * 3
    assert np.isnan(data.pressure[:, 0, 8:]).all() and np.isfinite(data.pressure[:, 0, :8]).all()


@pytest.mark.parametrize("change", [{"u0": np.zeros((1, 29, 29))}, {"n_frames": 3}, {"params": {"viscosity": 1.0}}])
def test_what_a_steady_problem_does_not_have_is_refused(change):
    with pytest.raises(ValueError, match=r"expected no u0 and no n_frames|expected numbers that DarcyFlow draws"):
        pdekit.solve("darcy", **change)


def test_the_package_of_data_is_found_without_importing_it(monkeypatch):
    monkeypatch.delattr(pdekit, "data", raising=False)
    assert callable(pdekit.data.from_arrays)
