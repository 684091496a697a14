"""HDF5 of any layout with a mapping, from a file and from the command line; NetCDF and Zarr, also at an address."""

import pickle
import shutil

import h5py
import numpy as np
import pytest
import xarray as xr
import yaml

from pdekit import inspect as inspect_command
from pdekit.boundaries import Outflow, Wall
from pdekit.cli.mapping import take_mapping, with_path, written
from pdekit.data.conversion import convert
from pdekit.data.formats import open_path, recognised
from pdekit.data.formats.contract import located
from pdekit.data.inspection import inspect_path
from pdekit.data.module import DataModule
from pdekit.data.published import open_published
from pdekit.fields import Grid

from . import published_others as published
from .published_pdebench import counted

MAPPING = {
    "file": "waves.h5",
    "fields": {"u": "/states/u", "flow": "flow"},
    "axes": {"u": "stxy", "flow": "tyxcs", "a": "sxy", "f": "stxy"},
    "coeffs": {"a": "/a"},
    "forcing": {"f": "f"},
    "params": {"nu": "/nu"},
    "dt": 0.5,
    "extent": [1.0, 2.0],
    "layout": ["nodes", "cells"],
    "boundary": [["wall no_slip", "outflow"], ["outflow", "outflow"]],
}


def waves(folder, **changes):
    with h5py.File(folder / "waves.h5", "w") as file:
        file["states/u"] = counted(6, 5, 8, 4)
        file["flow"] = counted(6, 5, 2, 8, 4).transpose(1, 4, 3, 2, 0) + 1e4
        file["a"], file["f"], file["nu"] = counted(6, 8, 4) + 2e4, counted(6, 5, 8, 4) + 3e4, np.arange(6.0)
        file["t"], file["x"], file["y"] = 0.5 * np.arange(5), np.linspace(0, 1, 8), (np.arange(4) + 0.5) / 2
    path = folder / "waves.yaml"
    content = {key: value for key, value in {**MAPPING, **changes}.items() if value is not None}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


class TestMapping:
    def test_every_part(self, tmp_path):
        source = recognised(waves(tmp_path)).open(tmp_path / "waves.yaml")["all"]
        problem = source.problem
        assert problem.grid == Grid((8, 4), (1.0, 2.0), layout=("nodes", "cells")) and problem.dt == 0.5
        assert problem.boundary == ((Wall("no_slip"), Outflow()), (Outflow(), Outflow()))
        assert [field.name for field in problem.fields] == ["u", "flow_0", "flow_1"]
        batch = source.read(4, slice(1, 3))
        flow = counted(6, 5, 2, 8, 4)[4, 1:3] + 1e4
        assert np.array_equal(batch.u[0], np.concatenate([counted(6, 5, 8, 4)[4, 1:3, None], flow], 1))
        assert np.array_equal(batch.coeffs[0, 0], counted(6, 8, 4)[4] + 2e4) and batch.params.tolist() == [[4.0]]
        assert np.array_equal(batch.forcing[0, :, 0], counted(6, 5, 8, 4)[4, 1:3] + 3e4)

    def test_coordinates_and_splits(self, tmp_path):
        changes = {"extent": None, "boundary": None, "dt": None, "x": "x", "y": "/y", "time": "t"}
        path = waves(tmp_path, file={"train": "waves.h5", "test": "other.h5"}, **changes)
        shutil.copy(tmp_path / "waves.h5", tmp_path / "other.h5")
        splits = open_path(path)
        assert {name: source.n_trajectories for name, source in splits.items()} == {"test": 6, "train": 5, "valid": 1}
        grid = splits["test"].problem.grid
        assert grid.origin == (0.0, 0.0) and grid.extent == (1.0, 2.0) and splits["test"].problem.dt == 0.5

    @pytest.mark.parametrize("fields", ["!!python/object/apply:os.system [exit]", "{u: /u"])
    def test_a_mapping_that_is_no_yaml(self, tmp_path, fields):
        path = tmp_path / "waves.yaml"
        path.write_text(f"file: waves.h5\nfields: {fields}\n")
        with pytest.raises(ValueError, match=r"expected a mapping in YAML in .*waves.yaml, found .* line \d: .*"):
            open_path(path)

    @pytest.mark.parametrize(
        "change, sentence",
        [
            ({"speed": 1}, r"expected keys among \[.*found \['speed'\]"),
            ({"layout": None}, "expected layout: one of .* next to extent"),
            ({"extent": None}, "expected extent, or the key of the coordinates x"),
            (
                {"fields": {"nu": "/states/u"}, "axes": "stxy", "coeffs": None, "forcing": None},
                "each name once among fields",
            ),
            ({"dt": -1.0}, r"expected dt > 0, or the key of the times in time in .*waves\.yaml, found -1"),
            ({"axes": {"u": "stxq"}}, "expected letters among .* for axes of u"),
            ({"axes": "stx"}, r"expected 4 letters for axes of u, whose shape is \(6, 5, 8, 4\)"),
            ({"fields": {"u": "/none"}}, r"expected a dataset or group in none of .*waves\.h5, found none"),
            ({"file": "other.h5"}, "expected HDF5 files in"),
            ({"params": {"nu": "t"}}, r"expected shape \(6,\) in t of .*waves\.h5"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path, change, sentence):
        path = waves(tmp_path, **change)
        with pytest.raises(ValueError, match=sentence):
            recognised(path).open(path)

    @pytest.mark.parametrize("number", ["1e-3", "1E-3", "+1.0e-3", ".1e-2", "0.001"])
    def test_powers_of_ten_are_numbers(self, tmp_path, number):
        path = waves(tmp_path)
        path.write_text(path.read_text().replace("dt: 0.5", f"dt: {number}").replace("- 1.0", "- 1e0"))
        problem = recognised(path).open(path)["all"].problem
        assert problem.dt == pytest.approx(1e-3, rel=1e-12) and problem.grid.extent == (1.0, 2.0)

    def test_on_the_command_line(self, tmp_path, capsys):
        waves(tmp_path)
        file = str(tmp_path / "waves.h5")
        stated = ["fields.u=/states/u", "axes=stxy", "dt=0.5", "extent=[1,2]", "layout=periodic"]
        (path, *others) = with_path([f"path={file}", "name=waves", *stated, "model=fno"])
        assert others == ["name=waves", "model=fno"]
        data = open_published(path.removeprefix("path="), "waves")
        assert data.problem.grid == Grid((8, 4), (1.0, 2.0)) and data.problem.dt == 0.5
        inspect_command.main([file, *stated])
        assert f"train on it   python -m pdekit.train path={file}.mapping.yaml" in capsys.readouterr().out
        with pytest.raises(
            ValueError, match=r"expected the mapping of the command line in .*mapping\.yaml, found another"
        ):
            written(file, take_mapping([*stated[:2], "dt=0.25"]))
        with pytest.raises(ValueError, match="expected one path=FILE"):
            with_path(stated)


class TestAddresses:
    def data(self):
        return published.named(n=12).drop_attrs(deep=False)

    @pytest.mark.parametrize("version", [2, 3])
    def test_zarr_folders(self, tmp_path, version):
        self.data().to_zarr(tmp_path / "a.zarr", zarr_format=version, consolidated=False)
        source = pickle.loads(pickle.dumps(recognised(tmp_path / "a.zarr").open(tmp_path / "a.zarr")["all"]))
        batch = source.read(7, slice(1, 3))
        u = counted(12, 5, 8, 6)[7, 1:3]
        assert np.array_equal(batch.u[0], np.stack([u, u + 1e4], 1)) and batch.params.tolist() == [[70.0]]

    def test_at_an_address(self, tmp_path):
        address = "memory://tests/waves.zarr"
        self.data().to_zarr(address, zarr_format=2)
        assert inspect_path(address).command == f"python -m pdekit.train path={address} name=waves model=fno"
        data = open_published(address, "waves")
        assert [source.n_trajectories for source in data.sources.values()] == [10, 1, 1]
        stored = DataModule.from_folder(convert(address, tmp_path, "waves"))
        assert np.array_equal(stored.test.source.read(0).u, data.test.source.read(0).u)
        assert located(address) == address and located("a.h5").endswith("/a.h5")
        with pytest.raises(ValueError, match=r"expected a dataset that xarray opens in memory://tests/none\.zarr"):
            open_path("memory://tests/none.zarr")

    def test_damaged_zarr_is_named(self, tmp_path):
        path, draw, refused = tmp_path / "a.zarr", np.random.default_rng(0), 0
        self.data().to_zarr(path, zarr_format=2)
        files = sorted(file for file in path.rglob("*") if file.is_file())
        for file in [files[i] for i in draw.permutation(len(files))[:24]]:
            whole = file.read_bytes()
            file.write_bytes(whole[: len(whole) // 2] + b"\xff")
            try:
                source = recognised(path).open(path)["all"]
                assert source.read(3).u.shape == (1, 5, 2, 8, 6)
            except ValueError as error:
                refused += 1
                assert str(path) in str(error)
            file.write_bytes(whole)
        assert refused > 5


def test_axes_from_north_to_south_and_of_one_point(tmp_path):
    data = published.named().isel(lat=slice(None, None, -1)).expand_dims(level=[500.0])
    data["co2"] = data.co2.isel(level=0, drop=True)
    data.to_netcdf(tmp_path / "era.nc", engine="h5netcdf")
    source = recognised(tmp_path / "era.nc").open(tmp_path / "era.nc")["all"]
    assert source.problem.grid == Grid((8, 6), (360.0, 100.0), (0.0, -50.0), ("periodic", "nodes"))
    u = counted(10, 5, 8, 6)[7, 1:3]
    assert np.array_equal(source.read(7, slice(1, 3)).u[0], np.stack([u, u + 1e4], 1))
    assert isinstance(xr.open_dataset(tmp_path / "era.nc"), xr.Dataset)
