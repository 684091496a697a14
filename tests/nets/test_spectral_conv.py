"""The spectral convolution: low-pass, resolution, derivatives, an independent library."""

from itertools import product

import pytest
import torch

from pdekit.nets.spectral import analyse, symmetric_bands, synthesise
from pdekit.nets.spectral_conv import SpectralConv, _Convolution, convolve


def waves(shape, wavenumbers, dtype=torch.float64):
    """cos(k . x + 0.3) for every wavenumber vector, "wave 1 *space", on the unit torus."""
    axes = [2 * torch.pi * torch.arange(n, dtype=dtype) / n for n in shape]
    mesh = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([torch.cos(sum(k * x for k, x in zip(ks, mesh, strict=True)) + 0.3) for ks in wavenumbers])[
        :, None
    ]


@pytest.mark.parametrize("shape", [(32,), (33,), (48,), (49,), (32, 33), (33, 48), (49, 32), (49, 33), (12, 13, 11)])
def test_unit_weights_are_a_low_pass(shape):
    modes = 4
    conv = SpectralConv(1, 1, (modes,) * len(shape)).double()
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([1.0, 0.0]).expand_as(conv.weight))
    kept = [ks for ks in product((-4, 0, 3, 4), repeat=len(shape))]
    removed = [(5,) + (0,) * (len(shape) - 1), (0,) * (len(shape) - 1) + (5,), (-5,) * len(shape)]
    assert (conv(waves(shape, kept)) - waves(shape, kept)).abs().max() < 1e-12
    assert conv(waves(shape, removed)).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("coarse", "fine"), [((16,), (25,)), ((16, 18), (33, 48)), ((15, 17), (64, 20)), ((9, 8, 9), (16, 9, 11))]
)
def test_the_same_operator_on_every_grid(coarse, fine):
    modes = 3
    conv = SpectralConv(1, 2, (modes,) * len(coarse)).double()
    ks = [(3,) * len(coarse), (-2, *(1,) * (len(coarse) - 1)), (0,) * len(coarse), (3, *(-3,) * (len(coarse) - 1))]
    amplitude = torch.randn(len(ks), *(1,) * (len(coarse) + 1), dtype=torch.float64)
    outputs = []
    for shape in (coarse, fine):
        y = conv((amplitude * waves(shape, ks)).sum(0, keepdim=True))
        outputs.append(analyse(y, symmetric_bands(shape, (modes,) * len(shape))))
    assert (outputs[0] - outputs[1]).abs().max() < 1e-12


def test_grids_that_do_not_resolve_the_modes_leave_out_the_highest():
    conv = SpectralConv(2, 3, (6, 5)).double()
    small = SpectralConv(2, 3, (3, 2)).double()
    with torch.no_grad():
        rows = [*range(4), *range(-3, 0)]  # 0 ... 3, -3 ... -1 of the first axis
        small.weight.copy_(conv.weight[:3][:, rows])
    u = torch.randn(2, 2, 8, 5, dtype=torch.float64)  # resolves |k| <= 3 and 2
    assert (conv(u) - small(u)).abs().max() < 1e-14
    assert conv(torch.ones(1, 2, 1, 2, dtype=torch.float64)).shape == (1, 3, 1, 2)


def test_gain_offset_and_skip_are_those_of_the_field():
    conv = SpectralConv(2, 3, (3, 3)).double()
    u = torch.randn(4, 2, 12, 11, dtype=torch.float64)
    gain, offset = torch.randn(2, 4, 3, dtype=torch.float64)
    skip = torch.randn(4, 3, 2, dtype=torch.float64)
    expected = gain[..., None] * conv(u).flatten(2) + offset[..., None] + skip @ u.flatten(2)
    assert (conv(u, gain, offset, skip).flatten(2) - expected).abs().max() < 1e-13


@pytest.mark.parametrize("conditioned", [True, False])
@pytest.mark.parametrize("shape", [(7,), (6,), (5, 6), (3, 4, 5)])
def test_derivatives_of_first_and_second_order(shape, conditioned):
    """Of the fast path by finite differences, and next to the same formula in differentiable operations."""
    bands = symmetric_bands(shape, (2,) * len(shape))
    conv = SpectralConv(2, 3, (2,) * len(shape)).double()
    inputs = [
        torch.randn(2, 2, *shape),
        conv._kept(bands).detach(),
        torch.randn(2, 3),
        torch.randn(2, 3),
        torch.randn(2, 3, 2),
    ]
    inputs = [t.double().requires_grad_() for t in inputs]
    used = inputs if conditioned else [*inputs[:2], None, None, None]
    wanted = [t for t in used if t is not None]
    fast, plain = _Convolution.apply(*used, bands), convolve(*used, bands)
    assert (fast - plain).abs().max() < 1e-13
    weight = torch.randn_like(plain)
    grads = [
        torch.autograd.grad((weight * v).sum(), wanted, create_graph=create)
        for v, create in ((fast, False), (plain, False))
    ]
    for ours, reference in zip(*grads, strict=True):
        assert (ours - reference).abs().max() < 1e-12 * reference.abs().max()
    if len(shape) == 2:

        def function(*arguments):
            given = iter(arguments)
            return _Convolution.apply(*(None if t is None else next(given) for t in used), bands)

        assert torch.autograd.gradcheck(function, wanted, fast_mode=True)
        assert torch.autograd.gradgradcheck(function, wanted, fast_mode=True)


def test_large_batches_are_transformed_in_parts_without_a_difference():
    conv = SpectralConv(4, 4, (6, 6)).double()
    u = torch.randn(7, 4, 160, 161, dtype=torch.float64, requires_grad=True)  # two samples a part, one in the last
    y = conv(u)
    (grad,) = torch.autograd.grad(y.square().sum(), u)
    for i in (0, 3, 6):
        one = u[i : i + 1].detach().requires_grad_()
        assert (conv(one) - y[i]).abs().max() < 1e-14
        assert (torch.autograd.grad(conv(one).square().sum(), one)[0] - grad[i]).abs().max() < 1e-13


@pytest.mark.parametrize("shape", [(32,), (32, 24), (12, 16, 10)])
def test_agrees_with_neuraloperator_on_even_grids(shape):
    """Its rows are -m ... m - 1 of the leading axes, in this order; ours also have +m, set to zero here."""
    neuralop = pytest.importorskip("neuralop.layers.spectral_convolution")
    modes, ndim = 3, len(shape)
    theirs = neuralop.SpectralConv(2, 3, (2 * modes,) * ndim, bias=False)
    ours = SpectralConv(2, 3, (modes,) * ndim)
    weight = theirs.weight.to_tensor().detach()  # in out x y z
    for axis in range(2, ndim + 1):
        weight = weight.roll(-modes, axis)
    weight = weight.permute(*reversed(range(2, weight.ndim)), 0, 1)
    with torch.no_grad():
        ours.weight.zero_()
        rows = [*range(modes), *range(-modes, 0)]
        for ks in product(rows, repeat=ndim - 1):
            ours.weight[(slice(None), *ks)] = torch.view_as_real(weight[(slice(None), *ks)].contiguous())
    u = torch.randn(4, 2, *shape)
    expected = theirs(u)
    assert (ours(u) - expected).norm() / expected.norm() < 5e-7


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_number_and_scale_of_the_weights(ndim):
    conv = SpectralConv(20, 30, (5,) * ndim)
    assert conv.weight.numel() == 2 * 20 * 30 * 11 ** (ndim - 1) * 6
    assert conv.weight.square().sum(-1).mean().item() == pytest.approx(2 / 50, rel=0.05)
    assert all(not p.is_complex() for p in conv.parameters())


def test_white_noise_keeps_its_size_in_the_kept_modes():
    """The initial weights neither amplify nor damp: what comes out has the energy of the kept part of what goes in."""
    conv = SpectralConv(64, 64, (8, 8)).double()
    u = torch.randn(2, 64, 32, 32, dtype=torch.float64)
    kept = synthesise(analyse(u, bands := symmetric_bands((32, 32), (8, 8))), (32, 32), bands)
    assert (conv(u).square().mean() / kept.square().mean()).item() == pytest.approx(1.0, abs=0.1)
