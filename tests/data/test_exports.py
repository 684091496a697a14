"""Data leave in the layouts of other programs, and come back as they were."""

import dataclasses
import json
import os
import resource

import h5py
import meshio
import numpy as np
import pytest
import torch
import xarray as xr
import zarr

from pdekit import convert
from pdekit.boundaries import Neumann, Outflow, Wall
from pdekit.data import from_arrays
from pdekit.data.arrays import Arrays
from pdekit.data.conversion import convert as convert_data
from pdekit.data.exports import TARGETS, export, target_of
from pdekit.data.exports.contract import folder_in_place
from pdekit.data.forecasts import opened_file
from pdekit.data.formats import open_path, recognised
from pdekit.data.store import Split
from pdekit.data.writer import write_split
from pdekit.fields import Field, Grid, Problem
from pdekit.pdes.burgers import Burgers
from pdekit.pdes.reaction_diffusion import ReactionDiffusion

from .conftest import counted_batch, flow_batch, flow_problem, line_problem
from .kinds import assert_same, counted, darcy_pairs, mesh_problem_and_batch


def stored(path, problem, batch):
    write_split(path, problem, batch, "mine")
    return path


@pytest.mark.parametrize("to", ["netcdf", "zarr"])
@pytest.mark.parametrize("kind", ["flow", "mesh", "double", "ODE", "steady"])
def test_named_files_hold_everything(tmp_path, to, kind):
    made = {
        "flow": lambda: (flow_problem(), flow_batch(flow_problem())),
        "mesh": mesh_problem_and_batch,
        "double": lambda: (line_problem(), counted_batch(line_problem(), 4).to(torch.float64)),
        "ODE": lambda: (line_problem(shape=()), counted_batch(line_problem(shape=()), 3)),
        "steady": darcy_pairs,
    }
    problem, batch = made[kind]()
    path = tmp_path / "mine.hdf5"
    write_split(path, problem, batch, "mine")
    target, steps = TARGETS[to], []
    (written,) = export(path, tmp_path / "out", target, report=lambda *step: steps.append(step))
    assert written.name == f"all{target.suffix}" and steps[-1] == ("all", len(batch), len(batch))
    known = recognised(written)
    assert known.name == "NetCDF or Zarr of pdekit"
    assert_same(known.open(written)["all"], Split(path))


def test_xarray_and_zarr_read_what_was_written(tmp_path):
    problem = flow_problem()
    path = stored(tmp_path / "mine.hdf5", problem, flow_batch(problem))
    export(path, tmp_path / "mine.nc", TARGETS["netcdf"])
    export(path, tmp_path / "mine.zarr", TARGETS["zarr"])
    one, other = xr.open_dataset(tmp_path / "mine.nc", engine="h5netcdf"), xr.open_zarr(tmp_path / "mine.zarr")
    batch = Split(path).read(3)
    for data in (one, other):
        assert data.velocity_x.dims == ("sample", "time", "x", "y") and data.density.attrs["units"] == "kg/m^3"
        assert data.velocity_x.attrs["vector"] == "velocity" and data.y.attrs["layout"] == "cells"
        there = batch.mask[0, 1] > 0
        np.testing.assert_array_equal(data.velocity_x[3, 2].values[there], batch.u[0, 2, 1][there])
        assert np.isnan(data.velocity_x[3, 2].values[~there]).all() and data.attrs["Conventions"] == "CF-1.11"
        assert str(data.text[3].values) == "trajectory 3" and data.pump.dims == ("sample", "time", "x", "y")
        np.testing.assert_array_equal(data.time_of_sample[3], batch.t[0])
    assert zarr.open_group(tmp_path / "mine.zarr", mode="r")["density"].chunks == (1, 1, 8, 6)
    one.close()


def test_zarr_at_an_address_is_exported_and_scored_against(tmp_path):
    path = stored(tmp_path / "mine.hdf5", line_problem(), counted_batch(line_problem(), 3))
    (written,) = export(path, tmp_path / "mine.zarr", TARGETS["zarr"])
    (back,) = export(f"file://{written}", tmp_path / "back.nc", TARGETS["netcdf"])
    found, source = recognised(back).open(back)["all"], Split(path)
    assert torch.equal(found.read(2).u, source.read(2).u) and found.problem.dt == source.problem.dt
    assert torch.equal(opened_file(f"file://{written}").read(2).u, source.read(2).u)


def test_an_exported_file_is_a_data_module_of_its_own(tmp_path):
    x = np.arange(16) / 16
    u = np.random.default_rng(0).normal(size=(9, 4, 16)).astype("f4")
    data = xr.Dataset({"h": (("sample", "time", "x"), u, {"units": "m"})}, {"x": x, "time": 0.5 * np.arange(4)})
    from_arrays(data.isel(sample=slice(6)), test=data.isel(sample=slice(6, 9)), folder=tmp_path / "mine")
    written = export(tmp_path / "mine", tmp_path / "out", TARGETS["netcdf"])
    assert [path.name for path in written] == ["train.nc", "valid.nc", "test.nc"]
    again = from_arrays(xr.open_dataset(written[2], engine="h5netcdf"), extent=(1.0,))
    assert again.problem.fields == (Field("h", "m"),) and again.problem.dt == 0.5
    np.testing.assert_array_equal(again.train.trajectories([1]).u[0, :, 0], u[7])


def growth():
    problem, batch = periodic_line()
    return dataclasses.replace(problem, pde=ReactionDiffusion(diffusivity=0.5, rate=2.0)), batch


def periodic_line():
    pde = Burgers(viscosity=0.01)
    problem = Problem(Grid((16,), (2.0,), origin=(-1.0,)), (Field("speed", "m/s"),), dt=0.01, n_frames=5, pde=pde)
    return problem, counted(problem, 4)


def flow_with_open_ends():
    names = ("density", "pressure", "velocity_x", "velocity_y")
    fields = tuple(Field(name, vector="velocity" if name.startswith("v") else None) for name in names)
    grid = Grid((8, 6), (1.0, 1.5), layout=("cells", "cells"))
    problem = Problem(grid, fields, dt=0.05, n_frames=3, boundary=((Outflow(), Outflow()),) * 2)
    return problem, counted(problem, 4)


def reaction():
    grid = Grid((8, 6), (2.0, 1.5), origin=(-1.0, -1.0), layout=("cells", "cells"))
    fields = (Field("prey", "1/m^2"), Field("hunters", "1/m^2"))
    problem = Problem(grid, fields, dt=0.5, n_frames=3, boundary=((Neumann(), Neumann()),) * 2)
    return problem, counted(problem, 4)


def flow_between_walls():
    grid = Grid((8, 6), (1.0, 1.0), layout=("cells", "cells"))
    names = ("velocity_x", "velocity_y", "particles")
    fields = tuple(Field(name, vector="velocity" if name.startswith("v") else None) for name in names)
    force = tuple(Field(f"force_{letter}", vector="force") for letter in "xy")
    problem = Problem(grid, fields, dt=0.05, n_frames=3, coeffs=force, boundary=((Wall("no_slip"),) * 2,) * 2)
    batch = counted(problem, 4)
    return problem, dataclasses.replace(batch, coeffs=1000 + batch.u[:, 0, :2], t=batch.t + torch.arange(4.0)[:, None])


@pytest.mark.parametrize(
    "make", [periodic_line, growth, darcy_pairs, flow_with_open_ends, reaction, flow_between_walls]
)
def test_pdebench_comes_back(tmp_path, make):
    problem, batch = make()
    path = tmp_path / "flow.hdf5"
    export(stored(tmp_path / "mine.hdf5", problem, batch), path, TARGETS["pdebench"])
    known = recognised(path)
    assert known.name.startswith("PDEBench")
    found, source = known.open(path)["all"], Arrays(problem, batch)
    assert found.problem == problem
    for i in range(4):
        assert torch.equal(found.read(i).u, source.read(i).u)
        torch.testing.assert_close(found.read(i).t, source.read(i).t)
        if problem.coeffs:
            assert torch.equal(found.read(i).coeffs, source.read(i).coeffs)


@pytest.mark.parametrize("make", [periodic_line, growth, darcy_pairs, flow_with_open_ends, flow_between_walls])
def test_other_readers_of_pdebench_need_no_statement(tmp_path, make):
    """Grid, boundary and equation are read from the arrays where a file states no problem."""
    problem, batch = make()
    path = tmp_path / "2D_trans.hdf5"  # the boundary of a flow stands in the name
    export(stored(tmp_path / "mine.hdf5", problem, batch), path, TARGETS["pdebench"])
    with h5py.File(path, "r+") as file:
        del file.attrs["pdekit"]
    found = recognised(path).open(path)["all"].problem
    for part in ("grid", "boundary", "n_frames", "pde"):
        assert getattr(found, part) == getattr(problem, part), part
    assert found.dt == pytest.approx(problem.dt, rel=1e-12) if problem.dt else problem.steady


def test_a_statement_that_contradicts_the_arrays_is_refused(tmp_path):
    problem, batch = periodic_line()
    path = tmp_path / "mine.pdebench.hdf5"
    export(stored(tmp_path / "mine.hdf5", problem, batch), path, TARGETS["pdebench"])
    with h5py.File(path, "r+") as file:
        file.attrs["pdekit"] = file.attrs["pdekit"].replace('"n_frames": 5', '"n_frames": 4')
    with pytest.raises(ValueError, match=r"the attribute 'pdekit' of .* to state the grid, frames, .* of the arrays"):
        open_path(path)


def test_the_keys_of_pdebench(tmp_path):
    problem, batch = periodic_line()
    export(stored(tmp_path / "mine.hdf5", problem, batch), tmp_path / "out.hdf5", TARGETS["pdebench"])
    with h5py.File(tmp_path / "out.hdf5") as file:
        assert set(file) == {"tensor", "x-coordinate", "t-coordinate"}
        assert file["tensor"].shape == (4, 5, 16) and file["t-coordinate"].shape == (6,)
        assert file.attrs["Nu"] == pytest.approx(np.pi * 0.01)


@pytest.mark.parametrize("make", [periodic_line, darcy_pairs, reaction])
@pytest.mark.parametrize("to", ["pdebench", "netcdf", "vtk"])
def test_no_layout_is_written_with_nan(tmp_path, make, to):
    problem, batch = make()
    part = "coeffs" if problem.coeffs else "u"
    values = getattr(batch, part).clone()
    values[2].flatten()[3] = np.nan
    source = Arrays(problem, batch)
    source._batch = dataclasses.replace(batch, **{part: values})
    with pytest.raises(ValueError, match=r"expected finite .*, found 1 NaN or Inf in trajectory 2"):
        TARGETS[to].write(source, tmp_path / "out", lambda done: None)
    assert not list(tmp_path.iterdir())


def test_vtk_series_of_a_grid(tmp_path):
    problem, batch = flow_with_open_ends()
    (folder,) = export(stored(tmp_path / "mine.hdf5", problem, batch), tmp_path / "vtk", TARGETS["vtk"])
    found = meshio.read(folder / "00002" / "00001.vtu")
    u = batch.u[2, 1].flatten(1).numpy()
    np.testing.assert_array_equal(found.point_data["density"], u[0])
    np.testing.assert_array_equal(found.point_data["velocity"][:, :2], u[2:].T)
    x, y = (axis.reshape(-1).numpy() for axis in problem.grid.mesh())
    np.testing.assert_array_equal(found.points, np.stack([x, y, 0 * x], 1))
    corners = found.points[found.cells_dict["quad"]]
    edges = np.diff(corners, axis=1)[:, :2, :2]
    area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    assert len(corners) == 7 * 5 and (area > 0).all(), "corners turn counter-clockwise"
    assert area.sum() == pytest.approx(7 / 8 * 1.5 * 5 / 6)
    lines = (folder / "00002.pvd").read_text()
    assert 'timestep="0.05" part="0" file="00002/00001.vtu"' in lines


def test_vtk_series_of_a_mesh(tmp_path):
    problem, batch = mesh_problem_and_batch()
    problem, batch = dataclasses.replace(problem, has_text=False), dataclasses.replace(batch, text=None)
    (folder,) = export(stored(tmp_path / "mine.hdf5", problem, batch), tmp_path / "vtk", TARGETS["vtk"])
    found = meshio.read(folder / "00001" / "00003.vtu")
    np.testing.assert_array_equal(found.points[:, :2], batch.points[1, :5])
    np.testing.assert_array_equal(found.cells_dict["triangle"], [[0, 1, 2]])
    np.testing.assert_array_equal(found.point_data["p"], batch.u[1, 3, 2, :5])
    np.testing.assert_array_equal(found.point_data["type"], batch.coeffs[1, 0, :5])
    assert (folder / "parameters.csv").read_text().split() == ["trajectory,radius", "0,0.0", "1,1.0", "2,2.0"]


@pytest.mark.parametrize(
    "to, make, sentence",
    [
        ("pdebench", lambda: (flow_problem(), flow_batch(flow_problem())), "expected no parameters of the sample"),
        ("pdebench", lambda: (line_problem(shape=(8, 8)), None), "problem that PDEBench has a layout for"),
        ("vtk", lambda: (flow_problem(), flow_batch(flow_problem())), "expected no captions for VTK"),
    ],
)
def test_what_a_layout_cannot_hold_is_refused(tmp_path, to, make, sentence):
    problem, batch = make()
    batch = counted_batch(problem, 3) if batch is None else batch
    with pytest.raises(ValueError, match=sentence):
        export(stored(tmp_path / "mine.hdf5", problem, batch), tmp_path / "out", TARGETS[to])
    assert not (tmp_path / "out").exists()


def test_an_interrupted_export_leaves_nothing_and_continues(tmp_path):
    data = np.random.default_rng(0).normal(size=(9, 4, 1, 16))
    from_arrays(data[:6], test=data[6:], dt=0.1, extent=(1.0,), layout=("periodic",), folder=tmp_path / "mine")
    for to in ("netcdf", "zarr"):
        out, seen = tmp_path / to, []

        def stop(split, done, total, seen=seen):
            seen.append(split)
            if (split, done) == ("test", 2):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            export(tmp_path / "mine", out, TARGETS[to], report=stop)
        suffix = TARGETS[to].suffix
        assert sorted(path.name for path in out.iterdir()) == [f"train{suffix}", f"valid{suffix}"]
        seen.clear()
        assert (
            len(export(tmp_path / "mine", out, TARGETS[to], report=lambda *step, seen=seen: seen.append(step[0]))) == 3
        )
        assert set(seen) == {"test"}, "finished splits are kept"


@pytest.mark.parametrize("to", ["netcdf", "zarr", "pdebench", "vtk"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, capfd, to):
    """The system refuses files of more than 1500 bytes, with the error of a quota."""
    problem = line_problem(shape=(1024,))
    batch = dataclasses.replace(counted_batch(problem, 2), u=torch.randn(2, 6, 1, 1024))
    source = stored(tmp_path / "mine.hdf5", problem, batch)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        with pytest.raises(OSError, match=r"expected room for .* free some space, or give a path on another disk"):
            export(source, tmp_path / "out", TARGETS[to])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((tmp_path / "out").iterdir()) and capfd.readouterr().err == ""


def test_folders_under_construction_have_names_of_their_own(tmp_path, monkeypatch):
    """Processes of two hosts that share a disk may have the same number."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    with folder_in_place(tmp_path / "a") as one, folder_in_place(tmp_path / "a2") as other:
        assert "7" not in one.name.split(".")[2:3] and one != other
    with folder_in_place(tmp_path / "b") as one, pytest.raises(KeyboardInterrupt), folder_in_place(tmp_path / "b"):
        raise KeyboardInterrupt
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a2", "b"]


def test_something_else_is_not_overwritten(tmp_path):
    path = stored(tmp_path / "mine.hdf5", line_problem(), counted_batch(line_problem(), 3))
    (tmp_path / "mine.nc").write_text("notes")
    with pytest.raises(ValueError, match=r"found something else; remove it"):
        export(path, tmp_path / "mine.nc", TARGETS["netcdf"])
    assert (tmp_path / "mine.nc").read_text() == "notes"


@dataclasses.dataclass(frozen=True)
class Own(Burgers):
    """An equation that is not pdekit's."""


def test_an_equation_of_the_callers_own_comes_back(tmp_path):
    package, u = Own.__module__.partition(".")[0], np.random.default_rng(0).normal(size=(3, 4, 1, 8))
    data = from_arrays(u[:1], u[1:2], u[2:], dt=0.1, extent=(1.0,), pde=Own(0.1), folder=tmp_path / "mine")
    assert data.problem.pde == Own(0.1)
    for _ in range(2):  # the second time it is kept
        (path,) = export(tmp_path / "mine", tmp_path / "test.nc", TARGETS["netcdf"], "test", trust=[package])
    for place in (path, tmp_path / "mine" / "data" / "test" / "arrays.hdf5"):
        assert recognised(place, [package]).open(place)["all"].problem.pde == Own(0.1)
        with pytest.raises(ValueError, match="expected a target of pdekit"):
            recognised(place).open(place)


def test_data_that_have_changed_are_not_taken_for_those_that_are_there(tmp_path):
    path, batch = tmp_path / "mine.hdf5", counted_batch(line_problem(), 5)
    stored(path, line_problem(), batch)
    export(path, tmp_path / "mine.nc", TARGETS["netcdf"])
    convert_data(path, tmp_path / "out", "mine")
    path.unlink()
    stored(path, line_problem(), dataclasses.replace(batch, u=2 * batch.u))
    with pytest.raises(ValueError, match="found something else"):
        export(path, tmp_path / "mine.nc", TARGETS["netcdf"])
    with pytest.raises(ValueError, match="expected no other dataset"):
        convert_data(path, tmp_path / "out", "mine")


def test_a_damaged_export_is_refused(tmp_path):
    path = stored(tmp_path / "mine.hdf5", line_problem(), counted_batch(line_problem(), 3))
    export(path, tmp_path / "mine.nc", TARGETS["netcdf"])
    with h5py.File(tmp_path / "mine.nc", "r+") as file:
        plain = json.loads(file.attrs["pdekit"])
        plain["n_frames"] = 9
        file.attrs["pdekit"] = json.dumps(plain)
    with pytest.raises(ValueError, match=r"expected u of shape \(3, 9, 16\) in .*mine\.nc, found \(3, 6, 16\)"):
        open_path(tmp_path / "mine.nc")


def test_the_command_line(tmp_path, capsys):
    path = stored(tmp_path / "mine.hdf5", line_problem(), counted_batch(line_problem(), 3))
    convert.main([str(path), str(tmp_path / "mine.nc")])
    assert f"wrote {tmp_path / 'mine.nc'}" in capsys.readouterr().out
    convert.main([str(tmp_path / "mine.nc"), str(tmp_path / "back"), "name=again"])
    assert Split(tmp_path / "back" / "data" / "test" / "again.hdf5").problem == line_problem()
    for arguments, sentence in (
        (["to=matlab"], "expected to= one of pdekit, the_well, netcdf"),
        (["to=zarr"], "expected the suffix '.zarr'"),
        (["split=valid"], r"expected a split among \['all'\]"),
    ):
        with pytest.raises(SystemExit, match=sentence):
            convert.main([str(path), str(tmp_path / "other.nc"), *arguments])


def test_the_target_is_that_of_the_suffix():
    assert target_of("a.zarr") is TARGETS["zarr"] and target_of("a", "vtk") is TARGETS["vtk"]
    assert target_of("a", "the_well") is None and target_of("a/b") is None
