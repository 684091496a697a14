"""A user's arrays become a dataset, and wrong ones are refused with a sentence."""

import numpy as np
import pytest
import torch
import xarray

from pdekit import solve
from pdekit.data import Description, from_arrays
from pdekit.data.inputs import by_split
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
        (waves(), {"fields": ["a", "b"]}, r"expected the 2 channels .* found 1 in the shape"),
        (waves(), {"dt": None}, "expected dt > 0"),
        (waves(n=1), {}, "at least 2 training trajectories"),
        (waves(), {"params": {"speed": np.ones(10) * 1j}}, "split complex fields"),
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


def field(n=4, n_frames=6, points=11, start=0.0, dt=0.5, **attrs) -> xarray.DataArray:
    """One field on coordinates with the spacing 0.1."""
    x = ("x", start + 0.1 * np.arange(points), attrs)
    coords = {"x": x, "time": dt * np.arange(n_frames), "field": ["T"]}
    return xarray.DataArray(waves(n, n_frames, 1, (points,)), dims=("sample", "time", "field", "x"), coords=coords)


@pytest.mark.parametrize(
    "layout, start, extent, origin",
    [("periodic", 0.0, 1.1, 0.0), ("nodes", 0.0, 1.0, 0.0), ("cells", 0.05, 1.1, 0.0), ("nodes", -2.0, 1.0, -2.0)],
)
def test_coordinates_are_the_points_of_the_grid(layout, start, extent, origin):
    for data in (field(start=start), field(start=start, layout=layout)):
        stated = "layout" in data.x.attrs
        grid = from_arrays(data, layout=None if stated else (layout,)).problem.grid
        np.testing.assert_allclose([*grid.extent, *grid.origin], [extent, origin], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(grid.coordinates(0), data.x.values, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "changes, options, sentence",
    [
        ({"layout": "periodic"}, {"extent": (1.0,)}, "expected 11 coordinates 'x' from 0 to 0.909"),
        ({}, {"extent": (1.1,)}, "expected 11 coordinates 'x' from 0 to 1.1"),
        ({"layout": "nodes"}, {"layout": ("cells",)}, "that the coordinates state"),
        ({}, {"dt": 0.4}, r"expected times dt = 0.4 apart, found 0.5"),
        ({}, {"valid": field(dt=0.1)}, "dt = 0.5 apart in the valid split as in train, found 0.1"),
        ({}, {"test": field(start=0.3)}, "in the test split: expected 11 coordinates"),
        ({}, {"test": field().assign_coords(field=["p"])}, r"expected the fields \['T'\] in the test split"),
        ({"layout": "periodic"}, {"boundary": [("wall", "wall")]}, "both periodic or both bounded"),
        ({}, {"boundary": [("periodic", "wall")]}, "both periodic or both bounded"),
        ({}, {"layout": ("nodes",), "boundary": [("wal", "wall")]}, "expected a condition among .*, got 'wal'"),
        ({}, {"layout": ("nodes",), "boundary": [("wall 3", "wall")]}, "expected a wall among .*, got '3'"),
    ],
)
def test_contradictions_are_refused(changes, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_arrays(field(**changes), **options)


def test_dates_are_seconds_and_uneven_times_are_refused():
    hours = np.datetime64("2020-01-01", "ns") + np.arange(6) * np.timedelta64(1, "h")
    data = from_arrays(field().assign_coords(time=hours))
    assert data.problem.dt == 3600
    assert data.sources["train"].read(0).t.tolist() == [[3600.0 * i for i in range(6)]]
    with pytest.raises(ValueError, match="increasing coordinates 'time', got steps from 1 to 2;"):
        from_arrays(field().assign_coords(time=[0, 1, 2, 4, 5, 6]))


def test_times_belong_to_each_trajectory():
    steps = np.array([0.1, 0.2, 0.3, 0.4])
    times = 1 + steps[:, None] * np.arange(6)
    data = from_arrays(field().drop_vars("time").assign_coords(time_of_sample=(("sample", "time"), times)))
    assert data.problem.params == ("dt",)
    for i in range(3):
        batch = data.sources["train"].read(i)
        np.testing.assert_allclose(batch.t[0], times[i], rtol=1e-12)
        np.testing.assert_allclose(batch.params[0, 0], steps[i], rtol=1e-6)


def test_channels_follow_their_names():
    def flow(order):
        values = {"u": np.full((4, 4, 8), 1.0), "p": np.full((4, 4, 8), 1000.0)}
        return xarray.Dataset({key: (("sample", "time", "x"), values[key]) for key in order})

    options = {"dt": 0.1, "extent": (1.0,)}
    data = from_arrays(flow("up"), test=flow("pu"), **options)
    assert data.sources["test"].read(0).u[0, 0, :, 0].tolist() == [1, 1000]
    data = from_arrays(flow("up"), fields=["p", "u"], **options)
    assert data.sources["train"].read(0).u[0, 0, :, 0].tolist() == [1000, 1]
    with pytest.raises(ValueError, match="expected each field once"):
        from_arrays(waves(channels=2), fields=["u", "u"], **options)
    with pytest.raises(ValueError, match="each name once among fields, coeffs, forcing and params"):
        from_arrays(waves(), fields=["u"], params={"u": np.ones(10)}, **options)


def test_axes_and_coordinates_of_a_coefficient_are_honoured():
    ramp = np.broadcast_to(np.arange(8.0)[:, None], (4, 8, 6))  # along y
    u = xarray.DataArray(ramp, dims=("sample", "y", "x")).expand_dims(time=1, field=1)
    k = xarray.DataArray(ramp, dims=("sample", "y", "x"))
    data = from_arrays(u, extent=(1.0, 1.0), coeffs={"k": k})
    batch = data.sources["train"].read(0)
    assert torch.equal(batch.u[0, 0], batch.coeffs[0]) and batch.coeffs[0, 0, 0].tolist() == list(range(8))
    with pytest.raises(ValueError, match="at the points of the fields"):
        from_arrays(u, extent=(1.0, 1.0), coeffs={"k": k.assign_coords(x=np.arange(6.0))})


def test_forcing_is_an_input_of_every_frame():
    u, pump = waves(n_frames=5), np.random.default_rng(0).normal(size=(10, 5, 16))
    options = {"dt": 0.1, "extent": (1.0,)}
    data = from_arrays(u, forcing={"pump": pump}, **options)
    batch = data.sources["valid"].read(0, slice(1, 3))
    assert data.problem.forcing == (Field("pump"),) and batch.forcing.shape == (1, 2, 1, 16)
    assert torch.equal(batch.forcing[0, :, 0], torch.from_numpy(pump[9, 1:3].astype(np.float32)))
    named = xarray.DataArray(pump, dims=("sample", "time", "x"), attrs={"units": "W"}).transpose("x", "time", "sample")
    again = from_arrays(u, forcing={"pump": named}, **options)
    assert again.problem.forcing == (Field("pump", "W"),)
    assert torch.equal(again.sources["valid"].read(0, slice(1, 3)).forcing, batch.forcing)
    for forcing, sentence in (
        (pump[:, 0], r"expected forcing\['pump'\] of shape \(10, 5, 16\)"),
        (np.where(pump > 2, np.nan, pump), "expected finite values in forcing"),
    ):
        with pytest.raises(ValueError, match=sentence):
            from_arrays(u, forcing={"pump": forcing}, **options)
    with pytest.raises(ValueError, match="each name once among fields, coeffs, forcing and params"):
        from_arrays(u, fields=["pump"], forcing={"pump": pump}, **options)


def test_inputs_by_name_belong_to_train_and_unknown_splits_are_refused():
    inputs = {"k": np.arange(160.0).reshape(10, 16)}
    options = {"dt": 0.1, "extent": (1.0,)}
    data = from_arrays(waves(), coeffs=inputs, params={"nu": np.arange(10.0)}, **options)
    assert data.sources["valid"].read(0).params.tolist() == [[9.0]]
    assert data.param_ranges() == {"nu": [0.0, 8.0]}
    assert data.sources["valid"].read(0).coeffs[0, 0].tolist() == inputs["k"][9].tolist()
    for coeffs, others in (
        (inputs, {"test": waves()}),
        ({"trian": inputs}, {}),
        ({"train": inputs, "test": inputs}, {}),
        ({"train": inputs}, {"test": waves()}),
        ({"train": np.ones((10, 16))}, {}),
    ):
        with pytest.raises(ValueError, match="expected coeffs"):
            from_arrays(waves(), coeffs=coeffs, **others, **options)
    for given in (np.ones((10, 16)), "k"):
        with pytest.raises(ValueError, match="expected coeffs by name, got "):
            by_split("coeffs", given, ["train"])


def test_masks_are_kept():
    u = waves(4, 6, 2, (8, 8))
    u[..., :3, :3] = 9.96921e36
    absent = u > 1e30
    named = xarray.DataArray(np.where(absent, np.nan, u), dims=("sample", "time", "field", "x", "y"))
    options = {"dt": 0.1, "extent": (1.0, 1.0)}
    with pytest.warns(UserWarning, match="72 points of 512 are NaN"):
        from_named = from_arrays(named, **options)
    for data in (
        from_arrays(np.ma.masked_where(absent, u), **options),
        from_arrays(u, mask=~absent[0, 0, 0], **options),
        from_arrays(u, mask={"train": ~absent[:, 0]}, **options),
        from_named,
    ):
        batch = data.sources["train"].read(1)
        assert data.problem.has_mask and batch.mask.shape == (1, 2, 8, 8)
        assert torch.equal(batch.mask[0] > 0, torch.from_numpy(~absent[1, 0])) and batch.u.abs().max() < 10
    moving = absent.copy()
    moving[2, 3] = False
    with pytest.raises(ValueError, match="changes in sample 2"):
        from_arrays(np.ma.masked_where(moving, np.where(absent, 0, u)), **options)
    with pytest.raises(ValueError, match="expected a mask of 0 and 1"):
        from_arrays(u, mask=np.full((8, 8), 0.5), **options)


def test_float64_is_kept_where_float32_would_lose_the_signal(tmp_path):
    u = 101325 + 0.05 * waves()
    data = from_arrays(u, dt=0.1, extent=(1.0,))
    assert np.array_equal(data.sources["train"].read(2).u.numpy()[0], u[2])
    assert from_arrays(waves(), dt=0.1, extent=(1.0,)).sources["train"].read(0).u.dtype == torch.float32
    stored = from_arrays(u, dt=0.1, extent=(1.0,), params={"p0": 1e9 + 0.01 * np.arange(10)}, folder=tmp_path)
    batch = stored.sources["train"].read(2)
    assert np.array_equal(batch.u.numpy()[0], u[2])
    assert batch.params.tolist() == [[1e9 + 0.02]]


def test_files_of_numpy(tmp_path):
    u = waves(channels=2)
    np.save(tmp_path / "u.npy", u)
    np.savez(tmp_path / "two.npz", v=u[:, :, 0], w=u[:, :, 1])
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    options = {"dt": 0.1, "extent": (1.0,)}
    expected = from_arrays(u, **options).sources["train"].read(3).u
    for name in ("u.npy", "two.npz"):
        data = from_arrays(tmp_path / name, **options)
        assert torch.equal(data.sources["train"].read(3).u, expected)
    assert [item.name for item in data.problem.fields] == ["v", "w"]
    with pytest.raises(ValueError, match=r"expected a \.npy or \.npz file of numbers"):
        from_arrays(tmp_path / "objects.npy", **options)
    with pytest.raises(FileNotFoundError, match="correct the path"):
        from_arrays(tmp_path / "none.npy", **options)


def test_nan_in_inputs_is_refused_with_its_place():
    nu = np.ones(10)
    nu[3] = np.nan
    for options in ({"params": {"nu": nu}}, {"coeffs": {"k": np.repeat(nu[:, None], 16, 1)}}):
        with pytest.raises(ValueError, match="found nan in sample 3"):
            from_arrays(waves(), dt=0.1, extent=(1.0,), **options)


def test_the_test_split_is_announced_where_it_is_the_validation():
    with pytest.warns(UserWarning, match="no test split was given"):
        from_arrays(waves(), dt=0.1, extent=(1.0,))


def test_solutions_come_back_in():
    solved = solve("darcy", n_trajectories=2, shape=(9, 9))
    data = from_arrays(solved)
    assert [item.name for item in data.problem.fields] == ["pressure"]
    assert [item.name for item in data.problem.coeffs] == ["permeability"]
    assert data.problem.grid.layout == ("nodes", "nodes") and data.problem.grid.extent == (1.0, 1.0)
    batch = data.sources["train"].read(0)
    np.testing.assert_allclose(batch.coeffs[0, 0], solved.permeability[0], rtol=1e-6)


PHASES = np.arange(12.0).reshape(4, 3, 1)


class TestLayoutOfCoordinates:
    """The layout is the one under which coordinates and values make sense, or it is asked for."""

    def along(self, x, u=None, **options):
        u = waves(4, 3, 1, (len(x),))[:, :, 0] if u is None else np.broadcast_to(u, (4, 3, len(x)))
        data = xarray.DataArray(u, dims=("sample", "time", "x"), coords={"x": x, "time": [0.0, 0.5, 1.0]}, name="T")
        return from_arrays(data, **options).problem.grid

    @pytest.mark.parametrize(
        "x, u, layout, extent",
        [
            (np.linspace(0, 1, 11), None, "nodes", 1.0),
            (np.linspace(0, 1, 11, dtype="f4"), None, "nodes", 1.0),
            (np.linspace(0, 1, 11), np.zeros(11), "nodes", 1.0),
            (np.arange(16) / 16, None, "periodic", 1.0),
            (np.arange(29, dtype="f4") / 29, None, "periodic", 1.0),
            (np.arange(64) / 64 * 2 * np.pi, None, "periodic", 2 * np.pi),
            ((np.arange(16) + 0.5) / 16, np.arange(16.0), "cells", 1.0),
        ],
    )
    def test_it_is_found(self, x, u, layout, extent):
        grid = self.along(x, u)
        assert (grid.layout, grid.extent, grid.origin) == ((layout,), (extent,), (0.0,))

    @pytest.mark.parametrize(
        "x, u, sentence",
        [
            (np.arange(16) / 16, np.arange(16.0), "differ 15 times as much as neighbours: periodic or half_open"),
            ((np.arange(16) + 0.5) / 16, None, r"a box that is bounded \(cells\) or periodic"),
            (
                np.linspace(0, 1, 11),
                np.cos(2 * np.pi * np.linspace(0, 1, 11) + PHASES),
                "drop it if the box is periodic",
            ),
            (np.arange(64.0), None, "they fit nodes and half_open alike"),
        ],
    )
    def test_it_is_asked_for(self, x, u, sentence):
        with pytest.raises(ValueError, match=f"state the layout of the axis.*{sentence}.*give layout="):
            self.along(x, u)

    def test_a_boundary_decides(self):
        x = np.arange(16) / 16
        assert self.along(x, np.arange(16.0), boundary=[("wall", "dirichlet 0")]).layout == ("half_open",)
        assert self.along(x, np.arange(16.0), boundary=[("periodic", "periodic")]).layout == ("periodic",)

    def test_without_coordinates_a_box_whose_values_jump_is_doubted(self):
        ramp = np.broadcast_to(np.arange(16.0), (4, 3, 1, 16))
        with pytest.warns(UserWarning, match=r"both ends of x \(15 times\) differ"):
            assert from_arrays(ramp, dt=0.1, extent=(1.0,)).problem.grid.layout == ("periodic",)


def test_two_grids_of_a_half_open_file_have_one_box():
    """Points i/n of a bounded box, as every sub-sampled public Darcy file has them: 29 x 29 and every second of 58."""
    fine = np.random.default_rng(0).normal(size=(4, 1, 1, 58, 58))
    x = np.arange(58) / 58
    grids = []
    for step in (1, 2):
        coords = {"x": x[::step], "y": x[::step]}
        data = xarray.DataArray(fine[..., ::step, ::step], dims=("sample", "time", "field", "x", "y"), coords=coords)
        grids.append(from_arrays(data, layout=("half_open", "half_open")).problem.grid)
    assert grids[0] == grids[1].resized((58, 58)) and grids[0].extent == (1.0, 1.0)


def test_units_of_coefficients_are_kept():
    u = field().rename("T").isel(field=0, drop=True).to_dataset(name="T")
    k = xarray.DataArray(np.ones((4, 11)), dims=("sample", "x"), attrs={"units": "m^2"})
    inside = from_arrays(u.assign(k=k))
    given = from_arrays(u, coeffs={"k": k})
    assert inside.problem.coeffs == given.problem.coeffs == (Field("k", "m^2"),)
    with pytest.raises(ValueError, match=r"expected k in 'm\^2' in the test split, found 'darcy'"):
        from_arrays(u.assign(k=k), test=u.assign(k=k.assign_attrs(units="darcy")))


def test_options_by_name_or_as_a_description():
    about = Description(dt=0.1, extent=(2.0,), layout=("nodes",))
    assert (
        from_arrays(waves(), about=about).problem
        == from_arrays(waves(), dt=0.1, extent=(2.0,), layout=("nodes",)).problem
    )
    assert from_arrays(waves(), about=about, dt=0.3).problem.dt == 0.3
    with pytest.raises(TypeError, match=r"expected options among .*'layout'.*got \['layuot'\]"):
        from_arrays(waves(), about=about, layuot=("cells",))
