"""What steppers share: times, noise, the order of channels."""

import pytest
import torch

from pdekit.fields import Field, Grid, Points
from pdekit.models.base import mean_square, steps_to
from pdekit.models.noise import Noise, derived_seed
from pdekit.models.one_step import OneStep
from pdekit.models.pde_refiner import PDERefiner
from tests.models.small import PointwiseNet, make_batch, make_problem


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def refiner(problem, **options):
    torch.manual_seed(1)
    model = PDERefiner(problem, PointwiseNet, **options).double()
    model.calibrate([make_batch(problem)])
    return model


def forecast(model, batch, frames=(1, 3), members=2, seed=5):
    given, t = batch.frames(slice(0, model.history)), batch.t[:, list(frames)]
    return model.forecast(given, t, members, torch.Generator().manual_seed(seed))


def test_times_are_counted_in_the_samples_own_steps():
    steps, _ = steps_to(tensor([1.2, 1.6], [1.3, 1.9]), tensor(1.0, 1.0), tensor(0.2, 0.3))
    assert steps.tolist() == [1, 3] and steps.dtype == torch.int64


def test_float32_times_far_from_zero_are_still_multiples():
    t = (torch.arange(5001, dtype=torch.float32) * 0.05)[None]
    steps, _ = steps_to(t[:, 1:], t[:, 0], tensor(0.05))
    assert steps.tolist() == list(range(1, 5001))


@pytest.mark.parametrize(
    ("t", "message"),
    [
        ([[0.5, 0.8]], "multiples of dt = 0.5 after the last given frame at t = 0, found t = 0.8; ask for t = 1"),
        ([[0.0]], "found t = 0; ask for t = 0.5"),
        ([[1.0, 0.5]], "increasing"),
        ([[0.5, 0.5]], "increasing"),
        ([[0.5], [1.0]], "the same number of steps"),
        ([[0.5, 1e12]], r"at most 1,000,000 steps to the last time, found 2e\+12"),
        ([[float("inf")]], "at most 1,000,000 steps"),
    ],
)
def test_other_times_are_refused(t, message):
    n = len(t)
    with pytest.raises(ValueError, match=message):
        steps_to(tensor(*t), torch.zeros(n, dtype=torch.float64), torch.full((n,), 0.5, dtype=torch.float64))


def test_the_step_may_be_a_parameter_of_the_sample():
    problem = make_problem(params=("dt",))
    model = OneStep(problem, PointwiseNet).double()
    batch = make_batch(problem)
    model.calibrate([batch])
    t = batch.params * torch.arange(1, 4)
    u = model.forecast(batch.frames(slice(0, 1)), batch.t[:, :1] + t)
    assert u.shape == (1, 3, 3, 2, 8)
    with pytest.raises(ValueError, match="multiples of dt"):
        model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:4])


def test_frames_that_are_not_wanted_are_skipped():
    model = refiner(make_problem())
    batch = make_batch(model.problem)
    every, some = forecast(model, batch, (1, 2, 3, 4, 5)), forecast(model, batch, (2, 4))
    assert torch.equal(every[:, :, [1, 3]], some)


def test_the_context_is_history_then_coeffs_then_mask():
    problem = make_problem(coeffs=(Field("k"),), has_mask=True)
    model = OneStep(problem, PointwiseNet, history=2).double()
    batch = make_batch(problem)
    model.calibrate([batch])
    inside = model.normalised(batch)
    model.loss(batch)
    seen, _ = model.net.calls[-1]
    expected = torch.cat((inside.u[:, 0], inside.u[:, 1], inside.coeffs, batch.mask.expand(-1, 2, -1)), 1)
    assert torch.equal(seen, expected)


def test_outside_the_mask_nothing_matters():
    problem = make_problem(has_mask=True)
    model, batch = refiner(problem), make_batch(problem)
    hidden = make_batch(problem)
    hidden.u.masked_fill_((batch.mask == 0)[:, None], torch.nan)
    torch.manual_seed(3)
    expected, _ = model.loss(batch)
    torch.manual_seed(3)
    found, _ = model.loss(hidden)
    assert torch.isfinite(found) and torch.equal(found, expected)


def test_mean_square_is_over_the_inside():
    error = tensor([[1.0, 2.0, torch.nan]])[None]
    assert mean_square(error, tensor([[1.0, 1.0, 0.0]])[None]).item() == 2.5
    assert mean_square(error[..., :2], None).item() == 2.5


def test_a_sample_has_its_noise_whatever_the_batch():
    model = refiner(make_problem())
    batch = make_batch(model.problem)
    together = forecast(model, batch)
    alone = forecast(model, batch.samples(torch.tensor([2])))
    torch.testing.assert_close(together[:, 2], alone[:, 0], rtol=1e-12, atol=1e-12)


def test_members_differ_and_a_seed_fixes_them():
    model = refiner(make_problem())
    batch = make_batch(model.problem)
    a, b, other = forecast(model, batch), forecast(model, batch), forecast(model, batch, seed=6)
    assert torch.equal(a, b)
    assert (a[0] - a[1]).abs().max() > 1e-6 and (a - other).abs().max() > 1e-6
    assert torch.equal(forecast(model, batch, members=3)[:2], a)


def test_a_forecast_in_two_parts_is_the_forecast_in_one():
    model = refiner(make_problem(), history=2)
    batch = make_batch(model.problem)
    whole = forecast(model, batch, (2, 3, 4, 5), members=1)
    first = forecast(model, batch, (2, 3), members=1)
    given = make_batch(model.problem).frames(slice(2, 4))
    given.u.copy_(first[0])
    second = model.forecast(given, batch.t[:, [4, 5]], 1, torch.Generator().manual_seed(5))
    torch.testing.assert_close(torch.cat((first, second), 2), whole, rtol=1e-12, atol=1e-12)


def test_noise_is_the_same_in_every_precision():
    noise = Noise(torch.Generator().manual_seed(1), 1, None, 2)
    ticks = torch.tensor([3, 3])
    single, double = noise.draw(torch.zeros(2, 4), ticks), noise.draw(torch.zeros(2, 4).double(), ticks)
    assert torch.equal(single, double.float())
    assert not torch.equal(double, noise.draw(double, ticks, call=1))
    assert abs(noise.draw(torch.zeros(2, 10_000), ticks).std().item() - 1) < 0.03


def test_seeds_do_not_collide():
    keys = [(a, b, c) for a in range(10) for b in range(10) for c in range(10)]
    assert len({derived_seed(*key) for key in keys}) == 1000


def test_a_wrong_number_of_history_frames_is_refused(batch):
    model = refiner(make_problem(), history=2)
    with pytest.raises(ValueError, match="expected 2 history frames, got 1"):
        model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:2])


def test_problems_that_a_stepper_cannot_take_are_refused():
    with pytest.raises(ValueError, match="uniform grid"):
        OneStep(make_problem(grid=Points(2, 10)), PointwiseNet)
    with pytest.raises(ValueError, match="history >= 1"):
        OneStep(make_problem(grid=Grid((8,), (1.0,))), PointwiseNet, history=0)
    with pytest.raises(ValueError, match="expected two frames or more, or an input field"):
        OneStep(make_problem(grid=Grid((8,), (1.0,)), n_frames=1, dt=None), PointwiseNet)
