"""Other published layouts become trajectories: axes, grids, times, units, splits, and wrong files in a sentence."""

import pickle

import numpy as np
import pytest
import torch

from pdekit.boundaries import Dirichlet, Outflow, Wall
from pdekit.data.formats import open_path, recognised
from pdekit.data.module import DataModule
from pdekit.fields import Field, Grid
from pdekit.pdes.kuramoto_sivashinsky import KuramotoSivashinsky

from . import published_others as published
from .published_pdebench import counted


def opened(path):
    return recognised(path).open(path)


class TestPDEArena:
    def test_smoke_of_several_files(self, tmp_path):
        for mode, lifts in (("train", (0.2, 0.5)), ("valid", (0.3,)), ("test", (0.4,))):
            for lift in lifts:
                published.smoke(tmp_path / f"NavierStokes2D_{mode}_1_{lift:.5f}_4.h5", mode, lift=lift)
        found = opened(tmp_path)
        assert {mode: source.n_trajectories for mode, source in found.items()} == {"train": 8, "valid": 4, "test": 4}
        source = found["train"]
        assert source.problem.grid == Grid((8, 6), (32.0, 32.0), layout=("cells", "cells"))
        assert source.problem.boundary == ((Wall("no_slip"), Wall("no_slip")),) * 2 and source.problem.dt == 6.0
        batch = source.read(6, slice(1, 3))
        expected = np.stack([counted(4, 5, 8, 6, dtype="f8")[2, 1:3] + 1e4 * i for i in range(3)], 1)
        assert np.array_equal(batch.u[0], expected) and batch.u.dtype == torch.float64
        assert batch.t.tolist() == [[24, 30]] and batch.index.tolist() == [6]
        assert [round(float(source.read(i).params), 6) for i in (0, 7)] == [0.2, 0.5]
        splits = open_path(tmp_path)
        assert DataModule(splits["train"], splits["valid"], splits["test"]).problem == source.problem

    def test_captions_of_text2pde(self, tmp_path):
        texts = [f"1 plume,\ncircular, number {i}" for i in range(4)]
        source = opened(published.smoke(tmp_path / "smoke.h5", texts=texts))["train"]
        assert source.problem.has_text and source.read(2, slice(1)).text == ("1 plume, circular, number 2",)
        with pytest.raises(ValueError, match=r"expected a dataset or group in train/text_labels/3 of .*short\.h5"):
            opened(published.smoke(tmp_path / "short.h5", texts=texts[:3]))

    def test_maxwell(self, tmp_path):
        source = opened(published.maxwell(tmp_path / "Maxwell3D_train_42_4.h5"))["train"]
        problem = source.problem
        assert problem.grid.shape == (6, 5, 4) and problem.grid.extent == pytest.approx((3e-6, 2.5e-6, 2e-6))
        assert problem.boundary == ((Outflow(), Outflow()),) * 3
        assert problem.dt == pytest.approx(2.383e-14, rel=1e-3)  # 25 steps of 0.99 / sqrt(3) * 0.5 um / c
        batch = source.read(3, slice(1, 3))
        expected = np.moveaxis(counted(4, 5, 6, 5, 4, 3, dtype="f8")[3, 1:3], -1, 1)
        assert np.array_equal(batch.u[0], np.concatenate([expected, expected + 1e4], 1))
        assert batch.t[0, 0] == pytest.approx((250 + 50) / 25 * problem.dt)

    def test_kuramoto_sivashinsky(self, tmp_path):
        for seed, mode in enumerate(("train", "valid", "test")):
            published.kuramoto_sivashinsky(tmp_path / f"KS_{mode}.h5", mode, seed=seed)
        splits = open_path(tmp_path)
        problem = splits["test"].problem
        assert problem == splits["train"].problem and problem.pde == KuramotoSivashinsky()
        assert problem.params == ("dt", "length_x", "viscosity")
        draw = np.random.default_rng(2)
        length, dt, viscosity = draw.uniform(57.6, 70.4, 4), draw.uniform(0.18, 0.22, 4), draw.uniform(0.5, 1.5, 4)
        batch = splits["test"].read(3)
        np.testing.assert_allclose(batch.params[0], [dt[3], length[3], viscosity[3]], rtol=1e-5)
        np.testing.assert_allclose(batch.t[0], dt[3] * np.arange(5), rtol=1e-12)
        pde, grid, step = problem.at(batch.params)
        assert float(pde.viscosity) == pytest.approx(viscosity[3]) and float(step) == pytest.approx(dt[3])
        assert float(grid.extent[0]) == pytest.approx(length[3])

    def test_files_of_other_problems_are_not_joined(self, tmp_path):
        published.smoke(tmp_path / "a.h5")
        published.smoke(tmp_path / "b.h5", shape=(8, 4))
        with pytest.raises(ValueError, match="expected files of one problem"):
            opened(tmp_path)


class TestWeather:
    def check(self, source, number):
        problem = source.problem
        assert problem.grid == Grid((8, 6), (360.0, 180.0), (0.0, -90.0), ("periodic", "cells"))
        assert [field.name for field in problem.fields] == ["pressure", "velocity_x", "velocity_y"]
        assert (problem.dt, problem.n_frames) == (21600.0, 5)
        batch = source.read(number, slice(1, 3))
        south_up = np.swapaxes(counted(5, 6, 8)[1:3, ::-1], 1, 2) + 100 * number
        assert np.array_equal(batch.u[0], np.stack([south_up + 5e4, south_up, south_up + 1e4], 1))
        assert batch.t.tolist() == [[21600.0, 43200.0]]

    def test_runs(self, tmp_path):
        for mode, n in (("train", 3), ("test", 2)):
            published.weather_runs(tmp_path / mode, n)
        found = opened(tmp_path)
        assert {mode: source.n_trajectories for mode, source in found.items()} == {"train": 3, "test": 2}
        self.check(found["train"], 2)
        self.check(opened(tmp_path / "train")["all"], 1)

    @pytest.mark.parametrize("version", [2, 3])
    def test_zarr(self, tmp_path, version):
        for mode in ("train", "valid", "test"):
            published.weather_zarr(tmp_path / f"{mode}.zarr", zarr_format=version)
        found = opened(tmp_path)
        assert recognised(tmp_path / "train.zarr").name == recognised(tmp_path).name == "PDEArena (shallow water)"
        self.check(pickle.loads(pickle.dumps(found["valid"])), 3)

    def test_other_latitudes_and_levels_are_refused(self, tmp_path):
        place = published.weather_runs(tmp_path, 1) / "seed=0" / "run0001" / "output.nc"
        other = published.weather().assign_coords(lat=np.linspace(80, -80, 6))
        other.to_netcdf(place, engine="h5netcdf")
        with pytest.raises(ValueError, match=r"expected 6 Gaussian latitudes in lat of .*output\.nc"):
            opened(tmp_path)


class TestNeuralOperator:
    def test_darcy(self, tmp_path):
        for split, n in (("train", 12), ("test", 5)):
            published.darcy_pt(tmp_path / f"darcy_{split}_16.pt", n)
        found = opened(tmp_path / "darcy_train_16.pt")
        assert {split: source.n_trajectories for split, source in found.items()} == {"train": 12, "test": 5}
        source = found["test"]
        assert source.problem.grid == Grid((8, 6), (1.0, 1.0), layout=("half_open", "half_open"))
        batch = source.read(4)
        assert torch.equal(batch.u[0, 0, 0], torch.from_numpy(counted(5, 8, 6)[4]))
        assert torch.equal(batch.coeffs[0, 0], (torch.arange(240).reshape(5, 8, 6)[4] % 3 == 0).float())

    def test_burgers(self, tmp_path):
        source = opened(published.burgers_pt(tmp_path / "burgers.pt"))["all"]
        assert source.problem.dt == 0.25 and source.problem.grid == Grid((8,), (1.0,))
        batch = source.read(3, slice(2, 4))
        assert np.array_equal(batch.u[0, :, 0], counted(12, 5, 8, dtype="f8")[3, 2:4]) and batch.t.tolist() == [
            [0.5, 0.75]
        ]

    def test_controlled_burgers(self, tmp_path):
        source = opened(published.controlled_burgers(tmp_path / "burgers"))["all"]
        problem = source.problem
        assert (problem.dt, problem.n_frames) == (2.0, 5) and problem.forcing == (Field("f"),)
        assert problem.boundary == ((Dirichlet(), Dirichlet()),)
        for frames in (slice(0, 2), slice(3, 5), slice(None), slice(4, 5)):
            batch = source.read(7, frames)
            f = np.concatenate([counted(12, 4, 8)[7] + 1e4, np.zeros((1, 8), "f4")])
            assert np.array_equal(batch.u[0, :, 0], counted(12, 5, 8)[7, frames])
            assert np.array_equal(batch.forcing[0, :, 0], f[frames])

    def test_code_in_a_file_is_not_run(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return (open, (str(tmp_path / "made"), "w"))

        torch.save({"x": Evil(), "y": torch.zeros(3)}, tmp_path / "a.pt")
        (tmp_path / "b.pt").write_bytes(pickle.dumps({"x": Evil()}))
        for name in ("a.pt", "b.pt"):
            with pytest.raises(ValueError, match="expected a layout that pdekit reads"):
                recognised(tmp_path / name)
        assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("write", [published.mat5, published.mat73])
class TestMatlab:
    """Version 7.3 has its axes reversed; both give the same."""

    def test_darcy(self, tmp_path, write):
        path = write(tmp_path / "a.mat", coeff=counted(12, 9, 7, dtype="f8"), sol=counted(12, 9, 7, dtype="f8") + 1e4)
        source = opened(path)["all"]
        assert source.problem.grid == Grid((9, 7), (1.0, 1.0), layout=("nodes", "nodes"))
        batch = source.read(5)
        assert np.array_equal(batch.coeffs[0, 0], counted(12, 9, 7, dtype="f8")[5])
        assert np.array_equal(batch.u[0, 0, 0], counted(12, 9, 7, dtype="f8")[5] + 1e4)

    def test_vorticity(self, tmp_path, write):
        w = counted(12, 8, 6, 5, dtype="f8")
        source = opened(write(tmp_path / "a.mat", u=w, a=w[..., 0], t=np.arange(1.0, 6)))["all"]
        assert source.problem.grid == Grid((8, 6), (1.0, 1.0)) and source.problem.dt == 1.0
        batch = source.read(4, slice(3, 5))
        assert np.array_equal(batch.u[0, :, 0], np.moveaxis(w[4], -1, 0)[3:]) and batch.t.tolist() == [[4, 5]]

    def test_burgers(self, tmp_path, write):
        a = counted(12, 16, dtype="f8")
        source = opened(write(tmp_path / "a.mat", a=a, u=a + 1))["all"]
        batch = source.read(2)
        assert source.problem.steady and np.array_equal(batch.coeffs[0, 0], a[2])
        assert np.array_equal(batch.u[0, 0, 0], a[2] + 1)
        y = counted(12, 5, 16, dtype="f8")
        source = opened(write(tmp_path / "b.mat", input=y[:, 0], output=y))["all"]
        assert source.problem.dt == 0.25 and np.array_equal(source.read(7).u[0, :, 0], y[7])


class TestNamed:
    @pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
    def test_names_order_units_and_dates(self, tmp_path, engine):
        published.named().to_netcdf(tmp_path / "era.nc", engine=engine)
        source = opened(tmp_path / "era.nc")["all"]
        problem = source.problem
        assert problem.fields == (Field("T", "K"), Field("q", "g/kg")) and problem.coeffs == (Field("height", "m"),)
        assert problem.grid == Grid((8, 6), (360.0, 100.0), (0.0, -50.0), ("periodic", "nodes"))
        assert problem.params == ("co2",) and problem.dt == 6 * 3600
        batch, u = source.read(7, slice(1, 3)), counted(10, 5, 8, 6)
        assert np.array_equal(batch.u[0], np.stack([u[7, 1:3], u[7, 1:3] + 1e4], 1))
        assert np.array_equal(batch.coeffs[0, 0], u[7, 0]) and batch.params.tolist() == [[70.0]]
        assert batch.t.tolist() == [[21600, 43200]]
        assert pickle.loads(pickle.dumps(source)).read(1).u.shape == (1, 5, 2, 8, 6)

    @pytest.mark.parametrize(
        "change, sentence",
        [
            (lambda d: d.rename(member="who"), r"expected dimensions named as sample.*found 'who'"),
            (lambda d: d.drop_vars("lat"), "expected coordinates of the dimension 'lat'"),
            (lambda d: d.assign_coords(lon=d.lon**2), "evenly spaced numbers in lon of"),
            (lambda d: d[["co2"]], "expected a variable in time and space"),
        ],
    )
    def test_what_is_missing_is_named(self, tmp_path, change, sentence):
        change(published.named()).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
        with pytest.raises(ValueError, match=rf"{sentence}.*"):
            opened(tmp_path / "a.nc")

    def test_complex_variables_are_two_channels(self, tmp_path):
        data = published.named()
        data["psi"] = (data.T + 1j * data.q).assign_attrs(units="m")
        data.to_zarr(tmp_path / "a.zarr", zarr_format=2)
        source = opened(tmp_path / "a.zarr")["all"]
        names = [field.name for field in source.problem.fields]
        batch, at = source.read(4, slice(2, 3)), names.index("psi_real")
        parts = [(field.unit, field.complex) for field in source.problem.fields[at : at + 2]]
        assert parts == [("m", "psi")] * 2 and names[at + 1] == "psi_imag"
        np.testing.assert_array_equal(batch.u[:, :, at], batch.u[:, :, names.index("T")])
        np.testing.assert_array_equal(batch.u[:, :, at + 1], batch.u[:, :, names.index("q")])


class TestNumPy:
    def write(self, path, **changes):
        arrays = {
            "u": counted(10, 5, 8, 6),
            "velocity": counted(10, 5, 2, 8, 6),
            "k": counted(10, 8, 6),
            "re": np.arange(10.0),
            "x": np.arange(8) / 8,
            "y": np.linspace(0, 2, 6),
            "t": 0.5 * np.arange(5),
        }
        arrays = {name: value for name, value in {**arrays, **changes}.items() if value is not None}
        np.savez(path, **arrays)
        return path

    def test_an_archive_with_coordinates(self, tmp_path):
        source = opened(self.write(tmp_path / "a.npz"))["all"]
        problem = source.problem
        assert [field.name for field in problem.fields] == ["u", "velocity_0", "velocity_1"]
        assert problem.grid == Grid((8, 6), (1.0, 2.0), layout=("periodic", "nodes")) and problem.dt == 0.5
        batch = source.read(4, slice(2, 3))
        assert np.array_equal(batch.u[0, 0, 0], counted(10, 5, 8, 6)[4, 2])
        assert np.array_equal(batch.u[0, 0, 1:], counted(10, 5, 2, 8, 6)[4, 2])
        assert batch.params.tolist() == [[4.0]] and np.array_equal(batch.coeffs[0, 0], counted(10, 8, 6)[4])

    def test_steady_archives(self, tmp_path):
        source = opened(self.write(tmp_path / "a.npz", u=None, velocity=None, t=None))["all"]
        assert source.problem.steady and [field.name for field in source.problem.fields] == ["k"]

    def test_complex_arrays_are_two_channels(self, tmp_path):
        psi, flow = counted(10, 5, 8, 6) + 1j, 1j * counted(10, 5, 2, 8, 6) + 2
        source = opened(self.write(tmp_path / "a.npz", u=psi, velocity=flow, k=counted(10, 8, 6) - 3j))["all"]
        fields = [(field.name, field.complex) for field in source.problem.fields]
        assert fields[:2] == [("u_real", "u"), ("u_imag", "u")] and fields[3] == ("velocity_0_imag", "velocity_0")
        batch = source.read(4, slice(2, 3))
        u = batch.u[0, 0].numpy()
        np.testing.assert_array_equal(u[0] + 1j * u[1], psi[4, 2])
        np.testing.assert_array_equal(u[2::2] + 1j * u[3::2], flow[4, 2])
        k = batch.coeffs[0].numpy()
        np.testing.assert_array_equal(k[0] + 1j * k[1], counted(10, 8, 6)[4] - 3j)
        with pytest.raises(ValueError, match=r"expected real numbers in re .*found complex128"):
            opened(self.write(tmp_path / "b.npz", re=np.arange(10) + 1j))
        with pytest.raises(ValueError, match=r"expected real coordinates in x .*found complex128"):
            opened(self.write(tmp_path / "b.npz", x=np.arange(8) + 0j))

    def test_other_shapes_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"expected u of .*a\.npz .* time \(5\).*found \(10, 4, 8, 6\)"):
            opened(self.write(tmp_path / "a.npz", u=counted(10, 4, 8, 6)))
        with pytest.raises(ValueError, match=r"expected a \.npy or \.npz file of numbers"):
            opened(self.write(tmp_path / "b.npz", re=np.array([{}] * 10, dtype=object)))
