"""A user's arrays become a dataset, and wrong ones are refused with a sentence."""

import numpy as np
import pytest
import torch
import xarray

from pdekit.data import from_arrays
from pdekit.data.loading import Loading
from pdekit.data.module import DataModule
from pdekit.fields import Field


def waves(n=10, n_frames=4, channels=1, shape=(16,)):
    return np.random.default_rng(0).normal(size=(n, n_frames, channels, *shape))


def test_validation_is_taken_from_the_end():
    array = waves(20)
    data = from_arrays(array, dt=0.5, extent=(2.0,), fields=["u"])
    assert (data.train.n_trajectories, data.valid.n_trajectories, data.test.n_trajectories) == (18, 2, 2)
    torch.testing.assert_close(data.valid.trajectories([0]).u[0], torch.from_numpy(array[18]).float())
    assert data.problem.dt == 0.5 and data.problem.grid.extent == (2.0,)


def test_memory_and_file_give_the_same(tmp_path):
    array = waves(channels=3, shape=(8, 6))
    fields = [Field("p"), Field("ux", "m/s", vector="u"), Field("uy", "m/s", vector="u")]
    coeffs = {split: {"mask": np.ones((len(part), 8, 6))} for split, part in (("train", array), ("test", array[:2]))}
    params = {split: {"speed": np.arange(len(part)) / 7} for split, part in (("train", array), ("test", array[:2]))}
    options = {"dt": 0.1, "extent": (1.0, 2.0), "fields": fields, "coeffs": coeffs, "params": params}
    memory = from_arrays(array, test=array[:2], loading=Loading(batch_size=3), **options)
    stored = from_arrays(array, test=array[:2], loading=Loading(batch_size=3), folder=tmp_path, name="mine", **options)
    again = DataModule.from_folder(tmp_path, Loading(batch_size=3))
    for data in (stored, again):
        assert data.problem == memory.problem
        for one, other in zip(data.train_dataloader(), memory.train_dataloader(), strict=True):
            assert all(
                torch.equal(getattr(one, part), getattr(other, part))
                for part in ("u", "t", "coeffs", "params", "index")
            )


def test_xarray_says_it_all():
    x = np.arange(16) * 0.25 - 1
    time = np.arange(4) * 0.1
    array = waves(channels=1)[:, :, 0]
    dataset = xarray.Dataset(
        {
            "u": (("sample", "time", "x"), array, {"units": "m/s"}),
            "p": (("sample", "time", "x"), 2 * array, {"units": "Pa"}),
        },
        coords={"x": x, "time": time},
    )
    data = from_arrays(dataset)
    assert data.problem.fields == (Field("u", "m/s"), Field("p", "Pa"))
    np.testing.assert_allclose(
        [data.problem.dt, *data.problem.grid.extent, *data.problem.grid.origin], [0.1, 4.0, -1.0]
    )
    whole = data.train.trajectories([3]).u[0]
    np.testing.assert_allclose(whole[:, 1], 2 * array[3], rtol=1e-6)
    named = dataset.to_dataarray("field").transpose("time", "sample", "x", "field")
    assert [item.name for item in from_arrays(named).problem.fields] == ["u", "p"]


def test_steady_data_need_no_step():
    data = from_arrays(waves(n_frames=1), extent=(1.0,), fields=["u"])
    assert data.problem.steady
    data.set_window(0, 1)
    assert len(data.train) == 9


@pytest.mark.parametrize(
    "array, options, sentence",
    [
        (waves()[:, :, 0, 0], {}, r"expected an array .sample time channel .space., got shape \(10, 4\)"),
        (waves()[:, :, 0], {}, "with 1 spatial axes"),
        (waves(), {"extent": None}, "expected the lengths of the box"),
        (waves(), {"fields": ["a", "b"]}, r"expected u of shape \(9, 4, 2, 16\)"),
        (waves(), {"dt": None}, "expected dt > 0"),
        (waves(n=1), {}, "at least 2 training trajectories"),
        (waves().astype(complex), {}, "split complex fields"),
        (xarray.DataArray(waves()[:, :, 0], dims=("sample", "time", "lon")), {}, "expected the dims sample, time"),
        (waves(), {"params": {"train": {"nu": np.ones(3)}}}, r"expected params\['nu'\] of shape \(10,\)"),
        (waves(), {"coeffs": {"train": {"k": np.ones((10, 8))}}}, r"expected coeffs\['k'\] of shape \(10, 16\)"),
    ],
)
def test_wrong_arrays_are_refused(array, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_arrays(array, **{"dt": 0.1, "extent": (1.0,), **options})


def test_nan_is_refused_and_located():
    array = waves()
    array[4, 2, 0, 3] = np.nan
    array[6, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="NaN or Inf in 2 trajectories, first in number 4"):
        from_arrays(array, dt=0.1, extent=(1.0,), fields=["u"])


def test_uneven_coordinates_are_refused():
    array = xarray.DataArray(waves(), dims=("sample", "time", "field", "x"), coords={"x": np.linspace(0, 1, 16) ** 2})
    with pytest.raises(ValueError, match="evenly spaced, increasing coordinates 'x'"):
        from_arrays(array, dt=0.1)
