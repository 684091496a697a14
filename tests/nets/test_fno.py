"""The Fourier neural operator: symmetry, change of resolution, bounded axes, compilation, mixed precision."""

import subprocess
import sys

import pytest
import torch

from pdekit.nets.condition import Condition
from pdekit.nets.fno import FNO, FourierLayer, limited
from pdekit.nets.spectral import analyse, symmetric_bands


def smooth(shape, batch=2, dtype=torch.float64):
    """Fields with wavenumbers up to 2 on the unit torus, the same function on every grid."""
    axes = [2 * torch.pi * torch.arange(n, dtype=dtype) / n for n in shape]
    mesh = torch.meshgrid(*axes, indexing="ij")
    fields = [torch.sin(sum((1 + (i + j) % 2) * x for j, x in enumerate(mesh)) + i) for i in range(batch)]
    return torch.stack(fields)[:, None]


@pytest.mark.parametrize(
    ("shape", "shift"), [((33,), (5,)), ((32,), (7,)), ((17, 24), (3, -5)), ((9, 8, 10), (2, 1, 7))]
)
def test_translating_the_input_translates_the_output(shape, shift):
    net = FNO(len(shape), 2, 3, modes=4, width=6, n_layers=3).double()
    u = torch.randn(2, 2, *shape, dtype=torch.float64)
    axes = tuple(range(2, u.ndim))
    assert (net(u.roll(shift, axes)) - net(u).roll(shift, axes)).abs().max() < 1e-12


def test_a_bounded_axis_breaks_the_symmetry_along_itself_only():
    net = FNO(("periodic", "cells"), 1, 1, modes=4, width=6).double()
    u = torch.randn(2, 1, 16, 15, dtype=torch.float64)
    assert (net(u.roll(3, 2)) - net(u).roll(3, 2)).abs().max() < 1e-12
    assert (net(u.roll(3, 3)) - net(u).roll(3, 3)).abs().max() > 1e-3


@pytest.mark.parametrize("shape", [(96,), (97,), (48, 49), (49, 64)])
def test_the_same_function_on_other_grids(shape):
    """Nonlinearities make all wavenumbers, decaying fast for smooth input: what differs is their aliasing."""
    net = FNO(len(shape), 1, 1, modes=3, width=8, n_layers=2).double()
    coefficients = []
    for grid in (shape, tuple(2 * n + 1 for n in shape)):
        coefficients.append(analyse(net(smooth(grid)), symmetric_bands(grid, (6,) * len(grid))))
    assert (coefficients[0] - coefficients[1]).abs().max() < 1e-9 * coefficients[0].abs().max()
    few = tuple(9 for _ in shape)  # far too coarse: now the difference is seen
    assert (
        analyse(net(smooth(few)), symmetric_bands(few, (4,) * len(few)))
        - analyse(net(smooth(shape)), symmetric_bands(shape, (4,) * len(shape)))
    ).abs().max() > 1e-9


def test_padding_keeps_the_ends_of_a_bounded_axis_apart():
    """A kernel acts across a periodic end at once; padding puts distance between the two ends."""
    responses = []
    for padding in (0.0, 1.0):
        torch.manual_seed(0)
        net = FNO(("cells",), 1, 1, modes=16, width=8, n_layers=1, padding=padding).double()
        spike = torch.zeros(1, 1, 64, dtype=torch.float64)
        spike[..., -1] = 1.0
        change = (net(spike) - net(0 * spike)).abs()[0, 0]
        responses.append((change[:4].max() / change.max()).item())
    assert responses[1] < 0.5 * responses[0]


def test_number_of_parameters():
    width, modes, layers = 8, 3, 2
    pointwise = (2 * 16 + 16 + 16 * 8 + 8) + (8 * 16 + 16 + 16 * 1 + 1)
    layer = 2 * width**2 * 7 * 4 + width**2 + width + (8 * 4 + 4 + 4 * 8 + 8)
    net = FNO(2, 2, 1, modes=modes, width=width, n_layers=layers)
    assert sum(p.numel() for p in net.parameters()) == pointwise + layers * layer


def test_conditioning_acts_as_gain_and_offset_before_the_first_nonlinearity():
    layer = FourierLayer(4, (3,), 5, last=True).double()
    torch.nn.init.normal_(layer.modulation.linear.weight)
    torch.nn.init.normal_(layer.bias)
    u, embedding = torch.randn(2, 4, 16, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    v = layer.kernel(u) + layer.weight @ u + layer.bias[:, None]
    gain, offset = layer.modulation(embedding)
    expected = layer.perceptron(gain[..., None] * v + offset[..., None], u)
    assert (layer(u, embedding) - expected).abs().max() < 1e-12


@pytest.mark.parametrize("width", [4, 48])  # the second one convolves with its skip
def test_a_layer_without_conditions_is_kernel_plus_skip_plus_bias(width):
    layer = FourierLayer(width, (3,), 0, last=False).double()
    torch.nn.init.normal_(layer.bias)
    u = torch.randn(2, width, 16, dtype=torch.float64)
    expected = layer.perceptron(layer.kernel(u) + layer.weight @ u + layer.bias[:, None], u)
    assert (layer(u, None) - expected).abs().max() < 1e-12


def test_modes_may_differ_between_axes():
    net = FNO(2, 1, 1, modes=(2, 5), width=4)
    assert net.layers[0].kernel.weight.shape == (6, 5, 4, 4, 2)
    assert net(torch.randn(1, 1, 12, 9)).shape == (1, 1, 12, 9)


def test_autocast_is_left_aside():
    net = FNO(1, 1, 1, 1, modes=4, width=8)
    u, condition = torch.randn(2, 1, 16), Condition(torch.rand(2, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = net(u, condition)
    assert mixed.dtype == torch.float32 and torch.equal(mixed, net(u, condition))


@pytest.mark.parametrize("options", [{"modes": 0}, {"modes": (4,)}, {"width": 1}, {"n_layers": 0}, {"padding": -0.1}])
def test_options_out_of_range_say_what_was_expected(options):
    with pytest.raises(ValueError, match=r"expected .* got"):
        FNO(2, 1, 1, **{"modes": 4, **options})


PROGRAM = """
import torch
from pdekit.nets.condition import Condition
from pdekit.nets.fno import FNO
torch.manual_seed(0)
net = FNO(("periodic", "nodes"), 1, 1, 1, modes=3, width=6, n_layers=2)
u, condition = torch.randn(2, 1, 16, 15), Condition(torch.rand(2, 1))
results = []
for f in (net, torch.compile(net, backend="aot_eager", fullgraph=True)):
    net.zero_grad()
    y = f(u, condition)
    y.square().mean().backward()
    results.append([y.detach(), *(p.grad for p in net.parameters())])
for plain, compiled in zip(*results):
    torch.testing.assert_close(compiled, plain, rtol=1e-4, atol=1e-6)
"""


@pytest.mark.slow
def test_compiles_as_one_graph_forward_and_backward():
    """In a process of its own: the run-time type checks of the tests are not traceable."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("layout", ["periodic", "cells", "nodes", "half_open"])
def test_modes_that_the_training_grid_does_not_resolve_are_left_out(layout):
    """A net of 12 modes on 16 points acts on 64 points as one that has just the modes that 16 points resolve."""
    torch.manual_seed(0)
    net = FNO((layout,), 1, 1, modes=12, width=4, n_layers=2).double()
    short = limited(net, (16,))
    u = torch.randn(2, 1, 64, dtype=torch.float64)
    assert short.limit < net.modes and limited(net, (64,)) is net
    assert next(short.parameters()) is next(net.parameters())
    with torch.no_grad():
        before, expected = net(u), short(u)
        assert (before - expected).abs().max() > 1e-4 * expected.abs().max()
        for layer in net.layers:  # without weights, the modes do nothing
            layer.kernel.weight[short.limit[0] + 1 :] = 0
    torch.testing.assert_close(short(u), expected, rtol=0, atol=0)
    torch.testing.assert_close(net(u), expected)
    coarse = torch.randn(2, 1, 16, dtype=torch.float64)
    torch.testing.assert_close(net(coarse), short(coarse))
