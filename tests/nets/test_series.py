"""Fourier series on bounded axes: closed forms of integrals, adjoints, derivatives, convolutions known by hand."""

import pytest
import torch

from pdekit.fields import Grid
from pdekit.nets.series import bounded_series
from pdekit.nets.spectral import analyse, multiplicity, symmetric_bands, synthesise
from pdekit.nets.spectral_conv import SpectralConv, _Convolution, convolve

DOUBLE = torch.float64
PERIOD = 1.3


def series_and_bands(shape, layout, modes, period=PERIOD):
    series = bounded_series(shape, layout, period, modes, torch.zeros((), dtype=DOUBLE))
    return series, symmetric_bands(shape, modes, series)


@pytest.mark.parametrize("layout", ["nodes", "cells", "half_open"])
@pytest.mark.parametrize("last", [True, False])
def test_coefficients_are_integrals_over_the_axis(layout, last):
    """Of exp(-x), in closed form: (1 - exp(-1 - i q)) / (P (1 + i q)), q = 2 pi k / P; second order in the spacing."""
    errors = []
    for n in (20, 40):
        shape, layouts = ((3, n), ("periodic", layout)) if last else ((n, 3), (layout, "periodic"))
        series, bands = series_and_bands(shape, layouts, (4, 1) if not last else (1, 4))
        x = Grid((n,), (1.0,), layout=(layout,)).coordinates(0)
        u = torch.exp(-x).expand(3, n) if last else torch.exp(-x)[:, None].expand(n, 3)
        found = analyse(u[None, None], bands, series)[0, 0]
        found = found[:, 0] if last else found[0]
        k = torch.tensor([0, 1, 2, 3, 4] if last else [0, 1, 2, 3, 4, -4, -3, -2, -1])
        q = 2j * torch.pi * k / PERIOD
        errors.append((found - (1 - torch.exp(-1 - q)) / (PERIOD * (1 + q))).abs().max().item())
    # a half-open axis misses its last interval, over which the line through the last two points goes on
    assert errors[0] < (8e-3 if layout == "half_open" else 4e-3) and errors[1] < errors[0] / 3.7


@pytest.mark.parametrize(
    ("shape", "layout"),
    [((9,), ("nodes",)), ((8, 7), ("cells", "nodes")), ((6, 8), ("nodes", "periodic")), ((7,), ("half_open",))],
)
@pytest.mark.parametrize("weighted", [True, False])
def test_the_two_maps_are_adjoint(shape, layout, weighted):
    """<analyse u, w> = <u, synthesise(w / (d n))>, weighted with weighted and plain with plain."""
    series, bands = series_and_bands(shape, layout, (2,) * len(shape))
    u = torch.randn(1, 2, *shape, dtype=DOUBLE)
    u_hat = analyse(u, bands, series, weighted)
    w = torch.randn_like(u_hat)
    left = (u_hat.conj() * w).real.sum()
    right = (u * synthesise(w / multiplicity(bands, shape, u, series), shape, bands, series, weighted)).sum()
    assert left.item() == pytest.approx(right.item(), rel=1e-12)


def test_modes_that_the_points_do_not_resolve_are_left_out():
    """29 nodes are 28 intervals; a period of 1.125 has 31.5 of them, and the highest mode below Nyquist is 15."""
    assert series_and_bands((29,), ("nodes",), (40,), 1.125)[1] == ((0, 15),)
    assert series_and_bands((29,), ("cells",), (40,), 1.0)[1] == ((0, 14),)
    conv = SpectralConv(1, 1, (40,)).double()
    u = torch.randn(1, 1, 29, dtype=DOUBLE)
    series, _ = series_and_bands((29,), ("nodes",), (40,), 1.125)
    assert conv(u, series=series).shape == (1, 1, 29)


@pytest.mark.parametrize("layout", [("cells", "nodes"), ("nodes", "periodic"), ("periodic", "nodes")])
def test_derivatives_of_first_and_second_order(layout):
    shape, modes = (6, 5), (2, 2)
    series, bands = series_and_bands(shape, layout, modes)
    conv = SpectralConv(2, 3, modes).double()
    inputs = [torch.randn(2, 2, *shape), conv._kept(bands), torch.randn(2, 3), torch.randn(2, 3), torch.randn(2, 3, 2)]
    inputs = [t.detach().double().requires_grad_() for t in inputs]
    fast, plain = _Convolution.apply(*inputs, bands, series), convolve(*inputs, bands, series)
    assert (fast - plain).abs().max() < 1e-13
    weight = torch.randn_like(plain)
    for ours, reference in zip(*(torch.autograd.grad((weight * v).sum(), inputs) for v in (fast, plain)), strict=True):
        assert (ours - reference).abs().max() < 1e-12 * reference.abs().max()

    def function(*arguments):
        return _Convolution.apply(*arguments, bands, series)

    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize("layout", ["nodes", "cells", "half_open"])
def test_a_kernel_of_one_mode_is_the_integral_that_it_stands_for(layout):
    """W = 1 at k = 1 alone: v(x) = 2/P integral_0^1 cos(2 pi (x - x') / P) u(x') dx', beyond the ends nothing."""
    errors = []
    for n in (40, 80):
        series, _ = series_and_bands((n,), (layout,), (2,))
        conv = SpectralConv(1, 1, (2,)).double()
        with torch.no_grad():
            conv.weight.zero_()[1, 0, 0, 0] = 1.0
        grid = Grid((n,), (1.0,), layout=(layout,))
        x = grid.coordinates(0)
        v = conv((1 + x)[None, None], series=series)[0, 0]
        fine = Grid((20001,), (1.0,), layout=("nodes",))
        kernel = torch.cos(2 * torch.pi * (x[:, None] - fine.coordinates(0)) / PERIOD)
        wanted = 2 / PERIOD * (kernel * (1 + fine.coordinates(0)) * fine.weights()).sum(1)
        errors.append((v - wanted).abs().max().item())
    assert errors[0] < 2e-3 and errors[1] < errors[0] / 3.7
