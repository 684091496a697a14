"""Diffusion transformer: shapes, masks of tokens, other lengths, patches, gradients, published sizes, refusals."""

import pytest
import torch

from pdekit.nets.attention import Attention, Positions, axis_features
from pdekit.nets.condition import Condition
from pdekit.nets.tokens import FieldTokens, ScalarTokens
from pdekit.nets.transformer import SpaceTimeTransformer, TransformerSize, from_patches, in_patches

SIZE = TransformerSize(width=8, depth=2, heads=2)
LAYOUT = ("time", "periodic", "nodes")


def made(layout=LAYOUT, token_width=6, size=SIZE):
    torch.manual_seed(0)
    return SpaceTimeTransformer(layout, 2, 3, 1, token_width, size).double()


def randomised(net):
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net


def inputs(grid=(3, 4, 2), n=2, n_tokens=5):
    u = torch.randn(n, 2, *grid, dtype=torch.float64)
    return u, Condition(
        torch.rand(n, 1, dtype=torch.float64),
        torch.randn(n, n_tokens, 6, dtype=torch.float64),
        torch.tensor([[True] * 3 + [False] * 2] * n),
    )


def test_a_new_net_returns_zero_and_a_random_one_depends_on_all():
    net, (u, condition) = made(), inputs()
    assert net(u, condition).shape == (2, 3, 3, 4, 2) and not net(u, condition).any()
    y = randomised(net)(u, condition)
    assert (net(u, Condition(condition.scalars + 0.3, condition.tokens, condition.token_mask)) - y).abs().max() > 1e-3
    moved = condition.tokens.clone()
    moved[:, 1] += 1
    assert (net(u, Condition(condition.scalars, moved, condition.token_mask)) - y).abs().max() > 1e-3
    torch.testing.assert_close(net(u[1:], condition[1:]), y[1:])  # samples do not mix


def test_tokens_that_do_not_count_have_no_influence():
    net, (u, condition) = randomised(made()), inputs()
    moved = condition.tokens.clone()
    moved[:, 3:] = 1e3
    y = net(u, condition)
    torch.testing.assert_close(net(u, Condition(condition.scalars, moved, condition.token_mask)), y)
    short = Condition(condition.scalars, condition.tokens[:, :3])
    torch.testing.assert_close(net(u, short), y)
    nothing = torch.zeros_like(condition.token_mask)
    without = net(u, Condition(condition.scalars, condition.tokens, nothing))
    torch.testing.assert_close(without, net(u, Condition(condition.scalars, moved, nothing)))
    assert without.isfinite().all() and (without - y).abs().max() > 1e-3


@pytest.mark.parametrize("grid", [(5, 4, 3), (3, 8, 3)])
def test_other_lengths_and_resolutions_are_taken(grid):
    u, condition = inputs(grid)
    assert randomised(made())(u, condition).shape == (2, 3, *grid)


def test_positions_are_functions_of_the_place():
    like = torch.zeros((), dtype=torch.float64)
    torch.testing.assert_close(axis_features(8, "periodic", like)[::2], axis_features(4, "periodic", like))
    torch.testing.assert_close(axis_features(9, "nodes", like)[::2], axis_features(5, "nodes", like))
    torch.testing.assert_close(axis_features(9, "time", like)[:5], axis_features(5, "time", like))
    found = Positions(LAYOUT, 4).double()((2, 3, 2))
    assert found.shape == (12, 4) and len(torch.unique(found, dim=0)) == 12
    with pytest.raises(ValueError, match="expected axes among"):
        Positions(("space",), 4)


def test_patches_come_back():
    u = torch.randn(2, 3, 4, 6, 2)
    patches, grid = in_patches(u, (2, 3, 1))
    assert patches.shape == (2, 8, 18) and grid == (2, 2, 2)
    assert torch.equal(from_patches(patches, (2, 3, 1), grid), u)
    net = randomised(made(size=TransformerSize(8, 1, 2, (2, 2, 2))))
    assert net(*inputs((3, 5, 4))).shape == (2, 3, 3, 5, 4)


def test_a_gradient_reaches_every_parameter():
    net, (u, condition) = randomised(made()), inputs()
    net(u, condition).square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_tokens_of_scalars_and_fields():
    scalars = ScalarTokens(2, 6)
    values = torch.tensor([[0.1, 0.1], [0.2, 0.1]])
    found = scalars(values)
    assert found.shape == (2, 2, 6) and torch.equal(found[0, 1], found[1, 1]) and not torch.equal(*found[:, 0])
    assert not torch.equal(found[0, 0], found[0, 1])  # equal values of different scalars
    fields = FieldTokens(3, ("periodic", "cells"), 6)
    assert fields(torch.randn(2, 3, 8, 10)).shape == (2, 2 * 3, 6)


@pytest.mark.parametrize(
    ("size", "token_width", "millions"),
    [
        (TransformerSize(), 64, 1.23),
        (TransformerSize(512, 24, 16), 768, 146.5),
        (TransformerSize(1024, 28, 16), 768, 636.3),
        (TransformerSize(2304, 28, 32), 768, 3070),
    ],
    ids=["laptop", "S", "M", "L"],
)
def test_sizes_are_the_published_ones(size, token_width, millions):
    """Text2PDE's text models have 146.5, 636.3 and about 3070 million weights, counted in the released code."""
    with torch.device("meta"):
        net = SpaceTimeTransformer(("time", "cells", "cells"), 16, 16, 1, token_width, size)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)


def test_refusals():
    net, (u, condition) = made(), inputs()
    with pytest.raises(ValueError, match="expected u with 2 channels on a grid with the axes"):
        net(u[:, :1], condition)
    with pytest.raises(ValueError, match="tokens of width 6"):
        net(u, Condition(condition.scalars))
    with pytest.raises(ValueError, match="multiple of the 3 heads"):
        Attention(8, 3)
    with pytest.raises(ValueError, match="a patch for the axes"):
        made(size=TransformerSize(8, 1, 2, (2, 2)))
    with pytest.raises(ValueError, match="expected width, depth, heads and patch >= 1"):
        TransformerSize(0)
