"""Statistics: streamed over batches, inside the mask, one scale for a group."""

import dataclasses

import pytest
import torch

from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.models.normaliser import Moments, Normaliser

GRID = Grid((16,), (1.0,))


def problem(*fields: Field, **changes) -> Problem:
    return Problem(GRID, fields, dt=0.1, n_frames=4, **changes)


def trajectory(u: torch.Tensor, **parts) -> Trajectory:
    return Trajectory(u, torch.zeros(u.shape[:2], dtype=u.dtype), **parts)


def test_moments_do_not_depend_on_the_batches():
    values = 1e6 + torch.randn(30, 2, 16, dtype=torch.float64)
    whole, parts = Moments(2), Moments(2)
    whole.add(values)
    for part in values.split([1, 12, 17]):
        parts.add(part)
    torch.testing.assert_close(parts.mean, whole.mean, rtol=1e-15, atol=0)
    torch.testing.assert_close(parts.variance, values.var((0, 2), correction=0), rtol=1e-9, atol=0)


def test_normalised_fields_have_mean_zero_and_deviation_one():
    u = torch.tensor([[2.0], [300.0]]) * torch.randn(5, 4, 2, 16) + torch.tensor([[7.0], [1e5]])
    normaliser = Normaliser(problem(Field("T"), Field("p")))
    normaliser.calibrate([trajectory(u[:2]), trajectory(u[2:])])
    inside = normaliser.encode(u).double()
    assert inside.mean((0, 1, 3)).abs().max() < 1e-4
    torch.testing.assert_close(inside.std((0, 1, 3), correction=0), torch.ones(2).double(), rtol=1e-5, atol=0)
    torch.testing.assert_close(normaliser.decode(normaliser.encode(u)), u, rtol=1e-6, atol=1e-2)


def test_a_vector_has_one_scale_and_no_mean():
    u = torch.randn(5, 4, 3, 16, dtype=torch.float64) * torch.tensor([[3.0], [1.0], [1.0]]) + 2
    normaliser = Normaliser(problem(Field("vx", vector="v"), Field("vy", vector="v"), Field("p"))).double()
    normaliser.calibrate([trajectory(u)])
    assert normaliser.mean[:2].tolist() == [0, 0] and normaliser.mean[2] != 0
    expected = u[:, :, :2].square().mean().sqrt()
    torch.testing.assert_close(normaliser.scale[:2], expected.expand(2))


def test_the_change_is_measured_in_normalised_units():
    u = torch.randn(6, 4, 1, 16, dtype=torch.float64).cumsum(1) * 50
    normaliser = Normaliser(problem(Field("u"))).double()
    normaliser.calibrate([trajectory(u)])
    change = normaliser.encode(u).diff(dim=1)
    torch.testing.assert_close(normaliser.change_scale[0], change.std(correction=0))


def test_what_is_constant_has_scale_one():
    u = torch.full((3, 4, 1, 16), 0.1)
    given = problem(Field("u"), params=("nu",), coeffs=(Field("k"),))
    normaliser = Normaliser(given)
    batch = trajectory(u, params=torch.full((3, 1), 1e-3), coeffs=torch.full((3, 1, 16), 7.0))
    normaliser.calibrate([batch])
    for scale in (normaliser.scale, normaliser.params_scale, normaliser.coeffs_scale, normaliser.change_scale):
        assert scale.tolist() == [1]
    assert normaliser.encode_params(batch.params).abs().max() < 1e-9


def test_only_the_inside_of_the_mask_counts():
    u = torch.randn(4, 3, 1, 16, dtype=torch.float64)
    mask = torch.ones(4, 1, 16, dtype=torch.float64)
    mask[:, :, 10:] = 0
    filled = torch.where(mask[:, None] > 0, u, torch.nan)
    normaliser, expected = (Normaliser(problem(Field("u"))).double() for _ in range(2))
    normaliser.calibrate([trajectory(filled, mask=mask)])
    inside = dataclasses.replace(problem(Field("u")), grid=Grid((10,), (1.0,)))
    expected = Normaliser(inside).double()
    expected.calibrate([trajectory(u[..., :10])])
    for name, value in normaliser.state_dict().items():
        torch.testing.assert_close(value, expected.state_dict()[name], rtol=1e-13, atol=0)


def test_a_nan_in_the_data_is_named():
    u = torch.randn(4, 3, 2, 16)
    u[2, 1, 1, 5] = torch.nan
    normaliser = Normaliser(problem(Field("u"), Field("w")))
    with pytest.raises(ValueError, match="found nan in w of sample 42"):
        normaliser.calibrate([trajectory(u, index=torch.tensor([40, 41, 42, 43]))])


def test_no_data_is_an_error():
    with pytest.raises(ValueError, match="at least one training sample"):
        Normaliser(problem(Field("u"))).calibrate([])
