"""What every grid net promises: shapes, conditions, gradients, saving, precision, sentences for wrong input."""

import io

import pytest
import torch

from pdekit.nets.condition import Condition
from pdekit.nets.dilated_resnet import DilatedResNet
from pdekit.nets.fno import FNO
from pdekit.nets.unet import UNet

OPTIONS = {
    FNO: {"modes": 3, "width": 6, "n_layers": 2},
    UNet: {"width": 4, "multipliers": (1, 2)},
    DilatedResNet: {"width": 4, "blocks": 1},
}
NETS = [pytest.param(net, options, id=net.__name__) for net, options in OPTIONS.items()]
SHAPES = {1: (24,), 2: (16, 12), 3: (8, 10, 12)}


def build(net, options, ndim=2, n_in=2, n_out=3, n_conditions=2, layout=None):
    return net(layout or ndim, n_in, n_out, n_conditions, **options).double()


def randomise(net):
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net


def batch(ndim=2, n_in=2, n_conditions=2):
    u = torch.randn(3, n_in, *SHAPES[ndim], dtype=torch.float64)
    return u, Condition(torch.rand(3, n_conditions, dtype=torch.float64))


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize(("net", "options"), NETS)
def test_shapes_and_independence_of_samples(net, options, ndim):
    model = randomise(build(net, options, ndim, layout=("nodes",) + ("periodic",) * (ndim - 1)))
    u, condition = batch(ndim)
    y = model(u, condition)
    assert y.shape == (3, 3, *SHAPES[ndim]) and y.isfinite().all()
    assert (model(u[1:2], condition[1:2]) - y[1:2]).abs().max() < 1e-11 * y.abs().max()


@pytest.mark.parametrize(("net", "options"), NETS)
def test_a_new_net_ignores_its_condition_and_a_random_one_does_not(net, options):
    model = build(net, options)
    u, condition = batch()
    assert torch.equal(model(u, condition), model(u, Condition(condition.scalars + 0.5)))
    y = randomise(model)(u, condition)
    for scalar in range(2):
        moved = condition.scalars.clone()
        moved[:, scalar] += 0.5
        assert (model(u, Condition(moved)) - y).abs().amax((1, 2, 3)).min() > 1e-3


@pytest.mark.parametrize("layout", [("periodic", "periodic"), ("periodic", "cells"), ("nodes", "nodes")])
@pytest.mark.parametrize(("net", "options"), NETS)
def test_a_gradient_reaches_every_parameter_and_the_inputs(net, options, layout):
    model = randomise(build(net, options, layout=layout))
    u, condition = batch()
    u.requires_grad_(), condition.scalars.requires_grad_()
    model(u, condition).square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []
    assert (u.grad.abs() > 0).all() and (condition.scalars.grad.abs() > 0).all()


@pytest.mark.parametrize(("net", "options"), NETS)
def test_the_gradient_is_the_derivative(net, options):
    """Central difference along a random direction of all parameters and the input."""
    model = randomise(build(net, options, ndim=1))
    u, condition = batch(1)
    weight = torch.randn_like(model(u, condition))
    tensors = [*model.parameters(), u]
    u.requires_grad_()
    grads = torch.autograd.grad((weight * model(u, condition)).sum(), tensors)
    direction = [torch.randn_like(t) for t in tensors]
    slope = sum((g * d).sum() for g, d in zip(grads, direction, strict=True))
    values = []
    for side in (1e-6, -2e-6):  # one step forward, then two back
        with torch.no_grad():
            for t, d in zip(tensors, direction, strict=True):
                t += side * d
            values.append((weight * model(u, condition)).sum())
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope.item(), rel=1e-5)


@pytest.mark.parametrize(("net", "options"), NETS)
def test_a_net_without_conditions_has_no_parameters_for_them(net, options):
    assert not [name for name, _ in build(net, options, n_conditions=0).named_parameters() if "modulation" in name]


@pytest.mark.parametrize(("net", "options"), NETS)
def test_saved_weights_give_the_same_net(net, options):
    model = randomise(build(net, options))
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = build(net, options)
    other.load_state_dict(torch.load(file, weights_only=True))
    u, condition = batch()
    assert torch.equal(other(u, condition), model(u, condition))


@pytest.mark.parametrize(("net", "options"), NETS)
def test_single_precision_is_close_to_double(net, options):
    model = build(net, options)
    u, condition = batch()
    double = model(u, condition)
    single = model.float()(u.float(), condition.to(torch.float32))
    assert single.dtype == torch.float32
    assert (single - double).abs().max() < 1e-5 * double.abs().max()


@pytest.mark.parametrize(("net", "options"), NETS)
def test_gradients_can_be_clipped_by_value(net, options):
    model = build(net, options)
    model(*batch()).sum().backward()
    torch.nn.utils.clip_grad_value_(model.parameters(), 1e-9)
    assert max(p.grad.abs().max() for p in model.parameters() if p.grad is not None) <= 1e-9


@pytest.mark.parametrize(("net", "options"), NETS)
def test_wrong_input_is_refused_with_what_was_expected(net, options):
    model = build(net, options)
    u, condition = batch()
    with pytest.raises(ValueError, match=r"2 channels and 2 spatial axes .* got shape \(3, 1, 16, 12\)"):
        model(u[:, :1], condition)
    with pytest.raises(ValueError, match="2 spatial axes"):
        model(u[..., 0], condition)
    with pytest.raises(ValueError, match="expected 2 conditions for each sample, got 0"):
        model(u)
    with pytest.raises(ValueError, match="expected 2 conditions for each sample, got 3"):
        model(u, Condition(torch.rand(3, 3, dtype=torch.float64)))
    with pytest.raises(ValueError, match="a condition of 3 samples, as u has, got 2"):
        model(u, condition[:2])
    with pytest.raises(ValueError, match=r"tokens of width 0 \(0: none\), got 5; token_width of the net"):
        model(u, Condition(condition.scalars, tokens=torch.rand(3, 4, 5, dtype=torch.float64)))
    with pytest.raises(ValueError, match="got 1; n_condition_fields of the net"):
        model(u, Condition(condition.scalars, fields=u[:, :1]))
    with pytest.raises(ValueError, match="expected a layout of one to three axes, got 4"):
        net(4, 1, 1, **options)
    with pytest.raises(ValueError, match="expected a layout of one to three axes, got 'periodic'"):
        net("periodic", 1, 1, **options)
    with pytest.raises(ValueError, match="expected layout with 2 entries"):
        net(("periodic", "wall"), 1, 1, **options)
    with pytest.raises(ValueError, match="in_channels >= 1"):
        net(2, 0, 1, **options)


@pytest.mark.parametrize("net", OPTIONS)
def test_defaults_fit_a_laptop(net):
    model = net(2, 1, 1, **({"modes": 12} if net is FNO else {}))
    assert 1e5 < sum(p.numel() for p in model.parameters()) < 3e6
    assert model(torch.randn(1, 1, 32, 32)).shape == (1, 1, 32, 32)
