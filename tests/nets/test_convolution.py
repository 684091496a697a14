"""Convolutions at the boundary, next to a sum written out."""

import pytest
import torch

from pdekit.nets.convolution import Conv, norm_groups


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 3)])
def test_one_axis_is_the_sum_written_out(periodic, stride, dilation):
    conv = Conv((periodic,), 1, 1, stride, dilation).double()
    u = torch.randn(1, 1, 12, dtype=torch.float64)
    weight, n = conv.conv.weight[0, 0], 12
    y = conv(u)[0, 0]
    assert len(y) == n // stride
    for i in range(len(y)):
        places = [stride * i + dilation * j for j in (-1, 0, 1)]
        values = [u[0, 0, p % n] if periodic or 0 <= p < n else 0.0 for p in places]
        expected = sum(w * v for w, v in zip(weight, values, strict=True)) + conv.conv.bias[0]
        assert abs(y[i] - expected) < 1e-14


@pytest.mark.parametrize("periodic", [(True, False), (False, True), (True, True), (False, False)])
def test_axes_are_treated_one_by_one(periodic):
    conv = Conv(periodic, 2, 3).double()
    u = torch.randn(1, 2, 6, 7, dtype=torch.float64)
    for axis, wraps in enumerate(periodic, start=2):
        rolled = (conv(u.roll(2, axis)) - conv(u).roll(2, axis)).abs().max()
        assert rolled < 1e-14 if wraps else rolled > 1e-3


def test_three_axes():
    conv = Conv((True, False, True), 1, 1, stride=2).double()
    u = torch.randn(1, 1, 4, 6, 8, dtype=torch.float64)
    assert conv(u).shape == (1, 1, 2, 3, 4)
    assert (conv(u.roll((2, 4), (2, 4))) - conv(u).roll((1, 2), (2, 4))).abs().max() < 1e-14


def test_groups_divide_the_channels():
    assert all(c % norm_groups(c) == 0 and norm_groups(c) <= 8 for c in range(1, 100))
