"""Band-limited interpolation: exact for what both grids hold, and no aliasing of what they do not."""

import pytest
import torch

from pdekit.calculus.resample import resample

PI2 = 2 * torch.pi


def points(n):
    return torch.arange(n, dtype=torch.float64) / n * PI2


def field(n, m, modes=((0, 0), (1, -2), (3, 1), (-2, 3))):
    """A band-limited field with modes of mixed sign on n x m points, one random phase each."""
    x, y = torch.meshgrid(points(n), points(m), indexing="ij")
    return sum(torch.cos(a * x + b * y + i) for i, (a, b) in enumerate(modes))[None, None]


@pytest.mark.parametrize("old", [(8, 9), (9, 8), (16, 16)])
@pytest.mark.parametrize("new", [(8, 8), (15, 33), (32, 9)])
def test_band_limited_fields_are_resampled_exactly(old, new):
    torch.testing.assert_close(resample(field(*old), new), field(*new), rtol=1e-13, atol=1e-13)


def test_what_the_coarse_grid_cannot_hold_is_removed_not_aliased():
    fine = torch.cos(2 * points(32)) + torch.cos(7 * points(32))
    coarse = resample(fine[None, None], (8,))[0, 0]
    torch.testing.assert_close(coarse, torch.cos(2 * points(8)), rtol=1e-13, atol=1e-13)
    strided = fine[::4]
    assert (coarse - strided).abs().max() > 0.9  # mode 7 looks like mode 1 on 8 points


@pytest.mark.parametrize("n", [5, 8, 12, 13])
def test_there_and_back(n):
    u = torch.randn(2, 3, n, dtype=torch.float64)
    torch.testing.assert_close(resample(resample(u, (2 * n + 1,)), (n,)), u, rtol=1e-12, atol=1e-12)


def test_the_nyquist_cosine_is_refined_to_a_cosine():
    u = torch.cos(4 * points(8))[None, None]
    torch.testing.assert_close(resample(u, (32,))[0, 0], torch.cos(4 * points(32)), rtol=1e-13, atol=1e-13)


def test_a_wrong_number_of_sizes_is_refused():
    with pytest.raises(ValueError, match="expected 2 sizes"):
        resample(field(8, 8), (4,))
