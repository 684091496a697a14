"""The U-Net: symmetry under its total stride, in single and double precision, and the grids that it takes."""

import pytest
import torch

from pdekit.nets.unet import UNet


def randomised(*arguments, **options):
    net = UNet(*arguments, **options)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net


@pytest.mark.parametrize(("shape", "shift"), [((48,), (4,)), ((24, 32), (4, -8)), ((8, 12, 16), (4, 8, 12))])
def test_rolling_by_a_multiple_of_the_total_stride_rolls_the_output(shape, shift):
    net = randomised(len(shape), 1, 2, width=4)
    axes = tuple(range(2, 2 + len(shape)))
    for dtype, bound in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        u = torch.randn(2, 1, *shape, dtype=dtype)
        y = net.to(dtype)(u)
        assert (net(u.roll(shift, axes)) - y.roll(shift, axes)).abs().max() < bound * y.abs().max()


def test_rolling_by_less_than_the_total_stride_does_not():
    """So that the test above is one of the stride, and not of a net that sees single points only."""
    net = randomised(1, 1, 1, width=4).double()
    u = torch.randn(1, 1, 32, dtype=torch.float64)
    assert (net(u.roll(2, 2)) - net(u).roll(2, 2)).abs().max() > 1e-3


def test_the_default_in_single_precision_at_128():
    net = randomised(2, 1, 1, width=8)
    u = torch.randn(1, 1, 128, 128)
    y = net(u)
    assert (net(u.roll((64, 4), (2, 3))) - y.roll((64, 4), (2, 3))).abs().max() < 1e-5 * y.abs().max()


def test_bounded_axes_are_not_wrapped():
    net = randomised(("cells", "periodic"), 1, 1, width=4, multipliers=(1, 1)).double()
    u = torch.randn(1, 1, 8, 8, dtype=torch.float64)
    assert (net(u.roll(2, 3)) - net(u).roll(2, 3)).abs().max() < 1e-11
    assert (net(u.roll(2, 2)) - net(u).roll(2, 2)).abs().max() > 1e-3


def test_the_bottom_reaches_across_the_box():
    """Coarse levels carry a change at one end to the other; without them three-point kernels would not."""
    reach = {}
    for multipliers in ((1,), (1, 1, 1, 1)):
        net = randomised(1, 1, 1, width=4, multipliers=multipliers).double()
        for norm in (m for m in net.modules() if isinstance(m, torch.nn.GroupNorm)):
            norm.forward = lambda u: u  # what is normalised over all of space reaches everywhere at once
        u = torch.randn(1, 1, 64, dtype=torch.float64)
        moved = u.clone()
        moved[..., 32] += 1.0
        reach[len(multipliers)] = ((net(moved) - net(u)).abs()[0, 0] > 1e-14).sum().item()
    assert reach[1] < 25 < reach[4]


@pytest.mark.parametrize(("shape", "remedy"), [((30, 32), "multiples of 4"), ((33, 32), "halves it 2 times")])
def test_grids_that_cannot_be_halved_are_refused(shape, remedy):
    with pytest.raises(ValueError, match=remedy):
        UNet(2, 1, 1)(torch.randn(1, 1, *shape))


def test_bounded_axes_of_any_size_are_lengthened_by_their_last_point_and_cut():
    net = randomised(("cells", "periodic"), 2, 3, width=4).double()
    u = torch.randn(1, 2, 13, 8, dtype=torch.float64)
    y = net(u)
    assert y.shape == (1, 3, 13, 8)
    with pytest.raises(ValueError, match="multiples of 4"):
        net(u[..., :7])
    # no value comes from nowhere: the result is that of the net on what was lengthened, coordinates included
    assert torch.equal(net(u), y) and torch.isfinite(y).all()
    moved = u.clone()
    moved[:, :, -1] += 1.0
    assert ((net(moved) - y).abs().amax((0, 1, 3)) > 0).all()
    even = randomised(("cells",), 1, 1, width=4, multipliers=(1, 1)).double()
    assert even(torch.ones(1, 1, 5, dtype=torch.float64)).shape == (1, 1, 5)


def test_levels_and_blocks():
    net = UNet(1, 1, 1, width=8, multipliers=(1, 2, 4), blocks=2)
    assert net.stride == 4 and [len(level) for level in net.down] == [2, 2, 2]
    assert [level[-1].conv_out.conv.out_channels for level in net.down] == [8, 16, 32]
    assert net(torch.randn(1, 1, 4)).shape == (1, 1, 4)


def test_a_new_block_is_its_skip():
    block = UNet(2, 1, 1, width=8).down[0][0]
    u = torch.randn(1, 8, 8, 8)
    assert torch.equal(block(u, None), u)


@pytest.mark.parametrize("options", [{"width": 0}, {"blocks": 0}, {"multipliers": ()}, {"multipliers": (1, 0)}])
def test_options_out_of_range_say_what_was_expected(options):
    with pytest.raises(ValueError, match=r"expected .* got"):
        UNet(2, 1, 1, **options)
