"""Arrays say more than their values: attributes of the CF conventions, the place of their channels, their keys."""

import numpy as np
import pytest
import torch
import xarray

from pdekit.data import from_arrays


def flow(n_frames=4, **attrs):
    values = np.random.default_rng(0).normal(size=(6, n_frames, 8))
    coords = {"time": 0.1 * np.arange(n_frames), "x": np.arange(8) / 8}
    return xarray.DataArray(values, coords=coords, dims=("sample", "time", "x"), name="u", attrs=attrs)


@pytest.mark.parametrize("attribute", ["_FillValue", "missing_value"])
@pytest.mark.parametrize("kind", ["array", "dataset"])
def test_fill_values_of_attributes_are_no_data(attribute, kind):
    there = np.arange(8) > 1
    u = flow().where(there, -999.0).assign_attrs({attribute: -999.0})
    with pytest.warns(UserWarning, match="12 points of 48 are NaN"):
        data = from_arrays(u if kind == "array" else u.to_dataset())
    batch = data.sources["train"].read(1)
    assert torch.equal(batch.mask[0, 0] > 0, torch.from_numpy(there))
    assert np.allclose(batch.u[0, :, 0, 2:], u.values[1, :, 2:]) and batch.u.abs().max() < 10


def test_packed_values_and_counted_times_are_unpacked():
    exact = flow()
    packed = ((exact - 5) / 0.01).round().astype("i2").assign_attrs(scale_factor=0.01, add_offset=5.0)
    packed = packed.assign_coords(time=("time", np.arange(4), {"units": "hours since 2000-01-01"}))
    data = from_arrays(packed)
    assert abs(data.sources["train"].read(2).u[0, :, 0].numpy() - exact.values[2]).max() <= 0.0051
    assert data.problem.dt == 3600.0


def test_channels_that_come_last_are_noticed():
    u = np.random.default_rng(0).normal(size=(6, 4, 8, 2))
    with pytest.raises(ValueError, match=r"found 8 in the shape .*np\.moveaxis\(array, -1, 2\)"):
        from_arrays(u, dt=0.1, extent=(1.0,), fields=["u", "v"])
    with pytest.warns(UserWarning, match="8 channels and 2 points along the last axis"):
        from_arrays(u, dt=0.1, extent=(1.0,))
    data = from_arrays(np.moveaxis(u, -1, 2), dt=0.1, extent=(1.0,), fields=["u", "v"])
    assert data.problem.grid.shape == (8,)


def test_an_archive_of_splits_a_wrong_step_and_a_misspelt_split(tmp_path):
    u = np.random.default_rng(0).normal(size=(6, 4, 1, 8))
    np.savez(tmp_path / "splits.npz", train=u, test=u)
    with pytest.raises(ValueError, match=r"found the splits \['test', 'train'\]"):
        from_arrays(tmp_path / "splits.npz", dt=0.1, extent=(1.0,))
    for dt in (-0.1, 0.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="expected a positive, finite time dt"):
            from_arrays(u, dt=dt, extent=(1.0,))
    with pytest.raises(TypeError, match="did you mean 'valid'"):
        from_arrays(u, vald=u, dt=0.1, extent=(1.0,))


def test_units_are_one_however_they_are_written():
    ours, theirs, other = (flow(units=unit) for unit in ("kg/m^3", "kg m-3", "g cm-3"))
    assert from_arrays(ours, valid=theirs, test=theirs).problem.fields[0].unit == "kg/m^3"
    with pytest.raises(ValueError, match=r"expected u in 'kg/m\^3' in the valid split, found 'g cm-3'"):
        from_arrays(ours, valid=other, test=theirs)
