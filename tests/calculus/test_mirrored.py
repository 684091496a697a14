"""The calculus between mirrors: exact on its modes, products free of aliasing, and nothing else is accepted."""

from math import pi

import pytest
import torch

from pdekit.calculus import Fourier
from pdekit.calculus.mirrored import Mirrored, resample_mirrored
from pdekit.fields import Grid

GRID = Grid((12, 16), (1.0, 1.5), layout=("cells", "cells"))
X, Y = GRID.mesh()
WAVES = {1: torch.cos, -1: torch.sin}


def wave(signs, m, n, grid=GRID):
    x, y = grid.mesh()
    value = WAVES[signs[0]](pi * m * x) * WAVES[signs[1]](pi * n * y / 1.5)
    return value.reshape(1, 1, *grid.shape)


def doubled(u, signs):
    """The same field on the periodic box of twice the size."""
    for axis, sign in enumerate(signs):
        u = torch.cat((u, sign * u.flip(2 + axis)), 2 + axis)
    return u


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_derivatives_are_those_of_the_doubled_periodic_box(signs):
    d, big = Mirrored(GRID), Fourier(Grid((24, 32), (2.0, 3.0)))
    u = wave(signs, 3, 4) - 0.4 * wave(signs, 1, 2)
    field, other = d.field(u, (signs,)), big.field(doubled(u, signs))
    for letters in ("x", "y", "xx", "xy", "yyy", "xxyy"):
        expected = big.along(other, letters).samples[..., :12, :16]
        torch.testing.assert_close(d.along(field, letters).samples, expected, rtol=0, atol=1e-9)
    found = d.laplacian(d.poisson("psi", field))
    torch.testing.assert_close(found.samples, u, rtol=0, atol=1e-12)


def test_the_derivative_of_a_product_has_no_aliasing():
    """cos(5 pi x) cos(7 pi x) has the modes 2 and 12; 12 cells keep modes up to 7, so that only the mode 2 is left."""
    d = Mirrored(GRID)
    product = d.field(wave((1, 1), 5, 0), ((1, 1),)) * d.field(wave((1, 1), 7, 0), ((1, 1),))
    found = d.x(product).samples
    expected = (-pi * torch.sin(2 * pi * X)).reshape(1, 1, *GRID.shape)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


def test_signs_follow_the_arithmetic():
    d = Mirrored(GRID)
    a, b = d.field(wave((1, -1), 1, 1), ((1, -1),)), d.field(wave((-1, 1), 1, 1), ((-1, 1),))
    assert d.x(a).signs == ((-1, -1),) and (a * b).signs == ((-1, -1),) and (2 * a - a).signs == ((1, -1),)
    assert d.stack(a, b).signs == ((1, -1), (-1, 1)) and (torch.ones(1, 1, 1, 1) * a).signs == ((1, -1),)
    mixed = a + b
    assert mixed.signs == (None,)
    with pytest.raises(AssertionError, match="different signs"):
        d.x(mixed)
    kept = d.projected(mixed, (1, -1)).samples  # the mean of b's sine over the cells is not 0
    assert kept.shape == a.samples.shape


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, -1)])
def test_resampling_is_exact_for_what_both_grids_hold(signs):
    fine, coarse = GRID.resized((24, 21)), GRID.resized((9, 12))
    u = wave(signs, 5, 7, fine) + wave(signs, 2, 1, fine)
    found = resample_mirrored(u, coarse.shape, (signs,))
    torch.testing.assert_close(found, wave(signs, 5, 7, coarse) + wave(signs, 2, 1, coarse), rtol=0, atol=1e-12)
    torch.testing.assert_close(resample_mirrored(found, fine.shape, (signs,)), u, rtol=0, atol=1e-12)


def test_a_mode_that_the_coarse_grid_lacks_is_removed():
    fine = GRID.resized((24, 24))
    assert resample_mirrored(wave((1, 1), 20, 3, fine), (12, 12), ((1, 1),)).abs().max() < 1e-13


@pytest.mark.parametrize(
    "grid",
    [Grid((8, 8), (1.0, 1.0)), Grid((8,), (torch.ones(2, 1, 1),), layout=("cells",))],
    ids=["periodic", "varies"],
)
def test_other_grids_are_refused(grid):
    with pytest.raises(ValueError, match="expected a grid of cells with fixed lengths"):
        Mirrored(grid)
