"""Operator nets: queries anywhere, exact periodicity, conditions, a basis that is that of the data."""

import io
from functools import partial

import pytest
import torch

from pdekit.nets.branch import ConvolutionalBranch, PerceptronBranch
from pdekit.nets.condition import Condition
from pdekit.nets.deeponet import DeepONet, PODDeepONet, Trunk

DOUBLE = torch.float64
BRANCHES = [partial(PerceptronBranch, width=8, depth=2), partial(ConvolutionalBranch, width=4)]


def randomise(net):
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net


def build(branch=BRANCHES[0], shape=(12, 10), layout=("periodic", "nodes"), n_conditions=2, **options):
    return randomise(
        DeepONet(shape, 2, 3, n_conditions, layout, branch=branch, trunk=Trunk(5, width=8), **options).double()
    )


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize(
    ("shape", "layout", "in_time"),
    [((9,), ("periodic",), False), ((12, 10), ("periodic", "cells"), True), ((6, 5, 7), ("nodes",) * 3, False)],
)
def test_shapes_and_independence_of_samples_and_of_queries(branch, shape, layout, in_time):
    net = build(branch, shape, layout, in_time=in_time)
    u, query, condition = (
        torch.randn(4, 2, *shape).to(DOUBLE),
        torch.rand(7, len(shape) + in_time).to(DOUBLE),
        Condition(torch.rand(4, 2).to(DOUBLE)),
    )
    y = net(u, query, condition)
    assert y.shape == (4, 3, 7)
    assert torch.allclose(net(u[1:2], query, condition[1:2]), y[1:2], rtol=0, atol=1e-12)
    assert torch.allclose(net(u, query[[5, 2]], condition), y[..., [5, 2]], rtol=0, atol=1e-12)


def test_it_is_the_sum_of_products_of_branch_and_trunk():
    net = build()
    u, query, condition = (
        torch.randn(1, 2, 12, 10).to(DOUBLE),
        torch.rand(1, 2).to(DOUBLE),
        Condition(torch.rand(1, 2).to(DOUBLE)),
    )
    coefficients, functions = net.branch(u, condition)[0].detach(), net.trunk(net.embedding(query))[0].detach()
    for channel in range(3):
        terms = [float(coefficients[5 * channel + k] * functions[5 * channel + k]) for k in range(5)]
        wanted = sum(terms) / 5**0.5 + float(net.bias[channel].detach())
        assert float(net(u, query, condition)[0, channel, 0].detach()) == pytest.approx(wanted, rel=1e-12)


def test_periodic_coordinates_wrap_and_others_do_not():
    net = build()
    u, query, condition = (
        torch.randn(2, 2, 12, 10).to(DOUBLE),
        torch.rand(5, 2).to(DOUBLE),
        Condition(torch.rand(2, 2).to(DOUBLE)),
    )
    y = net(u, query, condition)
    assert torch.allclose(net(u, query + torch.tensor([1.0, 0.0]), condition), y, atol=1e-11)
    assert (net(u, query + torch.tensor([0.0, 1.0]), condition) - y).abs().max() > 1e-2


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_gradient_reaches_every_parameter_and_the_sensors(branch):
    net = build(branch)
    u, condition = torch.randn(3, 2, 12, 10).to(DOUBLE).requires_grad_(), Condition(torch.rand(3, 2).to(DOUBLE))
    net(u, torch.rand(6, 2).to(DOUBLE), condition).square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []
    assert (u.grad.abs().amax((0, 1)) > 0).all()


def test_wrong_inputs_are_refused_with_a_sentence():
    net = build()
    u, query, condition = (
        torch.zeros(1, 2, 12, 10).to(DOUBLE),
        torch.rand(5, 2).to(DOUBLE),
        Condition(torch.rand(1, 2).to(DOUBLE)),
    )
    with pytest.raises(ValueError, match="bring it to the sensors"):
        net(u[..., :9], query, condition)
    with pytest.raises(ValueError, match="with 2 coordinates"):
        net(u, query[:, :1], condition)
    with pytest.raises(ValueError, match="expected 2 conditions"):
        net(u, query, None)
    with pytest.raises(ValueError, match="one to three axes"):
        DeepONet((8,) * 4, 1, 1, 0, ("nodes",) * 4)
    with pytest.raises(ValueError, match="layout with 1 entries"):
        DeepONet((8,), 1, 1, 0, ("nodes", "periodic"))
    with pytest.raises(ValueError, match=r"positive numbers for a trunk, got Trunk\(n_products=0"):
        Trunk(n_products=0)


def fields(n, generator):
    """Random combinations of three functions of x and t, and their mean."""
    x, t = torch.arange(16, dtype=DOUBLE) / 16, torch.arange(1, 6, dtype=DOUBLE) / 5
    modes = torch.stack(
        [
            torch.sin(2 * torch.pi * x)[:, None] * t,
            torch.cos(2 * torch.pi * x)[:, None] * t**2,
            torch.cos(4 * torch.pi * x)[:, None] * torch.ones(5, dtype=DOUBLE),
        ]
    )
    weights = torch.randn(n, 2, 3, dtype=DOUBLE, generator=generator)
    return 1 + torch.einsum("nck,kxt->ncxt", weights, modes), [x, t]


class TestPrincipalComponents:
    def net(self, n_modes=6):
        torch.manual_seed(0)
        return PODDeepONet((16,), 1, 2, 0, ("periodic",), True, BRANCHES[0], n_modes=n_modes).double()

    def test_they_span_the_outputs_and_are_orthogonal(self):
        outputs, axes = fields(40, torch.Generator().manual_seed(0))
        net = self.net()
        net.calibrate(outputs, axes)
        basis = net.functions[1:].flatten(1)
        gram = basis @ basis.T
        assert (gram - gram.diag().diag()).abs().max() < 1e-10 * gram.max()
        centred = (outputs - outputs.mean(0)).flatten(1)
        left = centred - torch.linalg.lstsq(basis.T, centred.T).solution.T @ basis
        assert left.norm() < 1e-10 * centred.norm(), "two channels times three functions need six modes"
        assert torch.allclose(net.functions[0], outputs.mean(0), atol=1e-12)

    def test_coefficients_of_the_data_have_unit_variance(self):
        outputs, axes = fields(40, torch.Generator().manual_seed(0))
        net = self.net()
        net.calibrate(outputs, axes)
        basis = net.functions[1:].flatten(1)
        coefficients = torch.linalg.lstsq(basis.T, (outputs - outputs.mean(0)).flatten(1).T).solution
        assert torch.allclose(coefficients.square().mean(1), torch.ones(6, dtype=DOUBLE), atol=1e-8)

    def test_queries_at_and_between_the_points(self):
        outputs, axes = fields(40, torch.Generator().manual_seed(0))
        net = self.net()
        net.calibrate(outputs, axes)
        u = torch.randn(2, 1, 16, dtype=DOUBLE)
        points = torch.stack([c.flatten() for c in torch.meshgrid(*axes, indexing="ij")], -1)
        at = net(u, points).unflatten(2, (16, 5))
        wanted = net.functions[0] + torch.einsum("bk,kcxt->bcxt", net.branch(u, None), net.functions[1:])
        assert torch.allclose(at, wanted, atol=1e-12)
        half = net(u, torch.tensor([[15.5 / 16, 0.3]], dtype=DOUBLE))[..., 0]
        assert torch.allclose(
            half, (at[:, :, 15, 0] + at[:, :, 15, 1] + at[:, :, 0, 0] + at[:, :, 0, 1]) / 4, atol=1e-12
        )

    def test_saved_and_loaded_with_its_basis(self):
        outputs, axes = fields(40, torch.Generator().manual_seed(0))
        net, fresh, buffer = self.net(), self.net(), io.BytesIO()
        net.calibrate(outputs, axes)
        torch.save(net.state_dict(), buffer)
        buffer.seek(0)
        fresh.load_state_dict(torch.load(buffer, weights_only=True))
        u, query = torch.randn(2, 1, 16, dtype=DOUBLE), torch.rand(4, 2, dtype=DOUBLE)
        assert torch.equal(fresh(u, query), net(u, query))

    def test_few_samples_span_few_functions(self):
        outputs, axes = fields(3, torch.Generator().manual_seed(0))
        net = self.net()
        net.calibrate(outputs, axes)
        sizes = net.functions[1:].flatten(1).norm(dim=1)
        assert (sizes[:2] > 0.1).all() and (sizes[2:] < 1e-7).all()


def test_a_new_net_depends_on_its_input_and_on_the_place():
    """Initial weights keep the size of what goes through: functions and coefficients vary by a tenth to ten."""
    torch.manual_seed(0)
    net = DeepONet((64,), 1, 1, 0, ("periodic",), True)
    with torch.no_grad():
        functions = net.trunk(net.embedding(torch.rand(500, 2)))
        coefficients = net.branch(torch.randn(100, 1, 64), None)
    for varied in (functions.std(0).mean(), coefficients.std(0).mean()):
        assert 0.1 < varied < 10
