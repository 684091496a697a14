"""The bridge stepper: a perfect net is exact, its loss vanishes, one call is a regression."""

import pytest
import torch

from pdekit.fields import Field
from pdekit.models.bridge import InterpolantBridge
from tests.models.small import FunctionNet, PointwiseNet, make_problem


def bridge_model(problem, batch, **options) -> InterpolantBridge:
    torch.manual_seed(3)
    model = InterpolantBridge(problem, PointwiseNet, **options).double()
    model.calibrate([batch])
    return model


def perfect_net(model, batch):
    """The net that knows the change: it reads the noise off its input."""
    inside = model.normalised(batch).u
    clean = (inside[:, 1] - inside[:, 0]) / model.change_scale(inside[:, 0])

    def net(u, condition):
        number = (condition[:, 0] * max(model.n_calls - 1, 1)).round().long()
        signal, sigma = model.shares(number, clean)
        noise = (u[:, : clean.shape[1]] - signal * clean) / sigma
        first = (number == 0).reshape(signal.shape)
        return torch.where(first, clean, model.parametrisation.output(clean, noise, signal, sigma))

    return FunctionNet(net)


@pytest.mark.parametrize("n_calls", [1, 2, 5])
def test_a_perfect_net_gives_the_exact_answer(problem, batch, n_calls):
    model = bridge_model(problem, batch, n_calls=n_calls)
    model.net = perfect_net(model, batch)
    forecast = model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:2])
    torch.testing.assert_close(forecast[0], batch.u[:, 1:2], rtol=1e-12, atol=1e-12)
    assert model.loss(batch)[0].item() < 1e-22 and model.stochastic == (n_calls > 1)


def test_the_inputs_of_the_training_are_those_of_the_forecast(problem, batch):
    """The first call sees zeros, and a step makes as many calls as are declared, in their order."""
    model = bridge_model(problem, batch, n_calls=3)
    model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:2])
    seen = [(u[:, :2], condition[0, 0].item()) for u, condition in model.net.calls]
    assert [share for _, share in seen] == [0.0, 0.5, 1.0] and model.calls_per_step == 3
    assert not seen[0][0].any() and seen[1][0].all()
    model.net.calls.clear()
    for seed in range(8):
        torch.manual_seed(seed)
        model.loss(batch)
    trained = [(u[:, :2], condition[:, 0]) for u, condition in model.net.calls]
    assert {float(share) for _, shares in trained for share in shares} == {0.0, 0.5, 1.0}
    assert all(not u[shares == 0].any() and u[shares > 0].all() for u, shares in trained)


def test_a_steady_problem_is_refused():
    with pytest.raises(ValueError, match="expected a problem in time, got a steady one"):
        InterpolantBridge(make_problem(n_frames=1, dt=None, coeffs=(Field("k"),)), PointwiseNet)
