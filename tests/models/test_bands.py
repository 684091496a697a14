"""Wavelet bands as channels: inverted to rounding, of rms one, in the order of axes and fields."""

import pytest
import torch

from pdekit.fields import Grid
from pdekit.models.bands import SMALLEST, Bands

GRIDS = {
    "line": Grid((16,), (1.0,)),
    "plane": Grid((8, 12), (1.0, 1.0)),
    "nodes": Grid((13,), (1.0,), layout=("nodes",)),
    "channel": Grid((8, 9), (1.0, 1.0), layout=("periodic", "cells")),
}


def frames(grid, n_times, n_fields=2):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, n_times, n_fields, *grid.shape, dtype=torch.float64, generator=generator).cumsum(1)


@pytest.mark.parametrize("wavelet", ["haar", "db3", "bior2.4", "fourier", None])
@pytest.mark.parametrize(("in_time", "n_times"), [(True, 7), (True, 4), (True, 1), (False, 1)])
@pytest.mark.parametrize("name", GRIDS)
def test_scaled_bands_give_the_frames_back(name, in_time, n_times, wavelet):
    grid, u = GRIDS[name], frames(GRIDS[name], n_times)
    bands = Bands(grid, wavelet, 2, in_time, n_times).double()
    bands.calibrate(u[i : i + 1] for i in range(3))
    found = bands(u)
    n_bands = 1 if wavelet is None else 2 ** (grid.ndim + in_time)
    assert found.shape == (3, 2 * n_bands, *bands.sizes(n_times, grid.shape))
    assert len(bands.layout) == found.ndim - 2 and bands.n_channels == found.shape[1]
    torch.testing.assert_close(bands.inverse(found, n_times, grid.shape), u, rtol=0, atol=1e-12)
    if wavelet == "fourier":  # each coefficient has rms one; the last odd one of an odd axis does not exist
        rms = found.square().mean(0).sqrt()
        return torch.testing.assert_close(rms, (rms > 0.5).double(), rtol=1e-6, atol=1e-6)
    rms = found.square().mean([0, *range(2, found.ndim)]).sqrt()
    # with one frame Haar's high band in time is a copy of the low one, but for its sign
    torch.testing.assert_close(rms, torch.ones_like(rms), rtol=1e-6, atol=0)


def test_channels_count_bands_then_fields():
    """A field that is constant in space and changes in time: its bands are those of time alone."""
    bands = Bands(GRIDS["line"], "haar", 2, in_time=True).double()
    u = torch.zeros(1, 4, 2, 16, dtype=torch.float64)
    u[:, ::2, 1] = 1.0  # the second field alternates in time
    energy = bands(u).square().sum((0, 2, 3))
    expected = torch.zeros(4, 2, dtype=torch.float64)
    expected[0, 1] = expected[2, 1] = 16.0
    torch.testing.assert_close(energy.reshape(4, 2), expected, rtol=0, atol=1e-12)


def test_a_band_of_rounding_errors_is_not_magnified():
    """A field that is constant in space has no high band; its scale is a millionth of the largest, not zero."""
    bands = Bands(GRIDS["line"], "haar", 1, in_time=False).double()
    bands.calibrate([torch.ones(2, 1, 1, 16, dtype=torch.float64)])
    torch.testing.assert_close(bands.scale[1] / bands.scale[0], torch.tensor(SMALLEST, dtype=torch.float64))
    nothing = Bands(GRIDS["line"], "haar", 1, in_time=False).double()
    nothing.calibrate([torch.zeros(2, 1, 1, 16, dtype=torch.float64)])
    assert nothing.scale.tolist() == [1.0, 1.0]


def test_no_fields_make_no_channels():
    bands = Bands(GRIDS["line"], "haar", 0, in_time=False)
    bands.calibrate([torch.zeros(2, 1, 0, 16)])
    assert bands(torch.zeros(2, 1, 0, 16)).shape == (2, 0, 8)


def test_an_odd_periodic_axis_is_refused():
    with pytest.raises(ValueError, match="expected an even number of points on the periodic axis y, got 9"):
        Bands(Grid((8, 9), (1.0, 1.0)), "haar", 1, in_time=True)
