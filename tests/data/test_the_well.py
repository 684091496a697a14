"""Files in The Well's exact layout, written here, are read into the same windows as ours."""

import h5py
import numpy as np
import pytest
import torch

from pdekit.data.formats import open_source
from pdekit.data.formats.the_well import TheWell
from pdekit.data.module import DataModule
from pdekit.data.windows import Windows
from pdekit.data.writer import write_split

from .conftest import counted_batch, line_problem

N, FRAMES, WIDTH, HEIGHT = 3, 5, 8, 6


def write_well(path, feed=0.02, seed=0, edit=None):
    """A file as The Well's specification describes it: absent axes, constant fields, tensors, varying scalars."""
    draw = np.random.default_rng(seed)

    def put(group, name, values, dims, sample, time):
        group[name] = np.asarray(values, dtype=np.float32)
        group[name].attrs.update({"dim_varying": dims, "sample_varying": sample, "time_varying": time})

    arrays = {
        "density": draw.normal(size=(N, FRAMES, WIDTH, HEIGHT)),
        "inflow": draw.normal(size=(FRAMES, HEIGHT)),  # the same for all trajectories, and along x
        "speed": draw.normal(size=(N, WIDTH, HEIGHT)),  # constant in time
        "velocity": draw.normal(size=(N, FRAMES, WIDTH, HEIGHT, 2)),
        "stress": draw.normal(size=(N, FRAMES, WIDTH, HEIGHT, 4)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs.update({"dataset_name": "well", "grid_type": "cartesian", "n_spatial_dims": 2, "n_trajectories": N})
        file.attrs.update({"simulation_parameters": ["feed"], "feed": feed})
        group = file.create_group("dimensions")
        group.attrs["spatial_dims"] = ["x", "y"]
        group["time"] = np.arange(FRAMES, dtype=np.float32) * 0.5
        group["x"] = np.arange(WIDTH, dtype=np.float32) / WIDTH
        group["y"] = np.linspace(-1, 1, HEIGHT, dtype=np.float32)
        for name in ("time", "x", "y"):
            group[name].attrs["sample_varying"] = False
        for name, letter, kind, mask in (
            ("x_periodic", "x", "periodic", np.eye(1, WIDTH)[0]),
            ("y_wall", "y", "WALL", np.eye(1, HEIGHT)[0] + np.eye(1, HEIGHT, HEIGHT - 1)[0]),
        ):
            entry = file.create_group(f"boundary_conditions/{name}")
            entry.attrs.update({"associated_dims": letter, "bc_type": kind, "sample_varying": False})
            entry["mask"] = mask.astype(bool)
        group = file.create_group("scalars")
        group.attrs["field_names"] = ["feed", "kill", "heating"]
        for name, values, sample, time in (
            ("feed", np.array(feed), False, False),
            ("kill", np.array(0.06), False, False),
            ("heating", np.arange(FRAMES) * 1.0, False, True),
        ):
            group[name] = values
            group[name].attrs.update({"sample_varying": sample, "time_varying": time})
        for order, names in enumerate((["density", "inflow", "speed"], ["velocity"], ["stress"])):
            group = file.create_group(f"t{order}_fields")
            group.attrs["field_names"] = names
            for name in names:
                dims = [False, True] if name == "inflow" else [True, True]
                put(group, name, arrays[name], dims, sample=name != "inflow", time=name != "speed")
        if edit:
            edit(file)
    return arrays


def test_every_part_is_found(tmp_path):
    arrays = write_well(tmp_path / "a.hdf5")
    source = open_source([tmp_path / "a.hdf5"])
    problem = source.problem
    names = ["density", "inflow", "velocity_x", "velocity_y", "stress_xx", "stress_xy", "stress_yx", "stress_yy"]
    assert [field.name for field in problem.fields] == names
    assert [field.vector for field in problem.fields][2:5] == ["velocity", "velocity", "stress"]
    assert [field.name for field in problem.coeffs] == ["speed"] and [f.name for f in problem.forcing] == ["heating"]
    assert problem.params == () and problem.dt == 0.5 and problem.n_frames == FRAMES
    assert problem.grid.layout == ("periodic", "nodes") and problem.boundary[1] == ("wall", "wall")
    np.testing.assert_allclose(problem.grid.extent, (1.0, 2.0), rtol=1e-6)
    batch = source.read(1, slice(1, 4))
    np.testing.assert_array_equal(batch.u[0, :, 0], arrays["density"][1, 1:4].astype(np.float32))
    inflow = np.broadcast_to(arrays["inflow"][1:4, None], (3, WIDTH, HEIGHT))
    np.testing.assert_array_equal(batch.u[0, :, 1], inflow.astype(np.float32))
    np.testing.assert_array_equal(batch.u[0, :, 3], arrays["velocity"][1, 1:4, ..., 1].astype(np.float32))
    np.testing.assert_array_equal(batch.u[0, :, 6], arrays["stress"][1, 1:4, ..., 2].astype(np.float32))
    np.testing.assert_array_equal(batch.coeffs[0, 0], arrays["speed"][1].astype(np.float32))
    assert batch.forcing[0, :, 0, 2, 3].tolist() == [1.0, 2.0, 3.0]
    assert batch.t.tolist() == [[0.5, 1.0, 1.5]]


def test_files_of_one_split_follow_each_other_and_their_scalars_are_params(tmp_path):
    for split in ("train", "valid", "test"):
        first = write_well(tmp_path / "data" / split / "a.hdf5", feed=0.02)
        second = write_well(tmp_path / "data" / split / "b.hdf5", feed=0.03, seed=1)
    data = DataModule.from_folder(tmp_path)
    assert data.problem.params == ("feed",) and data.train.n_trajectories == 2 * N
    data.set_window(1, 2)
    batch = next(iter(data.test_dataloader()))
    torch.testing.assert_close(batch.params[0], torch.tensor([0.02]))
    last = data.train[len(data.train) - 1]
    np.testing.assert_array_equal(last.u[0, -1, 0], second["density"][-1, -1].astype(np.float32))
    torch.testing.assert_close(last.params, torch.tensor([[0.03]]))
    np.testing.assert_array_equal(data.train[0].u[0, 0, 0], first["density"][0, 0].astype(np.float32))


def test_our_own_files_read_the_same_through_both_readers(tmp_path):
    problem = line_problem()
    batch = counted_batch(problem, 3)
    write_split(tmp_path / "ours.hdf5", problem, batch, "ours")
    foreign = TheWell([tmp_path / "ours.hdf5"])
    assert foreign.problem == problem
    for i in range(3):
        assert torch.equal(foreign.read(i).u, open_source([tmp_path / "ours.hdf5"]).read(i).u)
    assert len(Windows(foreign, (1, 1))) == 15


def test_an_unknown_layout_says_what_was_found(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["tensor"] = np.zeros((2, 3))
        file["x-coordinate"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"found \['tensor', 'x-coordinate'\].*pdekit\.data\.from_arrays"):
        open_source([tmp_path / "other.h5"])


def spherical(file):
    file.attrs["grid_type"] = "spherical"


def stretched(file):
    file["dimensions/y"][...] = np.linspace(0, 1, HEIGHT) ** 2


@pytest.mark.parametrize(
    "edit, sentence", [(spherical, "cartesian grid, found 'spherical'"), (stretched, "evenly spaced")]
)
def test_other_grids_are_refused(tmp_path, edit, sentence):
    write_well(tmp_path / "a.hdf5", edit=edit)
    with pytest.raises(ValueError, match=sentence):
        open_source([tmp_path / "a.hdf5"])


def test_files_of_two_problems_are_refused(tmp_path):
    write_well(tmp_path / "a.hdf5")
    problem = line_problem()
    write_split(tmp_path / "b.hdf5", problem, counted_batch(problem, 2), "b")
    with pytest.raises(ValueError, match="one grid, one set of fields and one length"):
        TheWell([tmp_path / "a.hdf5", tmp_path / "b.hdf5"])
