"""Nearest neighbour, and what baselines of steady problems share."""

import math

import pytest
import torch

from pdekit.fields import Field, Grid, Points
from pdekit.models.baselines.nearest import Nearest
from pdekit.runs import load, save_weights
from pdekit.settings import Training
from tests.models.small import make_batch, make_problem

STEADY = dict(n_frames=1, dt=None, coeffs=(Field("k"), Field("f")), params=("q",))


def calibrated(**changes):
    problem = make_problem(**{**STEADY, **changes})
    batch = make_batch(problem, n=12)
    model = Nearest(problem)
    model.calibrate([batch.samples(slice(0, 5)), batch.samples(slice(5, 12))])
    return model, batch


def test_a_training_sample_is_its_own_neighbour():
    model, batch = calibrated()
    given = batch.frames(slice(0, 0))
    torch.testing.assert_close(model.forecast(given, batch.t, members=2)[1], batch.u, rtol=1e-5, atol=1e-5)
    assert model.loss(batch)[0] < 1e-10 and model.stages(Training()) == ()


def test_the_neighbour_is_the_nearest_in_normalised_inputs():
    """Found by hand: mean square differences over standard deviations, fields and params alike."""
    model, batch = calibrated(params=("q", "r"))
    new = make_batch(model.problem, n=20, seed=1)
    k, p = batch.coeffs, batch.params
    k_scale = k.std((0, 2), correction=0)
    p_scale = p.std(0, correction=0)
    distance = torch.stack(
        [
            (((new.coeffs - k[j]) / k_scale[:, None]) ** 2).mean(2).sum(1)
            + (((new.params - p[j]) / p_scale) ** 2).sum(1)
            for j in range(12)
        ]
    )
    expected = batch.u[distance.argmin(0)]
    assert len(set(distance.argmin(0).tolist())) > 3, "several neighbours, or nothing is tested"
    torch.testing.assert_close(model.forecast(new.frames(slice(0, 0)), new.t)[0], expected, rtol=1e-5, atol=1e-5)


def test_units_of_an_input_do_not_matter():
    model, batch = calibrated()
    other, new = Nearest(model.problem), make_batch(model.problem, n=20, seed=1)
    factor = torch.tensor([1e3, 1e-4], dtype=torch.float64)[:, None]

    def changed(b):
        return type(b)(**{**vars(b), "coeffs": 7 + factor * b.coeffs})

    other.calibrate([changed(batch)])
    here = model.forecast(new.frames(slice(0, 0)), new.t)
    torch.testing.assert_close(other.forecast(changed(new).frames(slice(0, 0)), new.t), here, rtol=1e-5, atol=1e-5)


def test_masks_are_inputs_and_what_lies_outside_is_none_of_them():
    model, batch = calibrated(has_mask=True)
    assert 0 < batch.mask.mean() < 1
    outside = torch.where(batch.mask > 0, batch.coeffs, math.nan)
    given = type(batch)(**{**vars(batch.frames(slice(0, 0))), "coeffs": outside})
    u = model.forecast(given, batch.t)[0]
    inside = (batch.mask[:, None] > 0).expand_as(u)
    torch.testing.assert_close(u[inside], batch.u[inside], rtol=1e-5, atol=1e-5)


def test_it_is_saved_and_loaded_whatever_the_size_of_its_split(tmp_path):
    model, batch = calibrated()
    config = {"model": {"_target_": "pdekit.models.baselines.nearest.Nearest"}}
    save_weights(tmp_path, model, "nearest", config)
    again, given = load(tmp_path).model, batch.frames(slice(0, 0))
    assert torch.equal(again.forecast(given, batch.t), model.forecast(given, batch.t))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(n_frames=6, dt=0.5), "expected a steady problem, got one of 6 frames"),
        (dict(coeffs=(), params=()), "expected coeffs or params, found none"),
        (dict(grid=Points(2, 9)), "expected a uniform grid, got Points"),
    ],
)
def test_problems_that_it_is_not_defined_for(changes, said):
    with pytest.raises(ValueError, match=said):
        Nearest(make_problem(**{**STEADY, **changes}))


def test_a_grid_of_two_axes():
    model, batch = calibrated(grid=Grid((6, 5), (1.0, 1.0), layout=("nodes", "nodes")))
    u = model.forecast(batch.frames(slice(0, 0)), batch.t)
    torch.testing.assert_close(u[0], batch.u, rtol=1e-5, atol=1e-5)
