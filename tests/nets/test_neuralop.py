"""neuraloperator's models as grid nets: the library's numbers where it is right, right numbers where it is not."""

import copy
import io

import pytest
import torch
from torch import nn

from pdekit.nets.condition import Condition
from pdekit.nets.layout import axes_of
from pdekit.nets.neuralop import PADDING, CorrectedConv, NeuralOperator, tfno, uno
from pdekit.nets.spectral import analyse, symmetric_bands

library = pytest.importorskip("neuralop.models")
from neuralop.layers.spectral_convolution import SpectralConv  # noqa: E402


def fno(layout, in_channels, out_channels, n_conditions=0, *, modes, width=32, n_layers=4):
    """The library's FNO, whose weights are not factorised."""
    axes = axes_of(layout)
    seen = in_channels + n_conditions + sum(where != "periodic" for where in axes)
    n_modes = (2 * modes,) * len(axes)
    core = library.FNO(n_modes, seen, out_channels, width, n_layers=n_layers, positional_embedding=None)
    return NeuralOperator(core, layout, in_channels, out_channels, n_conditions, PADDING)


SMALL = {"modes": 4, "width": 8}
BUILDERS = [fno, tfno, uno]


def waves(shape, amplitude=1.0):
    axes = [2 * torch.pi * torch.arange(n) / n for n in shape]
    mesh = torch.meshgrid(*axes, indexing="ij")
    return amplitude * sum(torch.cos((i + 2) * x + 0.3) for i, x in enumerate(mesh))[None, None]


@pytest.mark.parametrize(("shape", "modes"), [((24,), 4), ((24, 32), 6), ((8, 10), 6), ((8, 10, 12), 3)])
def test_the_mended_convolution_agrees_with_the_library_on_even_grids(shape, modes):
    conv = SpectralConv(2, 3, (2 * modes,) * len(shape))
    u = torch.randn(2, 2, *shape)
    expected = conv(u)
    assert (CorrectedConv(conv)(u) - expected).norm() < 5e-7 * expected.norm()


@pytest.mark.parametrize("factorisation", [None, "Tucker", "CP", "TT"])
def test_the_mended_convolution_keeps_factorised_weights(factorisation):
    conv = SpectralConv(4, 4, (8, 8), factorization=factorisation, rank=0.5, implementation="factorized")
    u = torch.randn(2, 4, 16, 16)
    expected = conv(u)
    assert (CorrectedConv(conv)(u) - expected).norm() < 5e-7 * expected.norm()


@pytest.mark.parametrize("shape", [(33, 33), (33, 32), (49, 48), (13, 15, 11)])
def test_unit_weights_are_the_identity_on_odd_grids_too(shape):
    conv = SpectralConv(1, 1, (8,) * len(shape), bias=False)
    with torch.no_grad():
        conv.weight.to_tensor().fill_(1.0)
    u = waves(shape)
    assert (CorrectedConv(conv)(u) - u).abs().max() < 2e-6
    assert (conv(u) - u).norm() > 0.5 * u.norm(), "the library is right now: the mend is not needed any more"


@pytest.mark.parametrize(
    ("shape", "output_shape"), [((16, 16), (32, 24)), ((32, 33), (16, 15)), ((12,), (25,)), ((25,), (8,))]
)
def test_unit_weights_resample_exactly(shape, output_shape):
    conv = SpectralConv(1, 1, (12,) * len(shape), bias=False)
    with torch.no_grad():
        conv.weight.to_tensor().fill_(1.0)
    found = CorrectedConv(conv)(waves(shape), output_shape=list(output_shape))
    assert (found - waves(output_shape)).abs().max() < 2e-6


def test_the_library_fno_is_the_same_on_even_and_odd_grids():
    """Low coefficients of the output for one smooth input; the library's own model is off by a tenth."""
    torch.manual_seed(0)
    net = fno(2, 1, 1, n_layers=2, **SMALL)
    torch.manual_seed(0)
    unmended = library.FNO((8, 8), 1, 1, 8, n_layers=2, positional_embedding=None)

    def low(model, n):
        return analyse(model(waves((n, n), 0.3)), symmetric_bands((n, n), (3, 3)))[:, :, 1:]  # without the mean

    reference = low(net, 64)
    assert (low(unmended, 64) - reference).norm() < 1e-5 * reference.norm()
    for n in (33, 49, 65):
        assert (low(net, n) - reference).norm() < 1e-4 * reference.norm()
    assert (low(unmended, 65) - reference).norm() > 0.05 * reference.norm()


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("shape", [(20,), (17, 16), (9, 10, 8)])
def test_shapes_conditions_and_gradients(build, shape):
    ndim = len(shape)
    net = build(("periodic",) * (ndim - 1) + ("cells",), 2, 3, n_conditions=2, **SMALL)
    u, condition = torch.randn(2, 2, *shape), Condition(torch.rand(2, 2))
    y = net(u, condition)
    assert y.shape == (2, 3, *shape)
    y.square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []
    assert (net(u, Condition(condition.scalars + 0.5)) - y).abs().max() > 1e-5


@pytest.mark.parametrize("build", [fno, tfno])
@pytest.mark.parametrize("n", [16, 17])
def test_translation_of_periodic_axes(build, n):
    net = build(2, 1, 1, **SMALL)
    u = torch.randn(1, 1, n, n)
    y = net(u)
    assert (net(u.roll((3, 5), (2, 3))) - y.roll((3, 5), (2, 3))).abs().max() < 1e-5 * y.abs().max()


@pytest.mark.parametrize("build", BUILDERS)
def test_what_contains_a_net_is_saved_loaded_and_copied(build):
    parent = nn.ModuleDict({"a": build(1, 1, 1, **SMALL), "b": build(1, 1, 1, **SMALL)})
    file = io.BytesIO()
    torch.save(parent.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    assert all(torch.is_tensor(value) for value in state.values())
    other = nn.ModuleDict({"a": build(1, 1, 1, **SMALL), "b": build(1, 1, 1, **SMALL)})
    other.load_state_dict(state)
    u = torch.randn(2, 1, 16)
    assert torch.equal(other["b"](u), parent["b"](u))
    assert torch.equal(copy.deepcopy(parent)["a"](u), parent["a"](u))


def test_tfno_has_a_fraction_of_the_parameters():
    sizes = [sum(p.numel() for p in build(2, 1, 1, modes=12).parameters()) for build in (fno, tfno)]
    assert sizes[1] < 0.2 * sizes[0]


def test_building_uno_prints_nothing(capsys):
    uno(1, 1, 1, **SMALL)
    assert capsys.readouterr().out == ""


def test_double_precision_is_refused_with_a_remedy():
    with pytest.raises(ValueError, match=r"expected float32 .* use pdekit.nets.fno.FNO"):
        fno(1, 1, 1, **SMALL)(torch.randn(1, 1, 16, dtype=torch.float64))


def test_other_modules_are_left_as_the_library_made_them():
    fno(2, 1, 1, **SMALL)
    assert type(library.FNO((8, 8), 1, 1, 8).fno_blocks.convs[0]) is SpectralConv


@pytest.mark.parametrize(
    ("layout", "shape", "padded"),
    [
        (("nodes", "nodes"), (29, 57), (35, 70)),  # 1.25 of 28 and of 56 intervals
        (("cells", "periodic"), (28, 20), (35, 20)),
        (("nodes", "cells"), (2, 3), (2, 4)),  # never cut
    ],
)
def test_bounded_axes_are_padded_by_a_length(layout, shape, padded):
    net, seen = fno(layout, 1, 1, modes=2, width=4, n_layers=1), []
    net.core.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    u = torch.randn(1, 1, *shape)
    assert net(u).shape == (1, 1, *shape)
    assert seen[0].shape[2:] == padded and torch.equal(seen[0][:, :1, : shape[0], : shape[1]], u)
    assert not seen[0][:, :, shape[0] :].any() and not seen[0][:, :, :, shape[1] :].any()
