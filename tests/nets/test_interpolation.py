"""Multilinear interpolation: exact where it should be, second order elsewhere, periodic axes wrap."""

import torch

from pdekit.nets.interpolation import interpolate


def test_exact_at_the_points_and_for_multilinear_functions():
    x, y = torch.linspace(0, 1, 6).double(), (torch.arange(5).double() + 0.5) / 5
    values = (2 - 3 * x[:, None] + y + 4 * x[:, None] * y)[None, None]
    mesh = torch.stack([c.flatten() for c in torch.meshgrid(x, y, indexing="ij")], -1)
    assert torch.equal(interpolate(values, [x, y], mesh, [None, None])[0, 0].reshape(6, 5), values[0, 0])
    points = torch.rand(50, 2).double()  # some beyond the first and last cell centre: continued
    wanted = 2 - 3 * points[:, 0] + points[:, 1] + 4 * points[:, 0] * points[:, 1]
    assert torch.allclose(interpolate(values, [x, y], points, [None, None])[0, 0], wanted, atol=1e-13)


def test_second_order_and_periodic():
    errors = []
    points = torch.rand(200, 1).double() + 2  # two periods away
    for n in (32, 64):
        x = torch.arange(n).double() / n
        found = interpolate(torch.sin(2 * torch.pi * x)[None, None], [x], points, [1.0])[0, 0]
        errors.append((found - torch.sin(2 * torch.pi * points[:, 0])).abs().max())
    assert 3.5 < errors[0] / errors[1] < 4.5 and errors[1] < 2e-3


def test_an_axis_of_one_point_is_constant():
    values = torch.tensor([[[3.0]]])
    assert interpolate(values, [torch.tensor([1.0])], torch.tensor([[0.2], [1.0]]), [None]).tolist() == [[[3.0, 3.0]]]
