"""Nested differentiation of functions of the coordinates."""

import pytest
import torch

from pdekit.calculus import Autodiff


def points(n, ndim):
    return tuple(torch.rand(n, 1, dtype=torch.float64).requires_grad_() for _ in range(ndim + 1))


def test_derivatives_are_analytic():
    x, y, t = points(20, 2)
    d = Autodiff((x, y, t))
    u = torch.cat((torch.exp(2 * x) * torch.sin(y) * t, x * y**3 + t**2), dim=1)
    assert torch.allclose(d.xx(u), torch.cat((4 * torch.exp(2 * x) * torch.sin(y) * t, 0 * x), 1))
    assert torch.allclose(d.along(u, "xyyy"), torch.cat((-2 * torch.exp(2 * x) * torch.cos(y) * t, 6 + 0 * x), 1))
    assert torch.allclose(d.t(u), torch.cat((torch.exp(2 * x) * torch.sin(y), 2 * t), 1))
    assert torch.allclose(d.div(u), 2 * u[:, :1] + 3 * x * y**2)


def test_derivatives_of_what_does_not_depend_are_zero():
    x, t = points(5, 1)
    d = Autodiff((x, t))
    assert float(d.x(t * 2).detach().abs().max()) == 0
    assert float(d.xxx(x * 1.0).abs().max()) == 0
    assert float(d.x(torch.ones(5, 1).double()).abs().max()) == 0


def test_gradients_reach_the_parameters_through_derivatives():
    net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()
    x, t = points(7, 1)
    d = Autodiff((x, t))
    u = net(torch.cat((x, t), dim=1))
    (d.t(u) - d.xx(u) + u * d.x(u)).square().mean().backward()
    assert all(bool((p.grad != 0).any()) for name, p in net.named_parameters() if name != "2.bias")
    assert d.coordinates == (x,) and d.time is t


def test_an_auxiliary_unknown_is_an_output_with_an_equation():
    x, y, t = points(10, 2)
    psi = torch.sin(x) * torch.cos(2 * y) * t
    d = Autodiff((x, y, t), {"streamfunction": psi})
    assert d.poisson("streamfunction", -5 * psi) is psi
    assert float(d.auxiliary_residuals["streamfunction"].detach().abs().max()) < 1e-12
    with pytest.raises(ValueError, match="one output for each of"):
        d.poisson("pressure", psi)


def test_bad_coordinates_are_refused():
    x = torch.rand(4, 1)
    with pytest.raises(ValueError, match=r"got \(4, 1\) with requires_grad=False"):
        Autodiff((x, x))
    with pytest.raises(ValueError, match=r'"point 1" that require a gradient, got \(4,\)'):
        Autodiff((torch.rand(4, requires_grad=True),) * 2)
