"""Files in The Well's exact layout, written here, are read into the same windows as ours."""

import dataclasses

import h5py
import numpy as np
import pytest
import torch

from pdekit.boundaries import Wall
from pdekit.data.conversion import convert
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
    source = open_source(str(tmp_path / "a.hdf5"))
    problem = source.problem
    names = ["density", "inflow", "velocity_x", "velocity_y", "stress_xx", "stress_xy", "stress_yx", "stress_yy"]
    assert [field.name for field in problem.fields] == names
    assert [field.vector for field in problem.fields][2:5] == ["velocity", "velocity", "stress"]
    assert [field.name for field in problem.coeffs] == ["speed"] and [f.name for f in problem.forcing] == ["heating"]
    assert problem.params == () and problem.dt == 0.5 and problem.n_frames == FRAMES
    assert problem.grid.layout == ("periodic", "nodes") and problem.boundary[1] == (Wall(), Wall())
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


def test_files_on_several_grids_are_one_dataset(tmp_path):
    """Each grid has a file of its own, whose scalars become parameters of the whole."""
    for split in ("train", "valid", "test"):
        for n, viscosity in ((8, 0.1), (16, 0.2)):
            problem = dataclasses.replace(line_problem(shape=(n,)), params=("viscosity",))
            batch = dataclasses.replace(counted_batch(problem, 2), params=torch.full((2, 1), viscosity))
            path = tmp_path / "data" / split / f"of{n}.hdf5"
            write_split(path, problem, batch, "mine")
            with h5py.File(path, "r+") as file:
                del file["pdekit"]
    data = DataModule.from_folder(tmp_path)
    assert [grid.shape for grid in data.grids] == [(16,), (8,)] and data.problem.grid.shape == (16,)
    assert data.problem.params == ("viscosity",) and data.test.n_trajectories == 4
    for i, (n, viscosity) in enumerate(((8, 0.1), (8, 0.1), (16, 0.2), (16, 0.2))):
        one = data.test.trajectories([i])
        assert one.u.shape[-1] == n and one.params.item() == pytest.approx(viscosity)
        assert one.u[0, 3, 0, 0] == 100 * (i % 2) + 3
    again = DataModule.from_folder(convert(tmp_path, tmp_path / "out", "mine"))
    assert again.problem == data.problem and again.grids == data.grids


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


# Boxes, steps and parameters that differ; contradictions


def layout_of(tmp_path, x, kind="WALL"):
    """A file whose y axis has these coordinates and boundary."""

    def edit(file):
        file["dimensions/y"][...] = x
        file["boundary_conditions/y_wall"].attrs["bc_type"] = kind

    write_well(tmp_path / "a.hdf5", edit=edit)
    return TheWell([tmp_path / "a.hdf5"]).problem.grid


def scaled(length=1.0, dt=0.5):
    def edit(file):
        file["dimensions/x"][...] = np.arange(WIDTH) / WIDTH * length
        file["dimensions/time"][...] = np.arange(FRAMES) * dt

    return edit


def test_box_and_step_that_differ_from_file_to_file_are_params(tmp_path):
    for split in ("train", "valid", "test"):
        write_well(tmp_path / "data" / split / "a.hdf5", edit=scaled(1.0, 0.1))
        write_well(tmp_path / "data" / split / "b.hdf5", edit=scaled(40.0, 0.7))
    data = DataModule.from_folder(tmp_path)
    assert data.problem.params == ("dt", "length_x")
    first, last = data.sources["test"].read(0), data.sources["test"].read(N)
    torch.testing.assert_close(first.params, torch.tensor([[0.1, 1.0]]))
    torch.testing.assert_close(last.params, torch.tensor([[0.7, 40.0]]))
    torch.testing.assert_close(last.t, 0.7 * torch.arange(FRAMES).double()[None], rtol=1e-6, atol=0)
    _, grid, dt = data.problem.at(last.params)
    assert float(grid.extent[0]) == pytest.approx(40.0) and float(dt) == pytest.approx(0.7)


def test_what_differs_between_splits_only_is_a_param_of_all(tmp_path):
    """A box, a step or a scalar may be constant in each split and still vary."""
    for split, value in (("train", 1.0), ("valid", 1.0), ("test", 3.0)):
        write_well(tmp_path / "data" / split / "a.hdf5", feed=value, edit=scaled(value, value))
    data = DataModule.from_folder(tmp_path)
    assert data.problem.params == ("feed", "dt", "length_x")
    assert data.sources["train"].read(0).params.tolist() == [[1.0, 1.0, 1.0]]
    assert data.sources["test"].read(0).params.tolist() == [[3.0, 3.0, 3.0]]


def test_times_and_lengths_of_each_trajectory(tmp_path, flow):
    """Our own files, where step and box vary, through the reader of The Well."""
    problem, batch = flow
    write_split(tmp_path / "a.hdf5", problem, batch, "flow")
    source = TheWell([tmp_path / "a.hdf5"])
    assert set(source.problem.params) == set(problem.params)
    for i in range(5):
        found = source.read(i)
        torch.testing.assert_close(found.t[0], batch.t[i])
        for name in problem.params:
            value = found.params[0, source.problem.params.index(name)]
            torch.testing.assert_close(value, batch.params[i, problem.params.index(name)])


def test_nodes_and_cells_are_told_from_the_coordinates(tmp_path):
    nodes = layout_of(tmp_path, np.linspace(-1, 1, HEIGHT))
    assert nodes.layout[1] == "nodes" and nodes.extent[1] == pytest.approx(2.0)
    cells = layout_of(tmp_path, (np.arange(HEIGHT) + 0.5) / HEIGHT * 3)
    assert cells.layout[1] == "cells" and cells.extent[1] == pytest.approx(3.0) and cells.origin[1] == pytest.approx(0)
    turn = layout_of(tmp_path, np.linspace(0, 4 * np.pi, HEIGHT))
    assert turn.layout[1] == "nodes" and turn.extent[1] == pytest.approx(4 * np.pi)


def test_a_layout_that_cannot_be_known_is_asked_for(tmp_path):
    odd = 0.123456789 + np.e * np.arange(HEIGHT)
    with pytest.raises(ValueError, match=r"nodes from cells .* dimensions/y of .*a\.hdf5.*attribute 'layout'"):
        layout_of(tmp_path, odd)

    def edit(file):
        file["dimensions/y"][...] = odd
        file["dimensions/y"].attrs["layout"] = "cells"

    write_well(tmp_path / "b.hdf5", edit=edit)
    assert TheWell([tmp_path / "b.hdf5"]).problem.grid.layout[1] == "cells"


def at_key(key, values):
    def edit(file):
        file[key][...] = values

    return edit


def swapped(file):
    stored, attributes = file["t0_fields/density"][()], dict(file["t0_fields/density"].attrs)
    del file["t0_fields/density"]
    file["t0_fields/density"] = np.swapaxes(stored, 2, 3)
    file["t0_fields/density"].attrs.update(attributes)


def unknown_wall(file):
    file["boundary_conditions/y_wall"].attrs["bc_type"] = "absorbing"


@pytest.mark.parametrize(
    "edit, sentence",
    [
        (at_key("dimensions/time", [0, 1, 2, 3, 7]), "evenly spaced numbers in dimensions/time of"),
        (at_key("dimensions/time", [0, 1, np.nan, 3, 4]), "finite numbers in dimensions/time of"),
        (at_key("dimensions/time", [4, 3, 2, 1, 0]), "numbers that increase in dimensions/time of"),
        (at_key("dimensions/x", np.arange(WIDTH)[::-1]), "numbers that increase in dimensions/x of"),
        (at_key("scalars/feed", np.nan), "finite numbers in scalars/feed of"),
        (swapped, r"shape \(3, 5, 8, 6\), as its attributes .* in t0_fields/density of"),
        (unknown_wall, "in boundary_conditions/y_wall@bc_type of .*'absorbing'"),
    ],
)
def test_contradictions_name_file_and_key(tmp_path, edit, sentence):
    write_well(tmp_path / "a.hdf5", edit=edit)
    with pytest.raises(ValueError, match=sentence + ".*"):
        TheWell([tmp_path / "a.hdf5"])


def test_periodic_points_that_reach_the_end_are_taken_as_given_with_a_warning(tmp_path):
    """The Well's own writer of dummy data gives such coordinates, and all points are different ones."""
    write_well(tmp_path / "a.hdf5", edit=at_key("dimensions/x", np.linspace(0, 1, WIDTH)))
    with pytest.warns(UserWarning, match=r"dimensions/x of .*a\.hdf5 has periodic points from 0 to 1"):
        grid = TheWell([tmp_path / "a.hdf5"]).problem.grid
    assert grid.extent[0] == pytest.approx(WIDTH / (WIDTH - 1), rel=1e-6) and grid.layout[0] == "periodic"


def moved(file):
    file["dimensions/x"][...] = np.arange(WIDTH) / WIDTH - 0.5


def open_end(file):
    file["boundary_conditions/y_wall"].attrs["bc_type"] = "OPEN"


@pytest.mark.parametrize("edit, key", [(moved, "dimensions/x"), (open_end, "boundary_conditions")])
def test_files_that_differ_in_what_has_no_param_are_refused(tmp_path, edit, key):
    write_well(tmp_path / "a.hdf5")
    write_well(tmp_path / "b.hdf5", edit=edit)
    with pytest.raises(ValueError, match=rf"for {key}.* of .*b\.hdf5") as refused:
        TheWell([tmp_path / "a.hdf5", tmp_path / "b.hdf5"])
    assert "(" not in str(refused.value) or edit is moved, "conditions stand in words, not as objects"
    assert edit is moved or "'outflow' along y" in str(refused.value)
