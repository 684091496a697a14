"""Where points lie: a net is the same function of place on every grid of a box, whatever the layout of its axes."""

from functools import partial
from itertools import combinations, pairwise

import pytest
import torch

from pdekit.fields import LAYOUTS as GRID_LAYOUTS
from pdekit.fields import Grid
from pdekit.nets.dilated_resnet import DilatedResNet
from pdekit.nets.fno import FNO
from pdekit.nets.heads import Headed
from pdekit.nets.layout import LAYOUTS, axis_shares, bounded_coordinates, checked_layout, intervals
from pdekit.nets.unet import UNet

DOUBLE = torch.float64


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n", [2, 5, 8])
def test_places_and_intervals_are_those_of_the_grid(layout, n):
    assert LAYOUTS == GRID_LAYOUTS
    grid = Grid((n,), (1.0,), layout=(layout,))
    assert torch.allclose(axis_shares(n, layout, torch.zeros((), dtype=DOUBLE)), grid.coordinates(0), atol=1e-15)
    assert 1 / intervals(n, layout) == pytest.approx(grid.spacing[0])


def test_coordinates_are_those_of_bounded_axes_from_end_to_end():
    u = torch.zeros(1, 1, 3, 4, 2, dtype=DOUBLE)
    found = bounded_coordinates(u, ("nodes", "periodic", "cells"))
    assert found.shape == (1, 3, 3, 4, 2)
    assert found[0, 1, :, 0, 0].tolist() == [-1.0, 0.0, 1.0] and found[0, 2, 0, 0].tolist() == [-0.5, 0.5]
    assert bounded_coordinates(u, ("periodic",) * 3) is u


@pytest.mark.parametrize("layout", [("nodes",), ("nodes", "wall"), "nodes"])
def test_layouts_that_do_not_fit_are_refused(layout):
    with pytest.raises(ValueError, match="expected layout with 2 entries, one for each axis, among"):
        checked_layout(layout, 2)


def seen(net, shape, layout):
    """What a net makes of one smooth field that is no series of its box, seen on a grid."""
    grid = Grid(shape, (1.0,) * len(shape), layout=layout)
    x, *rest = grid.mesh()
    fields = [torch.exp(-x) + torch.sin(3 * x), torch.cos(2 * x + 1)]
    for y in rest:
        fields = [f * torch.cos(4 * y - 0.3) for f in fields]
    return net(torch.stack(fields)[None])


def shared(y, layout, factor):
    """The output of a grid ``factor`` times as fine, brought to the points of the coarse one."""
    for axis, where in enumerate(layout, start=2):
        if where == "cells":  # an odd number of fine cells has one in the middle of the coarse one
            y = y[(slice(None),) * axis + (slice(factor // 2, None, factor),)]
        else:
            y = y[(slice(None),) * axis + (slice(None, None, factor),)]
    return y


def finer(n, layout, factor):
    return (n - 1) * factor + 1 if layout == "nodes" else n * factor


@pytest.mark.parametrize("padding", [0.125, 0.3])  # neither is a whole number of points
@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((29,), ("nodes",)),
        ((30,), ("nodes",)),
        ((29,), ("cells",)),
        ((28,), ("half_open",)),
        ((20, 15), ("nodes", "cells")),
    ],
)
def test_a_padded_fno_is_the_same_function_on_every_grid(shape, layout, padding):
    """Coefficients are integrals by the trapezoidal and the midpoint rule: a third of the spacing, a ninth of the
    difference. A period that follows the number of points would leave differences of the first order."""
    torch.manual_seed(0)
    net = Headed(layout, 2, 1, 0, net=partial(FNO, modes=6, width=8, n_layers=3, padding=padding)).double()
    outputs = []
    for factor in (1, 3, 9, 27) if len(shape) == 1 else (1, 3, 9):
        y = seen(net, tuple(finer(n, where, factor) for n, where in zip(shape, layout, strict=True)), layout)
        outputs.append(shared(y, layout, factor))
    differences = [(u - outputs[-1]).norm() / outputs[-1].norm() for u in outputs[:-1]]
    assert differences[0] < 0.02
    for coarse, fine in pairwise(differences):
        assert fine < coarse / 7.5


def test_the_end_of_a_periodic_axis_is_no_end_of_nodes():
    """The layouts of bounded axes are three functions of the same numbers."""
    torch.manual_seed(0)
    u, outputs = torch.randn(1, 1, 12, dtype=DOUBLE), []
    for layout in ("nodes", "cells", "half_open"):
        torch.manual_seed(1)
        outputs.append(FNO((layout,), 1, 1, modes=4, width=8).double()(u))
    for one, other in combinations(outputs, 2):
        assert (one - other).abs().max() > 1e-4


@pytest.mark.parametrize("layout", ["nodes", "cells"])
def test_every_level_of_a_u_net_has_the_ends_of_the_box(layout):
    """29 nodes are 28 intervals, 15 and 8 nodes; 28 cells are 14 and 7. Nothing is lengthened."""
    n, levels = {"nodes": (29, [29, 15, 8]), "cells": (28, [28, 14, 7])}[layout]
    net, found = UNet((layout,), 1, 1, width=4, multipliers=(1, 1, 1)).double(), []
    for blocks in net.down:
        blocks[0].register_forward_hook(lambda module, inputs, output: found.append(output.shape[2]))
    assert net(torch.randn(1, 1, n, dtype=DOUBLE)).shape[2] == n
    assert found == levels


@pytest.mark.parametrize("net", [UNet, DilatedResNet])
def test_ends_of_other_nets_are_where_the_layout_has_them(net):
    """Reversing a bounded axis and the weights along it reverses the output: both ends are treated alike."""
    torch.manual_seed(0)
    options = {"width": 4, "multipliers": (1,)} if net is UNet else {"width": 4, "blocks": 1}
    model = net(("nodes",), 1, 1, **options).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    u = torch.randn(1, 1, 9, dtype=DOUBLE)
    y = model(u)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Conv1d):
                module.weight.copy_(module.weight.flip(2))
        model.lifting.conv.weight[:, 1] *= -1  # the coordinate changes its sign
    assert (model(u.flip(2)).flip(2) - y).abs().max() < 1e-11 * y.abs().max()
