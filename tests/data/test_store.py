"""A split file gives back what was written, part by part, and the problem; nothing half-written stays."""

import dataclasses
import errno
import json
import pickle

import h5py
import numpy as np
import pytest
import torch

from pdekit.data.sink import Sink
from pdekit.data.store import Split
from pdekit.data.validate import check, faults
from pdekit.data.windows import collate
from pdekit.data.writer import SplitWriter, write_split
from pdekit.fields import Field, Grid, Problem

from .conftest import counted_batch, flow_batch, flow_problem, line_problem, mesh_batch, mesh_problem


def everything(split: Split):
    return collate([split.read(i) for i in range(split.n_trajectories)])


def assert_same(
    found, written, parts=("u", "t", "coeffs", "forcing", "mask", "points", "point_mask", "cells", "params")
):
    for part in parts:
        a, b = getattr(found, part), getattr(written, part)
        assert (a is None) == (b is None), part
        if a is not None:
            torch.testing.assert_close(a, b.to(a.dtype), rtol=0, atol=0)
    assert found.text == written.text


def test_everything_comes_back_exactly(tmp_path, flow):
    problem, batch = flow
    write_split(tmp_path / "a.hdf5", problem, batch, "flow", {"provenance": {"seed": 3}})
    split = Split(tmp_path / "a.hdf5")
    assert split.problem == problem
    assert split.documents == {"provenance": {"seed": 3}}
    assert_same(everything(split), batch)
    assert faults(tmp_path / "a.hdf5") == []


def test_mesh_comes_back(tmp_path):
    write_split(tmp_path / "m.hdf5", mesh_problem(), mesh_batch(), "mesh")
    split = Split(tmp_path / "m.hdf5")
    assert split.problem == mesh_problem()
    assert_same(everything(split), mesh_batch())
    assert faults(tmp_path / "m.hdf5") == []


@pytest.mark.parametrize("shape", [(), (16,), (4, 4, 4)])
def test_every_dimension(tmp_path, shape):
    problem = line_problem(shape=shape)
    batch = counted_batch(problem, 3)
    write_split(tmp_path / "a.hdf5", problem, batch, "a")
    assert_same(everything(Split(tmp_path / "a.hdf5")), batch)
    assert faults(tmp_path / "a.hdf5") == []


def test_layout_is_that_of_the_well(tmp_path, flow):
    """Group by group, as The Well's specification has it."""
    problem, batch = flow
    write_split(tmp_path / "a.hdf5", problem, batch, "flow")
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert {"boundary_conditions", "dimensions", "scalars", "t0_fields", "t1_fields", "t2_fields"} <= set(file)
        assert file.attrs["dataset_name"] == "flow" and file.attrs["grid_type"] == "cartesian"
        assert (file.attrs["n_spatial_dims"], file.attrs["n_trajectories"]) == (2, 5)
        assert list(file["dimensions"].attrs["spatial_dims"]) == ["x", "y"]
        # the box length and the step vary, the width does not
        assert file["dimensions/x"].shape == (5, 8) and file["dimensions/x"].attrs["sample_varying"]
        assert file["dimensions/y"].shape == (6,) and not file["dimensions/y"].attrs["sample_varying"]
        assert file["dimensions/time"].shape == (5, 6) and file["dimensions/time"].attrs["sample_varying"]
        spacing = np.diff(file["dimensions/x"][2])
        np.testing.assert_allclose(spacing, batch.params[2, 1] / 8, rtol=1e-6)
        velocity = file["t1_fields/velocity"]
        assert velocity.shape == (5, 6, 8, 6, 2) and velocity.dtype == np.float32 and velocity.chunks is None
        np.testing.assert_array_equal(velocity[1, 2, :, :, 1], batch.u[1, 2, 2])
        assert list(file["t0_fields"].attrs["field_names"]) == [
            "density",
            "psi_real",
            "psi_imag",
            "permeability",
            "pump",
        ]
        assert not file["t0_fields/permeability"].attrs["time_varying"]
        assert file["t0_fields/permeability"].shape == (5, 8, 6)
        assert list(velocity.attrs["dim_varying"]) == [True, True]
        kinds = {name: entry.attrs["bc_type"] for name, entry in file["boundary_conditions"].items()}
        assert kinds == {"x_periodic": "PERIODIC", "y_lower_wall": "WALL", "y_upper_open": "OPEN"}
        assert np.flatnonzero(file["boundary_conditions/y_upper_open/mask"]).tolist() == [5]
        np.testing.assert_allclose(file["scalars/viscosity"][...], batch.params[:, 0])


def test_equation_constants_are_attributes_and_scalars(tmp_path):
    from pdekit.pdes import KuramotoSivashinsky

    problem = dataclasses.replace(line_problem(), pde=KuramotoSivashinsky(viscosity=0.7))
    write_split(tmp_path / "a.hdf5", problem, counted_batch(problem, 2), "a")
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert list(file.attrs["simulation_parameters"]) == ["viscosity"]
        assert file.attrs["viscosity"] == 0.7 and file["scalars/viscosity"][()] == 0.7
    assert Split(tmp_path / "a.hdf5").problem.pde == KuramotoSivashinsky(viscosity=0.7)


def test_only_the_frames_asked_for(tmp_path):
    problem = line_problem(n_frames=9)
    write_split(tmp_path / "a.hdf5", problem, counted_batch(problem, 4), "a")
    found = Split(tmp_path / "a.hdf5").read(2, slice(3, 5))
    assert found.u[0, :, 0, 0].tolist() == [203.0, 204.0] and found.t[0].tolist() == [1.5, 2.0]
    assert found.index.tolist() == [2]


def test_pieces_in_any_order_give_the_same_file(tmp_path, flow):
    problem, batch = flow
    write_split(tmp_path / "a.hdf5", problem, batch, "flow")
    with SplitWriter(tmp_path / "b.hdf5", problem, 5, "flow") as writer:
        for first, stop in ((3, 5), (0, 2), (2, 3)):
            writer.put(batch.samples(slice(first, stop)), first)
    assert_same(everything(Split(tmp_path / "a.hdf5")), everything(Split(tmp_path / "b.hdf5")))


def test_a_copy_for_a_worker_opens_its_own_file(tmp_path):
    problem = line_problem()
    write_split(tmp_path / "a.hdf5", problem, counted_batch(problem, 2), "a")
    split = Split(tmp_path / "a.hdf5")
    split.read(0)
    copy = pickle.loads(pickle.dumps(split))
    split.close()
    assert copy.read(1).u[0, 3, 0, 0] == 103.0


def test_missing_trajectories_leave_no_file(tmp_path):
    problem = line_problem()
    with (
        pytest.raises(ValueError, match="expected 3 trajectories"),
        SplitWriter(tmp_path / "a.hdf5", problem, 3, "a") as w,
    ):
        w.put(counted_batch(problem, 2), 0)
    assert list(tmp_path.iterdir()) == []


def test_a_trajectory_is_put_once(tmp_path):
    problem = line_problem()
    with (
        pytest.raises(ValueError, match="put each trajectory once"),
        SplitWriter(tmp_path / "a.hdf5", problem, 3, "a") as w,
    ):
        w.put(counted_batch(problem, 2), 0)
        w.put(counted_batch(problem, 2), 1)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("write failed: No space left on device")]
)
def test_a_full_disk_says_so_and_leaves_nothing(tmp_path, monkeypatch, error):
    def full(self, batch, first):
        raise error

    monkeypatch.setattr(SplitWriter, "put", full)
    with pytest.raises(OSError, match="disk is full; free some space, or set PDEKIT_DATA"):
        write_split(tmp_path / "a.hdf5", line_problem(), counted_batch(line_problem(), 2), "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_writes", [0, 1, 3, 8, 20])
def test_a_disk_that_fills_up_while_hdf5_writes_leaves_nothing(tmp_path, monkeypatch, capfd, n_writes):
    """HDF5 cannot close a file after a failed write, prints raw text and may crash or leave a cut file."""
    write_whole, count = Sink._write_whole, iter(range(1000))

    def full(self, data):
        if next(count) >= n_writes:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_whole(self, data)

    monkeypatch.setattr(Sink, "_write_whole", full)
    with pytest.raises(OSError, match="disk is full; free some space, or set PDEKIT_DATA"):
        write_split(tmp_path / "a.hdf5", line_problem(), counted_batch(line_problem(), 2), "a")
    assert list(tmp_path.iterdir()) == [] and capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "part, change",
    [
        ("u", {"n_frames": 7}),
        ("u", {"fields": (Field("a"),)}),
        ("coeffs", {"coeffs": ()}),
        ("forcing", {"forcing": (Field("pump"), Field("heat"))}),
        ("params", {"params": ("viscosity",)}),
    ],
)
def test_a_wrong_shape_is_refused(tmp_path, flow, part, change):
    problem, batch = flow
    with pytest.raises(ValueError, match=f"expected {part} of shape .* for this problem, got"):
        write_split(tmp_path / "a.hdf5", dataclasses.replace(problem, **change), batch, "flow")
    assert list(tmp_path.iterdir()) == []


def test_names_must_differ(tmp_path):
    problem = Problem(Grid((4,), (1.0,)), (Field("v_x", vector="v"),), params=("v",))
    with pytest.raises(ValueError, match=r"names that occur once.*'v'"):
        write_split(tmp_path / "a.hdf5", problem, counted_batch(problem, 1), "a")


# Files that are not sound


def test_foreign_and_damaged_files(tmp_path):
    text = tmp_path / "text.hdf5"
    text.write_text("not HDF5")
    with pytest.raises(ValueError, match=r"expected an HDF5 file, but .*text.hdf5 is not one or is damaged"):
        Split(text)
    other = tmp_path / "other.hdf5"
    with h5py.File(other, "w") as file:
        file["temperature"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"expected a pdekit dataset.*found \['temperature'\]"):
        Split(other)
    with pytest.raises(FileNotFoundError, match="found none"):
        Split(tmp_path / "absent.hdf5")
    problem = line_problem(n_frames=50, shape=(64,))
    whole = tmp_path / "whole.hdf5"
    write_split(whole, problem, counted_batch(problem, 20), "a")
    cut = tmp_path / "cut.hdf5"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "is not one or is damaged" in faults(cut)[0]


def edited(tmp_path, edit):
    path = tmp_path / "edited.hdf5"
    problem = flow_problem()
    write_split(path, problem, flow_batch(problem), "flow")
    with h5py.File(path, "r+") as file:
        edit(file)
    return path


def nan(file):
    file["t0_fields/density"][3, 4, 0, 0] = np.nan


def backwards(file):
    file["dimensions/time"][1, 2] = 0.0


def shorter(file):
    values = file["t0_fields/pump"][:, :3]
    attributes = dict(file["t0_fields/pump"].attrs)
    del file["t0_fields/pump"]
    file["t0_fields/pump"] = values
    file["t0_fields/pump"].attrs.update(attributes)


def no_group(file):
    del file["scalars"]


def no_dataset(file):
    del file["t1_fields/velocity"]


def wrong_flag(file):
    file["t0_fields/density"].attrs["time_varying"] = False


def no_flag(file):
    del file["t0_fields/density"].attrs["dim_varying"]


def no_params(file):
    del file["scalars/dt"]
    file["scalars"].attrs["field_names"] = ["viscosity", "length_x"]


@pytest.mark.parametrize(
    "edit, sentence",
    [
        (nan, "1 NaN or Inf in trajectory 3, first in frame 4"),
        (backwards, "expected times that increase, found another order in row 1"),
        (shorter, r"expected t0_fields/pump of shape \(5, 6, 8, 6\), found \(5, 3, 8, 6\)"),
        (no_group, "expected the group 'scalars'"),
        (no_dataset, "expected the dataset t1_fields/velocity that field_names lists"),
        (wrong_flag, "expected time_varying = True for t0_fields/density, found False"),
        (no_flag, "expected the attribute 'dim_varying' of t0_fields/density"),
        (no_params, "expected scalars/dt with 5 values"),
    ],
)
def test_faults_are_found(tmp_path, edit, sentence):
    with pytest.raises(ValueError, match=sentence):
        check(edited(tmp_path, edit))


@pytest.mark.parametrize(
    "edit, sentence",
    [
        (shorter, r"expected t0_fields/pump of shape \(5, 6, 8, 6\), as the problem in .* found \(5, 3, 8, 6\)"),
        (no_dataset, r"expected t1_fields/velocity of shape \(5, 6, 8, 6, 2\), .* found none"),
    ],
)
def test_what_is_not_as_the_file_says_of_itself_is_not_read(tmp_path, edit, sentence):
    path = edited(tmp_path, edit)
    with pytest.raises(ValueError, match=sentence):
        Split(path)


def test_all_faults_are_listed(tmp_path):
    def both(file):
        shorter(file)
        backwards(file)

    assert len(faults(edited(tmp_path, both))) == 2


def test_a_stored_equation_outside_pdekit_is_refused(tmp_path):
    def foreign(file):
        document = json.loads(file["pdekit/problem"].asstr()[()])
        document["pde"] = {"_target_": "os.system", "command": "true"}
        file["pdekit/problem"][()] = json.dumps(document)

    with pytest.raises(ValueError, match=r"os\.system"):
        Split(edited(tmp_path, foreign))


def test_a_newer_format_is_refused(tmp_path):
    def newer(file):
        file["pdekit"].attrs["format"] = 99

    with pytest.raises(ValueError, match="update pdekit"):
        Split(edited(tmp_path, newer))


def test_times_belong_to_each_trajectory_on_disk(tmp_path):
    """Of one step but other starts: dt is no parameter, and the times of trajectory 0 are not those of all."""
    problem = line_problem()
    batch = counted_batch(problem, 5)
    starts = torch.tensor([0.0, 3.0, 1.5, 0.0, 8.0], dtype=torch.float64)
    batch = dataclasses.replace(batch, t=starts[:, None] + batch.t)
    with SplitWriter(tmp_path / "a.hdf5", problem, 5, "a") as writer:
        for first in (0, 2):
            writer.put(batch.samples(slice(first, first + 2 + first // 2)), first)
    assert faults(tmp_path / "a.hdf5") == []
    split = Split(tmp_path / "a.hdf5")
    for i in range(5):
        assert torch.equal(split.read(i, slice(1, 4)).t, batch.t[i : i + 1, 1:4])
        assert torch.equal(split.times(i, slice(1, 4)), batch.t[i : i + 1, 1:4])


@pytest.mark.parametrize(
    "part, shape, sentence",
    [
        ("mask", (2, 2, 16), r"expected mask of shape \(2, 1, 16\) for this problem, got \(2, 2, 16\)"),
        ("mask", None, r"expected mask of shape \(2, 1, 16\) for this problem, got None"),
    ],
)
def test_masks_of_another_shape_are_refused(tmp_path, part, shape, sentence):
    problem = dataclasses.replace(line_problem(), has_mask=True)
    batch = dataclasses.replace(counted_batch(problem, 2), mask=torch.ones(2, 1, 16))
    batch = dataclasses.replace(batch, **{part: None if shape is None else torch.ones(shape)})
    with pytest.raises(ValueError, match=sentence):
        write_split(tmp_path / "a.hdf5", problem, batch, "a")
