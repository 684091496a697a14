"""Heads of their own: outputs share features and nothing behind them."""

from functools import partial

import pytest
import torch

from pdekit.nets.condition import Condition
from pdekit.nets.fno import FNO
from pdekit.nets.heads import Headed

CORE = partial(FNO, modes=3, width=6, n_layers=1)


def build(n_out=3):
    torch.manual_seed(0)
    return Headed(("periodic", "nodes"), 2, n_out, 1, net=CORE, features=5, hidden=4).double()


def test_each_output_is_its_own_perceptron_of_the_shared_features():
    net = build()
    u, condition = torch.randn(2, 2, 8, 7, dtype=torch.float64), Condition(torch.rand(2, 1, dtype=torch.float64))
    y, features = net(u, condition), net.core(u, condition)
    for channel, head in enumerate(net.heads):
        point = features[1, :, 3, 5]
        hidden = torch.nn.functional.gelu(head.weight_in @ point + head.bias_in)
        assert torch.allclose(y[1, channel, 3, 5], (head.weight_out @ hidden + head.bias_out)[0])


def test_a_field_trains_its_own_head_and_what_is_shared():
    net = build()
    net(torch.randn(1, 2, 8, 7, dtype=torch.float64), Condition(torch.rand(1, 1, dtype=torch.float64)))[
        :, 1
    ].square().sum().backward()
    for channel, head in enumerate(net.heads):
        touched = [parameter.grad is not None and bool(parameter.grad.any()) for parameter in head.parameters()]
        assert all(touched) if channel == 1 else not any(touched)
    assert any(parameter.grad.any() for parameter in net.core.parameters() if parameter.grad is not None)


def test_no_features():
    with pytest.raises(ValueError, match="features >= 1"):
        Headed(1, 1, 1, net=CORE, features=0)
