"""Grid nets on a GPU next to the same nets on the CPU."""

import copy

import pytest
import torch

from pdekit.nets.condition import Condition
from pdekit.nets.dilated_resnet import DilatedResNet
from pdekit.nets.fno import FNO
from pdekit.nets.unet import UNet


@pytest.mark.gpu
@pytest.mark.parametrize("layout", [("periodic", "periodic"), ("periodic", "nodes")])
@pytest.mark.parametrize(
    ("net", "options"),
    [
        (FNO, {"modes": 5, "width": 48}),
        (FNO, {"modes": 5, "width": 8}),
        (UNet, {"width": 8}),
        (DilatedResNet, {"width": 8}),
    ],
)
def test_values_and_gradients_are_those_of_the_cpu(net, options, layout):
    model = net(layout, 2, 1, 1, **options).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    u, condition = torch.randn(3, 2, 32, 28, dtype=torch.float64), Condition(torch.rand(3, 1, dtype=torch.float64))
    results = []
    for device in ("cpu", "cuda"):
        moved = copy.deepcopy(model).to(device)
        y = moved(u.to(device), condition.to(device))
        y.square().mean().backward()
        results.append([y.detach().cpu(), *(p.grad.cpu() for p in moved.parameters())])
    for ours, reference in zip(*results, strict=True):
        assert (ours - reference).abs().max() < 1e-10 * max(1.0, reference.abs().max())
