"""The dilated residual network: symmetry and reach."""

import pytest
import torch

from pdekit.nets.dilated_resnet import DilatedResNet


@pytest.mark.parametrize(("shape", "shift"), [((17,), (5,)), ((8, 11), (3, 1)), ((8, 9, 10), (1, 2, 3))])
def test_any_translation_of_the_input_translates_the_output(shape, shift):
    net = DilatedResNet(len(shape), 1, 2, width=4, blocks=2).double()
    u = torch.randn(2, 1, *shape, dtype=torch.float64)
    axes = tuple(range(2, u.ndim))
    assert (net(u.roll(shift, axes)) - net(u).roll(shift, axes)).abs().max() < 1e-12


def test_one_block_reaches_the_sum_of_its_dilations():
    """1 + 2 + 4 + 8 + 4 + 2 + 1 = 22 points to each side, one more for the first and for the last convolution."""
    net = DilatedResNet(1, 1, 1, width=16, blocks=1).double()
    u = torch.randn(1, 1, 101, dtype=torch.float64)
    moved = u.clone()
    moved[..., 50] += 100.0
    (touched,) = torch.nonzero((net(moved) - net(u))[0, 0].abs() > 1e-14, as_tuple=True)
    assert (touched.min().item(), touched.max().item()) == (50 - 24, 50 + 24)


def test_bounded_axes_are_not_wrapped():
    net = DilatedResNet(("cells", "periodic"), 1, 1, width=4, blocks=1).double()
    u = torch.randn(1, 1, 6, 9, dtype=torch.float64)  # a bounded axis may be shorter than the dilation
    assert (net(u.roll(2, 3)) - net(u).roll(2, 3)).abs().max() < 1e-12
    assert (net(u.roll(2, 2)) - net(u).roll(2, 2)).abs().max() > 1e-4


def test_periodic_axes_shorter_than_the_dilation_are_refused():
    with pytest.raises(ValueError, match=r"at least 8 points along periodic axes.* got \(16, 7\)"):
        DilatedResNet(2, 1, 1, width=4, blocks=1)(torch.randn(1, 1, 16, 7))


def test_number_of_parameters():
    net = DilatedResNet(2, 3, 2, width=48, blocks=4)
    convolutions = (9 * 3 * 48 + 48) + 4 * 7 * (9 * 48 * 48 + 48) + (9 * 48 * 2 + 2)
    assert sum(p.numel() for p in net.parameters()) == convolutions


@pytest.mark.parametrize("options", [{"width": 0}, {"blocks": 0}])
def test_options_out_of_range_say_what_was_expected(options):
    with pytest.raises(ValueError, match=r"expected .* got"):
        DilatedResNet(1, 1, 1, **options)
