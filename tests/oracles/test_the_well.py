"""The Well's own reader opens our files and finds the same numbers, names, times and boundary conditions."""

import pytest
import torch

from pdekit.data.formats import open_source
from pdekit.data.writer import write_split
from pdekit.fields import Field, Grid, Problem, Trajectory

the_well = pytest.importorskip("the_well.data")

pytestmark = pytest.mark.oracle

SPLITS = ("train", "valid", "test")


def flow(n=3, frames=5, shape=(8, 6)):
    """A scalar and a vector on a periodic box, with a coefficient and a parameter that vary from sample to sample."""
    problem = Problem(
        Grid(shape, tuple(2.0 + axis for axis in range(len(shape)))),
        (
            Field("density", "kg/m^3"),
            *(Field(f"velocity_{axis}", "m/s", vector="velocity") for axis in "xyz"[: len(shape)]),
        ),
        dt=0.25,
        n_frames=frames,
        coeffs=(Field("permeability"),),
        params=("viscosity",),
    )
    batch = Trajectory(
        u=torch.randn(n, frames, 1 + len(shape), *shape),
        t=(0.25 * torch.arange(frames, dtype=torch.float64)).expand(n, frames).clone(),
        coeffs=torch.randn(n, 1, *shape),
        params=torch.rand(n, 1),
        index=torch.arange(n),
    )
    return problem, batch


@pytest.mark.parametrize("shape", [(8, 6), (4, 5, 6)])
def test_windows_hold_the_same_numbers(tmp_path, shape):
    problem, batch = flow(shape=shape)
    for split in SPLITS:
        path = tmp_path / "flow" / "data" / split / "flow.hdf5"
        path.parent.mkdir(parents=True)
        write_split(path, problem, batch, "flow")
    dataset = the_well.WellDataset(
        path=str(tmp_path / "flow"),
        well_split_name="train",
        n_steps_input=2,
        n_steps_output=1,
        use_normalization=False,
        normalize_time_grid=False,
    )
    windows_of_each = problem.n_frames - 2
    assert len(dataset) == len(batch.u) * windows_of_each
    assert dataset.metadata.n_spatial_dims == len(shape)
    assert tuple(dataset.metadata.spatial_resolution) == shape
    names = [name for group in dataset.metadata.field_names.values() for name in group]
    assert names[0] == "density" and len(names) == 1 + len(shape)
    for i in range(len(dataset)):
        trajectory, start = divmod(i, windows_of_each)
        window = dataset[i]
        frames = batch.u[trajectory].movedim(1, -1)  # channels last
        torch.testing.assert_close(window["input_fields"], frames[start : start + 2], rtol=0, atol=0)
        torch.testing.assert_close(window["output_fields"], frames[start + 2 : start + 3], rtol=0, atol=0)
        coefficient = batch.coeffs[trajectory].movedim(0, -1)
        torch.testing.assert_close(window["constant_fields"], coefficient, rtol=0, atol=0)
        assert window["input_time_grid"].tolist() == pytest.approx([0.25 * start, 0.25 * (start + 1)])
        assert float(batch.params[trajectory, 0]) in [pytest.approx(v) for v in window["constant_scalars"].tolist()]
    grid = dataset[0]["space_grid"]
    expected = torch.stack(problem.grid.mesh(torch.float32), dim=-1)
    torch.testing.assert_close(grid, expected.to(grid), rtol=1e-6, atol=1e-6)


def test_a_periodic_box_is_periodic_to_them(tmp_path):
    problem, batch = flow()
    path = tmp_path / "flow" / "data" / "train" / "flow.hdf5"
    path.parent.mkdir(parents=True)
    write_split(path, problem, batch, "flow")
    dataset = the_well.WellDataset(path=str(path.parent), n_steps_input=1, n_steps_output=1, use_normalization=False)
    assert dataset.metadata.boundary_condition_types == ["PERIODIC"]
    from the_well.data.datasets import BoundaryCondition

    assert (dataset[0]["boundary_conditions"] == BoundaryCondition.PERIODIC.value).all()


def test_we_read_what_they_write(tmp_path):
    """The file that The Well makes for its own tests."""
    from the_well.utils.dummy_data import write_dummy_data

    write_dummy_data(str(tmp_path / "dummy.hdf5"))
    ours = open_source([tmp_path / "dummy.hdf5"])
    theirs = the_well.WellDataset(path=str(tmp_path), n_steps_input=3, n_steps_output=2, use_normalization=False)
    assert [field.name for field in ours.problem.fields] == ["field_x", "field_y"]
    assert ours.problem.grid.periodic and ours.n_trajectories == 2
    window = theirs[7]  # trajectory 1, from frame 1 on
    found = ours.read(1, slice(1, 6))
    both = torch.cat((window["input_fields"], window["output_fields"]))
    torch.testing.assert_close(found.u[0].movedim(1, -1), both, rtol=0, atol=0)
    torch.testing.assert_close(found.coeffs[0].movedim(0, -1), window["constant_fields"], rtol=0, atol=0)
    scalars = torch.cat((window["input_scalars"], window["output_scalars"]))[:, 0]
    torch.testing.assert_close(found.forcing[0, :, 0, 0, 0], scalars.float())
