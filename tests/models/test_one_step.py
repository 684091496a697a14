"""The one-step method: what it is given, what it predicts, how it unrolls."""

import pytest
import torch

from pdekit.fields import Field, Grid
from pdekit.models.one_step import OneStep
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem


def one_step(problem, **options) -> OneStep:
    torch.manual_seed(2)
    model = OneStep(problem, PointwiseNet, **options).double()
    model.calibrate([make_batch(problem)])
    return model


def test_a_net_that_returns_the_truth_has_no_loss(problem, batch):
    """Both targets: the frame itself, and the change in units of its standard deviation."""
    for target in ("state", "change"):
        model = one_step(problem, target=target)
        inside = model.normalised(batch).u
        scale = model.normaliser.change_scale[:, None]
        truth = inside[:, 1] if target == "state" else (inside[:, 1] - inside[:, 0]) / scale
        model.net = FunctionNet(lambda u, condition, truth=truth: truth)
        assert model.loss(batch)[0].item() < 1e-28
        forecast = model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:2])
        torch.testing.assert_close(forecast[0], batch.u[:, 1:2], rtol=1e-12, atol=1e-12)


def test_the_change_target_starts_near_persistence(problem, batch):
    model = one_step(problem, target="change")
    torch.nn.init.zeros_(model.net.mix.weight)
    torch.nn.init.zeros_(model.net.mix.bias)
    forecast = model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:4])
    torch.testing.assert_close(forecast[0], batch.u[:, :1].expand(-1, 3, -1, -1), rtol=1e-12, atol=1e-12)


def test_parameters_condition_the_net_in_normalised_form():
    problem = make_problem(params=("nu", "kappa"))
    model, batch = one_step(problem), make_batch(problem)
    model.loss(batch)
    _, condition = model.net.calls[-1]
    assert condition.shape == (3, 2)
    torch.testing.assert_close(condition.mean(0), torch.zeros(2).double(), rtol=0, atol=1e-7)
    assert torch.equal(condition, model.normaliser.encode_params(batch.params))


def test_an_unrolled_loss_is_the_mean_over_a_rollout(problem, batch):
    model = one_step(problem, unroll=3)
    forecast = model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:4])[0]
    error = model.normaliser.encode(forecast) - model.normaliser.encode(batch.u[:, 1:4])
    torch.testing.assert_close(model.loss(batch)[0], error.square().mean())
    last = one_step(problem, unroll=3, pushforward=True).loss(batch)[0]
    torch.testing.assert_close(last, error[:, -1].square().mean())


def test_pushforward_stops_gradients_through_earlier_steps(problem, batch):
    """Its gradient is that of one step from the frame that the model made, taken as data."""
    model = one_step(problem, unroll=2, pushforward=True)
    model.loss(batch)[0].backward()
    pushed = model.net.mix.weight.grad.clone()

    first = model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:2])[0]
    single = make_batch(problem)
    single.u[:, 1:2] = first
    frame = one_step(problem)
    frame.loss(single.frames(slice(1, 3)))[0].backward()
    torch.testing.assert_close(pushed, frame.net.mix.weight.grad, rtol=1e-9, atol=1e-12)

    through = one_step(problem, unroll=2)
    through.loss(batch)[0].backward()
    assert not torch.allclose(pushed, through.net.mix.weight.grad, rtol=1e-3)


def test_history_slides_along_the_rollout(problem, batch):
    """A net that returns the older of two frames makes the forecast alternate between them."""
    model = one_step(problem, history=2, target="state")
    model.net = FunctionNet(lambda u, condition: u[:, :2])
    forecast = model.forecast(batch.frames(slice(0, 2)), batch.t[:, 2:6])[0]
    torch.testing.assert_close(forecast, batch.u[:, [0, 1, 0, 1]], rtol=1e-12, atol=1e-12)


def test_a_steady_problem_is_a_step_from_its_coefficients():
    problem = make_problem(n_frames=1, dt=None, coeffs=(Field("k"),), grid=Grid((8, 4), (1.0, 1.0)))
    model, batch = one_step(problem), make_batch(problem)
    assert model.window == (0, 1) and not model.change
    forecast = model.forecast(batch.frames(slice(0, 0)), batch.t)
    assert forecast.shape == (1, 3, 1, 2, 8, 4)
    error = model.normaliser.encode(forecast[0]) - model.normaliser.encode(batch.u)
    torch.testing.assert_close(model.loss(batch)[0], error.square().mean())


def test_the_factory_is_told_channels_conditions_and_axes():
    told = {}

    def factory(**options):
        told.update(options)
        return PointwiseNet(**options)

    grid = Grid((8, 4), (1.0, 1.0), layout=("periodic", "nodes"))
    problem = make_problem(grid=grid, coeffs=(Field("k"),), params=("nu",), has_mask=True)
    OneStep(problem, factory, history=3)
    assert told == dict(layout=("periodic", "nodes"), in_channels=3 * 2 + 1 + 2, out_channels=2, n_conditions=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(target="delta"), "target among \\('state', 'change'\\), got 'delta'"),
        (dict(unroll=0), "unroll >= 1"),
        (dict(history=0), "history >= 1"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        OneStep(make_problem(), PointwiseNet, **options)
