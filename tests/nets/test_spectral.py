"""The truncated transforms: next to the full transform, next to sums of waves, and their derivatives."""

from itertools import pairwise, product

import pytest
import torch

from pdekit.nets.spectral import analyse, multiplicity, symmetric_bands, synthesise

GRIDS = [(32,), (33,), (32, 33), (33, 32), (48, 49), (49, 48), (8, 9, 10), (9, 7, 9)]


@pytest.mark.parametrize("shape", GRIDS)
def test_analysis_gives_the_coefficients_of_the_full_transform(shape):
    u = torch.randn(2, 3, *shape, dtype=torch.float64)
    bands = symmetric_bands(shape, (3,) * len(shape))
    full = torch.fft.fftn(u, dim=tuple(range(2, u.ndim)), norm="forward")
    found = analyse(u, bands).permute(0, 1, *reversed(range(2, u.ndim)))
    for ks in product((-3, -1, 0, 2, 3), repeat=len(shape) - 1):
        for k in (0, 1, 3):
            place = (..., *ks, k)
            assert (found[place] - full[place]).abs().max() < 1e-14


@pytest.mark.parametrize("shape", GRIDS)
def test_synthesis_is_the_sum_of_waves_also_for_spectra_that_are_not_hermitian(shape):
    bands = symmetric_bands(shape, (2,) * len(shape))
    numbers = [[*range(high + 1), *range(low, 0)] for low, high in bands]
    u_hat = torch.randn(1, 1, *(len(k) for k in reversed(numbers)), dtype=torch.complex128)
    axes = [2 * torch.pi * torch.arange(n, dtype=torch.float64) / n for n in shape]
    mesh = torch.meshgrid(*axes, indexing="ij")
    expected = torch.zeros(shape, dtype=torch.complex128)
    for ks in product(*(range(len(k)) for k in numbers)):
        phase = sum(numbers[axis][k] * mesh[axis] for axis, k in enumerate(ks))
        expected += (1 if ks[-1] == 0 else 2) * u_hat[(0, 0, *reversed(ks))] * torch.exp(1j * phase)
    found = synthesise(u_hat, shape, bands)[0, 0]
    assert (found - expected.real).abs().max() < 1e-12


@pytest.mark.parametrize(("shape", "bands"), [((7,), ((0, 3),)), ((6,), ((0, 3),)), ((5, 6), ((-1, 1), (0, 3)))])
def test_derivatives_of_the_transforms_of_first_and_second_order(shape, bands):
    """Also where the last axis keeps its Nyquist mode, which the library's models do."""
    u = torch.randn(2, 2, *shape, dtype=torch.float64, requires_grad=True)
    u_hat = analyse(u.detach(), bands).requires_grad_()
    for transform, field in ((lambda v: analyse(v, bands), u), (lambda v: synthesise(v, shape, bands), u_hat)):
        assert torch.autograd.gradcheck(transform, field, fast_mode=True)
        assert torch.autograd.gradgradcheck(transform, field, fast_mode=True)


def test_the_transforms_are_adjoint_up_to_multiplicity():
    """<analyse u, w> = <u, synthesise(w / (d n))> in the real inner product."""
    bands, shape = symmetric_bands((12, 9), (3, 2)), (12, 9)
    u = torch.randn(1, 1, *shape, dtype=torch.float64)
    w = torch.randn(1, 1, 3, 7, dtype=torch.complex128)
    left = (analyse(u, bands).conj() * w).real.sum()
    right = (u * synthesise(w / multiplicity(bands, shape, u), shape, bands)).sum()
    assert abs(left - right) < 1e-14


def test_one_axis_and_one_point():
    u = torch.full((1, 1, 1), 3.0)
    bands = symmetric_bands((1,), (4,))
    assert bands == ((0, 0),) and torch.equal(synthesise(analyse(u, bands), (1,), bands), u)


def test_bands_do_not_reach_nyquist():
    bands = [symmetric_bands((n,), (12,))[0][1] for n in range(1, 30)]
    assert bands == [min((n - 1) // 2, 12) for n in range(1, 30)]
    assert all(b <= a + 1 for a, b in pairwise(bands))
