"""Autoencoders of grids: shapes for every layout, equivariance along periodic axes, gradients, refusals."""

import pytest
import torch

from pdekit.nets.grid_autoencoder import GridAutoencoder

OPTIONS = {"widths": (4, 6), "latent_channels": 3}


def made(layout, **options):
    net = GridAutoencoder(len(layout), 2, layout, **OPTIONS | options).double()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net


@pytest.mark.parametrize(
    ("layout", "space", "latent"),
    [
        (("periodic",), (16,), (4,)),
        (("nodes",), (13,), (4,)),
        (("cells", "periodic"), (10, 8), (3, 2)),
        (("periodic", "nodes", "half_open"), (8, 6, 7), (2, 3, 2)),
    ],
)
@pytest.mark.parametrize("n_times", [1, 5, 8])
def test_frames_come_back_in_their_shape(layout, space, latent, n_times):
    net, u = made(layout), torch.randn(2, n_times, 2, *space, dtype=torch.float64)
    z = net.encode(u)
    assert z.shape == (2, 3, -(-n_times // 4), *latent)
    assert net.coarse(n_times, space) == z.shape[2:]
    back = net.decode(z, n_times, space)
    assert back.shape == u.shape and back.isfinite().all()
    torch.testing.assert_close(net.decode(net.encode(u[1:]), n_times, space), back[1:])  # samples do not mix


def test_rolling_by_the_stride_rolls_the_latent_grid_by_one():
    net, u = made(("periodic", "nodes")), torch.randn(1, 4, 2, 16, 9, dtype=torch.float64)
    z, moved = net.encode(u), net.encode(u.roll(4, 3))
    torch.testing.assert_close(moved, z.roll(1, 3))
    torch.testing.assert_close(net.decode(moved, 4, (16, 9)), net.decode(z, 4, (16, 9)).roll(4, 3))
    assert (net.encode(u.roll(4, 4)) - z.roll(1, 4)).abs().max() > 1e-3  # walls make the place matter


def test_the_number_of_halvings_of_time_is_an_option():
    for halvings in range(3):
        net = made(("periodic",), time_halvings=halvings)
        assert net.encode(torch.randn(1, 8, 2, 8, dtype=torch.float64)).shape == (1, 3, 8 >> halvings, 2)


def test_a_gradient_reaches_every_parameter_and_moments_double_the_channels():
    net = made(("periodic", "cells"), moments=True)
    u = torch.randn(2, 4, 2, 8, 6, dtype=torch.float64)
    mean, log_variance = net.encode(u).chunk(2, 1)
    (net.decode(mean, 4, (8, 6)).square().sum() + log_variance.square().sum()).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_refusals():
    with pytest.raises(ValueError, match=r"multiples of 4 .*halves it 2 times.*got \(10,\)"):
        made(("periodic",)).encode(torch.zeros(1, 4, 2, 10, dtype=torch.float64))
    with pytest.raises(ValueError, match="time_halvings from 0 to the number of levels"):
        made(("periodic",), time_halvings=3)
    with pytest.raises(ValueError, match="expected ndim 1, 2 or 3, got 4"):
        GridAutoencoder(4, 1)
