"""WDNO, Text2PDE, MeshGraphNets, Poseidon, TSM and APEBench: axes, grids, times, inputs, captions, meshes, splits."""

import json
import pickle
from math import pi

import h5py
import numpy as np
import pyarrow as pa
import pytest
import torch

from pdekit.boundaries import Outflow, Periodic
from pdekit.data.conversion import convert
from pdekit.data.formats import open_path, recognised
from pdekit.data.formats.contract import Selected
from pdekit.data.module import DataModule
from pdekit.fields import Grid, Points
from pdekit.pdes.advection import Advection
from pdekit.pdes.diffusion import Diffusion
from pdekit.pdes.navier_stokes_2d import NavierStokes2D

from . import published_sets as published
from .published_pdebench import counted


def opened(path):
    return recognised(path).open(path)


class TestSmoke:
    def test_splits_axes_and_target(self, tmp_path):
        published.smoke_folders(tmp_path / "train", 4)
        published.smoke_folders(tmp_path / "test" / "simulation", 2)
        found = opened(tmp_path)
        assert {split: source.n_trajectories for split, source in found.items()} == {"train": 4, "test": 2}
        source = pickle.loads(pickle.dumps(found["train"]))
        problem = source.problem
        assert problem.grid == Grid((8, 6), (128.0, 128.0), (0.5, 0.5), ("half_open", "half_open"))
        assert (problem.dt, problem.n_frames) == (64.0, 5) and problem.boundary == ((Outflow(), Outflow()),) * 2
        batch = source.read(3, slice(1, 3))
        stored = [counted(6, 8, c, 5, dtype="f8") + 3e5 + 1e4 * i for i, c in enumerate((1, 2, 2))]
        density, velocity, control = (part.transpose(3, 2, 1, 0)[1:3] for part in stored)
        assert np.array_equal(batch.u[0, :, :3], np.concatenate([density, velocity], 1))
        assert np.array_equal(batch.forcing[0], control) and batch.t.tolist() == [[64.0, 128.0]]
        exits = 1 + counted(5, 8, dtype="f8")[1:3]
        share = exits[:, 1] / exits.sum(1)
        np.testing.assert_allclose(batch.u[0, :, 3], np.broadcast_to(share[:, None, None], (2, 8, 6)), rtol=1e-14)

    def test_damage_is_named(self, tmp_path):
        source = opened(published.smoke_folders(tmp_path, 3))["all"]
        place = tmp_path / "sim_000002" / "Control.npy"
        place.write_bytes(place.read_bytes()[:500])
        with pytest.raises(ValueError, match=r"sim_000002/Control\.npy"):
            source.read(2)
        np.save(tmp_path / "sim_000001" / "Velocity.npy", np.zeros((6, 8, 2, 4)))
        with pytest.raises(ValueError, match=r"expected sim_000001/Velocity of .* at least 5 frames, found the shape"):
            source.read(1)


class TestMeshes:
    @pytest.mark.parametrize("part", ["pos", "cells"])
    def test_meshes_that_move_are_refused(self, tmp_path, part):
        path = published.meshgraphnets(tmp_path / "a.h5")
        with h5py.File(path, "r+") as file:
            file[f"1/{part}"][-1] = np.roll(file[f"1/{part}"][-1], 1, axis=0)
        source = opened(path)["all"]
        source.read(0)
        with pytest.raises(ValueError, match=rf"expected the same mesh in all frames in 1/{part} of .*a\.h5"):
            source.read(1)

    @pytest.mark.parametrize("write", [published.text2pde, published.meshgraphnets])
    def test_points_are_sorted_and_padded(self, tmp_path, write):
        source = pickle.loads(pickle.dumps(opened(write(tmp_path / "a.h5"))["all"]))
        assert source.problem.grid == Points(2, 9) and (source.problem.dt, source.problem.n_frames) == (0.01, 5)
        batch, (places, cells) = source.read(1, slice(2, 4)), published.mesh(7, 3, 1)
        order = np.argsort(places[:, 0])
        u = counted(5, 7)[2:4]
        expected = np.stack([u + 100, u + 1e4, u + 2e4], 1)[:, :, order]
        assert np.array_equal(batch.u[0, :, :, :7], expected) and not batch.u[0, :, :, 7:].any()
        assert np.array_equal(batch.points[0, :7], places[order])
        assert batch.point_mask[0].tolist() == [True] * 7 + [False] * 2
        types = np.array([0, 4, 5, 6, 0, 4, 5])[order]
        assert np.array_equal(batch.coeffs[0, :, :7], [types == 4, types == 5, types == 6])
        assert batch.cells.shape == (1, 5, 3) and (batch.cells[0, 3:] == -1).all()
        assert np.array_equal(batch.points[0][batch.cells[0, :3]], places[cells])

    def test_prompts_and_numbers(self, tmp_path):
        source = opened(published.text2pde(tmp_path / "a.h5"))["all"]
        assert source.problem.params == ("center_x", "center_y", "radius", "u_inlet", "reynolds_number")
        batch = source.read(2, slice(1))
        np.testing.assert_allclose(batch.params[0], [0.3, 0.2, 0.07, 1.5, 202.0], rtol=1e-6)
        assert batch.text == ("Fluid passes over cylinder 2.",)

    def test_splits_share_a_size_and_can_be_converted(self, tmp_path):
        for split, points in (("train", 9), ("valid", 12), ("test", 8)):
            published.text2pde(tmp_path / f"{split}.h5", ((points, 4), (7, 3)))
        splits = open_path(tmp_path)
        assert {source.problem.grid.shape for source in splits.values()} == {(12,)}
        data = DataModule.from_folder(convert(tmp_path, tmp_path / "out", "flow"))
        one, other = data.sources["valid"].read(1), splits["valid"].read(1)
        for part in ("u", "points", "point_mask", "cells", "coeffs", "params"):
            assert torch.equal(getattr(one, part), getattr(other, part)), part
        assert one.text == other.text

    def test_parts_that_do_not_fit_are_named(self, tmp_path):
        path = published.text2pde(tmp_path / "a.h5")
        with h5py.File(path, "r+") as file:
            file["1/cells"][0] = 7
        with pytest.raises(ValueError, match=r"expected corners from 0 to 6 in 1/cells of .*a\.h5"):
            opened(path)["all"].read(1)
        with h5py.File(path, "r+") as file:
            del file["2/v"]
            file["2/v"] = np.zeros((5, 7))
        with pytest.raises(ValueError, match=r"shape \(5, 8\) that its other parts have in 2/v of .*found \(5, 7\)"):
            opened(path)


class TestPoseidon:
    def test_flows(self, tmp_path):
        velocity = counted(4, 5, 3, 8, 6)
        source = opened(published.poseidon(tmp_path / "NS-PwC.nc", velocity=velocity))["all"]
        assert source.problem.grid == Grid((8, 6), (1.0, 1.0)) and source.problem.dt == 0.25
        assert np.array_equal(source.read(2, slice(1, 3)).u[0], velocity[2, 1:3])
        swapped = opened(published.poseidon(tmp_path / "NS-SL.nc", velocity=velocity[:, :, :2]))["all"]
        assert np.array_equal(swapped.read(1).u[0], velocity[1, :, :2].swapaxes(2, 3))
        data = counted(4, 5, 5, 8, 6)
        source = opened(published.poseidon(tmp_path / "CE-KH.nc", data=data))["all"]
        names = [field.name for field in source.problem.fields]
        assert names == ["density", "velocity_x", "velocity_y", "pressure", "tracer"]
        assert source.problem.boundary == ((Periodic(), Periodic()),) * 2
        assert np.array_equal(source.read(3).u[0], data[3])

    def test_gravity_is_an_input(self, tmp_path):
        solution = counted(4, 5, 6, 8, 6)
        source = opened(published.poseidon(tmp_path / "GCE-RT.nc", solution=solution))["all"]
        batch = source.read(1, slice(2, 4))
        assert [field.name for field in source.problem.forcing] == ["gravity_potential"]
        assert np.array_equal(batch.u[0], solution[1, 2:4, :5])
        assert np.array_equal(batch.forcing[0], solution[1, 2:4, 5:])

    def test_waves_pairs_and_airfoils(self, tmp_path):
        u, c = counted(4, 5, 8, 6), counted(4, 8, 6) + 1e4
        batch = opened(published.poseidon(tmp_path / "Wave-Layer.nc", solution=u, c=c))["all"].read(3, slice(1, 2))
        assert np.array_equal(batch.u[0, :, 0], u[3, 1:2]) and np.array_equal(batch.coeffs[0, 0], c[3])
        source = opened(published.poseidon(tmp_path / "Poisson-Gauss.nc", source=c, solution=u[:, 0]))["all"]
        assert source.problem.steady and np.array_equal(source.read(2).coeffs[0, 0], c[2])
        batch = opened(published.poseidon(tmp_path / "SE-AF.nc", solution=u[:, :2]))["all"].read(1)
        assert np.array_equal(batch.coeffs[0, 0], u[1, 0]) and np.array_equal(batch.u[0, 0, 0], u[1, 1])
        source = opened(published.helmholtz(tmp_path / "Helmholtz.h5"))["all"]
        batch = source.read(3)
        assert batch.params.tolist() == [[0.75]] and source.problem.params == ("boundary_value",)
        assert np.array_equal(batch.coeffs[0, 0], counted(8, 6, dtype="f8") + 3e4)

    def test_published_splits(self, tmp_path):
        path = published.poseidon(tmp_path / "ACE.nc", solution=counted(310, 3, 4, 2))
        splits = open_path(path)
        first = {split: source.indices[0] for split, source in splits.items() if isinstance(source, Selected)}
        assert first == {"train": 0, "valid": 10, "test": 70} and splits["test"].n_trajectories == 240

    def test_a_file_with_coordinates_is_none_of_these(self, tmp_path):
        path = published.poseidon(tmp_path / "mine.nc", solution=counted(4, 5, 8, 6))
        with h5py.File(path, "r+") as file:
            file["time"] = np.arange(5.0)
        with pytest.raises(ValueError, match="expected a layout that pdekit reads"):
            recognised(path)


def test_staggered_velocities_are_brought_to_the_centres(tmp_path):
    """A band-limited flow, sampled at the faces of its cells, is read as it is at the centres."""
    n, t = 8, np.arange(3)[:, None, None]
    h = 2 * pi / n

    def flow(x, y):
        return np.sin(3 * x + y + t), np.cos(2 * y - x) + 0.1 * t

    i = np.arange(n) * h
    upper, centre = i + h, i + h / 2
    u = flow(*np.meshgrid(upper, centre, indexing="ij"))[0]
    v = flow(*np.meshgrid(centre, upper, indexing="ij"))[1]
    for number in range(3):
        published.staggered(tmp_path / f"train.nc.hdf5-{number:04d}", u + number, v)
    published.staggered(tmp_path / "test.nc.hdf5-0000", u, v)
    found = opened(tmp_path)
    source = pickle.loads(pickle.dumps(found["train"]))
    assert source.n_trajectories == 3 and found["test"].n_trajectories == 1
    assert source.problem.dt == 0.007012483601762931
    x, y = (column.numpy() for column in source.problem.grid.mesh())
    batch = source.read(2, slice(1, 3))
    expected = np.stack(flow(x, y), 1)[1:3] + np.array([2, 0])[:, None, None]
    np.testing.assert_allclose(batch.u[0], expected, atol=1e-13)
    np.testing.assert_allclose(batch.t[0], source.problem.dt * np.array([2, 3]))


class TestRealPDEBench:
    def test_rows_and_splits(self, tmp_path):
        found = opened(published.rows(tmp_path / "hf_dataset" / "numerical"))
        assert {name: source.indices for name, source in found.items()} == {
            "train": (0, 1, 2),
            "valid": (3,),
            "test": (4,),
        }
        source = pickle.loads(pickle.dumps(found["test"]))
        problem = source.problem
        assert problem.grid == Grid((8, 6), (8.0, 6.0), layout=("cells", "cells"))
        assert (problem.dt, problem.n_frames) == (1.0, 6)
        batch = source.read(0, slice(2, 4))
        u = counted(6, 6, 8)[2:4].swapaxes(1, 2) + 4e5
        assert np.array_equal(batch.u[0], np.stack([u, u + 1e4, u + 2e4], 1).astype("f4"))

    def test_a_column_that_is_stated_and_absent_is_named(self, tmp_path):
        path = published.rows(tmp_path / "real")
        for file in path.glob("*.arrow"):
            table = pa.ipc.open_stream(file.read_bytes()).read_all().drop_columns(["sim_id"])
            with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
        with pytest.raises(ValueError, match=f"{path}.*lack the columns sim_id"):
            opened(path)

    def test_without_unseen_simulations_a_tenth_is_drawn(self, tmp_path):
        published.rows(tmp_path / "real", splits=(("train", (0, 1)), ("test", (1,))))
        assert list(opened(tmp_path)) == ["all"]
        published.rows(tmp_path / "numerical")
        with pytest.raises(ValueError, match=r"expected one of \('real', 'numerical'\) in .*found both"):
            opened(tmp_path)

    def test_damage_is_named(self, tmp_path):
        path, draw = published.rows(tmp_path / "real"), np.random.default_rng(0)
        file = path / "data-00001-of-00002.arrow"
        whole, refused = file.read_bytes(), 0
        for _ in range(30):
            content = bytearray(whole)
            for place in draw.integers(len(content) if draw.random() < 0.3 else 900, size=3):
                content[place] = int(draw.integers(256))
            file.write_bytes(content[: draw.integers(len(content))] if draw.random() < 0.3 else content)
            try:
                for source in opened(path).values():
                    assert source.read(source.n_trajectories - 1).u.shape == (1, 6, 2, 8, 6)
            except ValueError as error:
                refused += 1
                assert str(path) in str(error)
        assert refused > 8


class TestAPEBench:
    def write(self, folder, name="1d_diff_adv", **info):
        return published.apebench(folder, name, counted(6, 5, 1, 16), counted(4, 9, 1, 16) + 1e4, **info)

    def test_arrays_and_frames(self, tmp_path):
        path = self.write(tmp_path, "1d_phy_thing", dt=0.1, domain_extent=3.0)
        found = opened(tmp_path)
        assert recognised(path).name == "APEBench" and found["test"].problem.n_frames == 9
        problem = found["train"].problem
        assert problem.grid == Grid((16,), (3.0,)) and problem.dt == 0.1 and problem.pde is None
        assert np.array_equal(found["test"].read(3, slice(7, 9)).u[0], counted(4, 9, 1, 16)[3, 7:] + 1e4)
        splits = open_path(path)
        assert DataModule(splits["train"], splits["valid"], splits["test"]).test.problem.n_frames == 9

    @pytest.mark.parametrize(
        "name, gammas, pde",
        [
            ("1d_diff_adv", [0.0, -4.0, 0.0, 0.0, 0.0], Advection(velocity_x=0.25)),  # a step moves 4 of 16 points
            ("1d_diff_diff", [0.0, 0.0, 4.0, 0.0, 0.0], Diffusion(4 / 16**2 / 2)),
            ("1d_diff_adv_diff", [0.0, -4.0, 4.0, 0.0, 0.0], None),
            ("1d_diff_burgers", [0.0, 0.0, 1.5], None),
        ],
    )
    def test_linear_equations_are_known(self, tmp_path, name, gammas, pde):
        source = opened(self.write(tmp_path, name, gammas=gammas))["train"]
        assert source.problem.pde == pde and source.problem.dt == 1.0

    def test_vorticity_turns_as_in_pdekit(self, tmp_path):
        """exponax agrees with the equation and the sign: tests/oracles/test_exponax.py."""
        u = counted(6, 5, 1, 8, 8)
        about = {"diffusivity": 0.01, "injection_mode": 4, "injection_scale": 1.0, "drag": -0.1, "dt": 0.1}
        path = published.apebench(tmp_path, "2d_phy_kolm_flow", u, u, domain_extent=2 * pi, **about)
        source = pickle.loads(pickle.dumps(opened(path)["test"]))
        assert source.problem.pde == NavierStokes2D(viscosity=0.01, forcing=1.0, wavenumber=4, drag=0.1)
        assert source.problem.grid == Grid((8, 8), (2 * pi, 2 * pi), (0.0, pi / 4))
        assert np.array_equal(source.read(2, slice(1, 3)).u[0], -u[2, 1:3])

    def test_wrong_descriptions_and_shapes_are_named(self, tmp_path):
        path = self.write(tmp_path, dt=-1.0)
        with pytest.raises(
            ValueError, match=r"expected a positive number for info\.dt in .*1d_diff_adv\.json, found -1"
        ):
            opened(path)
        path.write_text(json.dumps({"name": "a", "info": {"num_spatial_dims": 2, "num_points": 16}}))
        with pytest.raises(ValueError, match=r"2 axes of space in .*1d_diff_adv_train\.npy, found \(6, 5, 1, 16\)"):
            opened(path)
        np.save(tmp_path / "1d_diff_adv_train.npy", np.array([{}], dtype=object))
        with pytest.raises(ValueError, match=r"expected a \.npy file of numbers at .*1d_diff_adv_train\.npy"):
            opened(path)
