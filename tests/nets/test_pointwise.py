"""The perceptron next to linear layers on the last axis."""

import pytest
import torch
import torch.nn.functional as F

from pdekit.nets.pointwise import Perceptron, is_wide


@pytest.mark.parametrize("activate", [True, False])
@pytest.mark.parametrize("with_skip", [True, False])
@pytest.mark.parametrize("hidden", [7, 700])  # the second one convolves
def test_is_two_linear_layers_at_every_point(activate, with_skip, hidden):
    net = Perceptron(3, hidden, 4, activate).double()
    assert is_wide(net.weight_in) == is_wide(net.weight_out) == (hidden == 700)
    u, skip = torch.randn(2, 3, 11, dtype=torch.float64), torch.randn(2, 4, 11, dtype=torch.float64)

    def sigma(v):  # GELU by its definition, v times the normal distribution function of v
        return v * torch.special.ndtr(v)

    v = sigma(u) if activate else u
    v = F.linear(sigma(F.linear(v.mT, net.weight_in, net.bias_in)), net.weight_out, net.bias_out).mT
    v = v + skip if with_skip else v
    expected = sigma(v) if activate else v
    assert (net(u, skip if with_skip else None) - expected).abs().max() < 1e-14


def test_derivatives():
    net = Perceptron(2, 3, 2, activate=True).double()
    u, skip = (torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda u, skip, *_: net(u, skip), (u, skip, *net.parameters()))


def test_initial_weights_have_the_variance_of_one_over_three_inputs():
    net = Perceptron(48, 64, 32)
    assert net.weight_in.var().item() == pytest.approx(1 / 144, rel=0.1)
    assert net.weight_out.var().item() == pytest.approx(1 / 192, rel=0.1)
