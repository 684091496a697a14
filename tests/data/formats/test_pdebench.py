"""PDEBench's layouts, as its generators write them, become trajectories with grid, times, splits and equation."""

import re
import tracemalloc
from math import pi
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from pdekit.boundaries import Neumann, Outflow, Periodic, Wall
from pdekit.data.conversion import convert
from pdekit.data.exports.pdebench import SEEDS, pdebench_layout
from pdekit.data.formats import open_path, recognised
from pdekit.data.published import open_published
from pdekit.data.store import Split
from pdekit.data.windows import grids_of, trajectories_on
from pdekit.fields import Field, Grid, Problem
from pdekit.pdes.advection import Advection
from pdekit.pdes.burgers import Burgers
from pdekit.pdes.reaction_diffusion import ReactionDiffusion

from . import published_pdebench as published

SQUARE = Grid((8, 6), (1.0, 1.0), layout=("cells", "cells"))


def one(path):
    """The format, and the source of all trajectories."""
    return recognised(path), recognised(path).open(path)["all"]


@pytest.mark.parametrize(
    "attributes, pde",
    [
        ({"beta": 0.4}, Advection(velocity_x=0.4)),
        ({"Nu": 0.01}, Burgers(viscosity=0.01 / pi)),
        ({"Nu": 0.5, "rho": 1.0}, ReactionDiffusion(0.5, 1.0)),
        ({}, None),
    ],
)
def test_tensors(tmp_path, attributes, pde):
    known, source = one(published.tensor(tmp_path / "a.hdf5", **attributes))
    problem = source.problem
    assert known.test == "first" and source.n_trajectories == 20
    assert problem.grid == Grid((16,), (2.0,), (-0.9375,)) and problem.pde == pde
    assert (problem.dt, problem.n_frames) == (0.01, 5)
    batch = source.read(3, slice(1, 4))
    assert torch.equal(batch.u[0, :, 0], torch.from_numpy(published.counted(20, 5, 16)[3, 1:4]))
    np.testing.assert_allclose(batch.t[0], [0.01, 0.02, 0.03], rtol=1e-6)


def test_darcy(tmp_path):
    _, source = one(published.darcy(tmp_path / "2D_DarcyFlow_beta1.0_Train.hdf5"))
    assert source.problem.steady and source.problem.grid == SQUARE
    batch = source.read(7)
    assert torch.equal(batch.u[0, 0, 0], torch.from_numpy(published.counted(20, 8, 6)[7]))
    assert torch.equal(batch.coeffs[0, 0], torch.from_numpy(published.counted(20, 8, 6)[7] + 1000))


@pytest.mark.parametrize("shape", [(8,), (8, 6), (8, 6, 4)])
def test_flows(tmp_path, shape):
    _, source = one(published.flow(tmp_path / f"{len(shape)}D_CFD_Rand_M0.1_trans_Train.hdf5", shape))
    problem, ndim = source.problem, len(shape)
    assert problem.grid == Grid(shape, (1.0,) * ndim, layout=("cells",) * ndim)
    assert problem.boundary == ((Outflow(), Outflow()),) * ndim
    velocity = [f"velocity_{letter}" for letter in "xyz"[:ndim]]
    assert [field.name for field in problem.fields] == ["density", "pressure", *velocity]
    batch = source.read(2, slice(3, 4))
    expected = np.stack([published.counted(20, 4, *shape)[2, 3] + 10000 * i for i in range(ndim + 2)])
    assert torch.equal(batch.u[0, 0], torch.from_numpy(expected.astype("f4")))


def test_the_boundary_of_a_flow_stands_in_its_name(tmp_path):
    _, source = one(published.flow(tmp_path / "1D_CFD_Rand_Eta0.01_periodic_Train.hdf5", (8,)))
    assert source.problem.boundary == ((Periodic(), Periodic()),) and source.problem.grid.layout == ("periodic",)
    with pytest.raises(ValueError, match=r"expected 'periodic' or 'trans' .* in the name of .*mine\.hdf5"):
        one(published.flow(tmp_path / "mine.hdf5"))


@pytest.mark.parametrize(
    "shape, channels, box, names",
    [
        ((16,), 1, (0.0, 1.0), ["concentration"]),
        ((8, 6), 2, (-1.0, 1.0), ["activator", "inhibitor"]),
        ((8, 6), 1, (-2.5, 2.5), ["height"]),
    ],
)
def test_groups_of_seeds(tmp_path, shape, channels, box, names):
    known, source = one(published.seeded(tmp_path / "a.h5", shape, channels, box=box))
    problem = source.problem
    assert known.test == "last" and [field.name for field in problem.fields] == names
    assert problem.grid.extent == (box[1] - box[0],) * len(shape) and problem.grid.origin == (box[0],) * len(shape)
    batch = source.read(11, slice(2, 3))
    expected = np.moveaxis(published.counted(5, *shape, channels)[2] + 110000, -1, 0)
    assert torch.equal(batch.u[0, 0], torch.from_numpy(expected))
    assert batch.t.tolist() == [[2.5]]


def test_incompressible_flow_ends_where_it_was_written(tmp_path):
    _, source = one(published.incompressible(tmp_path / "ns_incom_inhom_2d_512-0.h5"))
    assert source.problem.n_frames == 5 and source.problem.grid == SQUARE
    batch = source.read(1)
    assert torch.equal(batch.u[0, 4, :2], torch.from_numpy(np.moveaxis(published.counted(4, 6, 8, 6, 2)[1, 4], -1, 0)))
    assert torch.equal(batch.coeffs[0], torch.from_numpy(np.moveaxis(published.counted(4, 8, 6, 2)[1] + 2e4, -1, 0)))
    assert batch.t.shape == (1, 5)


def test_seeds_of_more_than_four_digits_are_in_order(tmp_path):
    path = published.seeded(tmp_path / "a.h5", shape=(4, 3), n=3, frames=2)
    with h5py.File(path, "a") as file:
        for old, new in (("0002", "10000"), ("0001", "9999"), ("0000", "0002")):
            file.move(old, new)
    _, source = one(path)
    assert [float(source.read(i, slice(0, 1)).u.min()) for i in range(3)] == [0.0, 1e4, 2e4]


@pytest.mark.parametrize("write, test", [(published.tensor, [0, 1]), (published.seeded, [18, 19])])
def test_the_published_splits(tmp_path, write, test):
    path = write(tmp_path / "a.hdf5")
    splits = open_path(path)
    assert list(splits["test"].indices) == test
    counts = [splits[name].n_trajectories for name in ("train", "valid", "test")]
    assert counts == [17, 1, 2]
    first = {name: float(splits[name].read(0, slice(0, 1)).u.min()) for name in splits}
    assert len(set(first.values())) == 3
    data = open_published(path, "mine")
    assert (data.train.n_trajectories, data.valid.n_trajectories, data.test.n_trajectories) == (17, 1, 2)
    assert next(iter(data.train_dataloader())).u.shape[1:3] == (2, data.problem.n_channels)


class TestFolder:
    def test_speeds_become_a_parameter(self, tmp_path):
        for beta in (0.1, 0.4, 2.0):
            published.tensor(tmp_path / f"1D_Advection_Sols_beta{beta}.hdf5", beta=beta)
        splits = open_path(tmp_path)
        assert {name: source.n_trajectories for name, source in splits.items()} == {"test": 6, "train": 51, "valid": 3}
        problem = splits["train"].problem
        assert problem.params == ("velocity_x",) and problem == splits["test"].problem
        batch = splits["test"].read(3, slice(1, 3))  # the second trajectory of the second file
        assert batch.params.tolist() == [[pytest.approx(0.4)]] and batch.index.tolist() == [3]
        assert torch.equal(batch.u[0, :, 0], torch.from_numpy(published.counted(20, 5, 16)[1, 1:3]))
        assert float(problem.at(batch.params)[0].velocity_x) == pytest.approx(0.4)

    def test_parts_of_one_flow_have_the_frames_of_the_shortest(self, tmp_path):
        for number, written in enumerate((5, 3, 4)):
            published.incompressible(tmp_path / f"ns_incom_inhom_2d_512-{number}.h5", n=2, written=written)
        splits = open_path(tmp_path)
        assert sum(source.n_trajectories for source in splits.values()) == 6
        assert {source.problem.n_frames for source in splits.values()} == {3}
        assert splits["train"].read(0).u.shape[1] == splits["train"].read(0).t.shape[1] == 3

    def test_grids_of_one_box_stay_apart(self, tmp_path):
        for n in (2, 20):
            (tmp_path / str(n)).mkdir()
            for size in (4, 8):
                published.darcy(tmp_path / f"{n}/{size}.hdf5", n, (size, size))
        with pytest.raises(
            ValueError, match="one grid in files of fewer than three trajectories, found the grids 4x4, 8x8"
        ):
            open_path(tmp_path / "2")
        source = open_path(tmp_path / "20")["train"]
        assert [grid.shape for grid in grids_of(source)] == [(4, 4), (8, 8)]
        convert(tmp_path / "20", tmp_path / "out", "darcy")
        for grid in grids_of(source):
            name = f"darcy_{'x'.join(map(str, grid.shape))}.hdf5"
            found, expected = Split(tmp_path / "out/data/train" / name), trajectories_on(source, grid)
            assert (found.problem, found.n_trajectories) == (expected.problem, expected.n_trajectories)
            for i in range(found.n_trajectories):
                one, other = found.read(i), expected.read(i)
                assert torch.equal(one.u, other.u) and torch.equal(one.coeffs, other.coeffs)

    def test_other_boxes_are_refused(self, tmp_path):
        published.tensor(tmp_path / "a.hdf5", beta=0.1)
        with h5py.File(published.tensor(tmp_path / "b.hdf5", beta=0.1, points=8), "r+") as file:
            file["x-coordinate"][...] += 1
        with pytest.raises(ValueError, match="expected data of one problem on grids of one box"):
            open_path(tmp_path)


def test_the_equation_of_a_file_solves_its_trajectories(tmp_path):
    """A wave in the published layout: its frames are what pdekit's advection makes of the first one."""
    path = published.tensor(tmp_path / "1D_Advection_Sols_beta0.4.hdf5", n=3, points=64, beta=0.4)
    with h5py.File(path, "r+") as file:
        x, t = file["x-coordinate"][()], file["t-coordinate"][:5]
        file["tensor"][...] = np.sin(pi * (x - 0.4 * t[:, None]) + np.arange(3)[:, None, None])
    _, source = one(path)
    batch, pde = source.read(2), source.problem.pde
    solution = pde.exact()
    assert pde.velocity_x == 0.4 and solution
    u_hat = torch.fft.rfft(batch.u[0, 0, 0].double())
    k = 2 * pi * torch.arange(33) / source.problem.grid.extent[0]
    moved = torch.fft.irfft(u_hat * torch.exp(-1j * k * 0.4 * batch.t[0, 4]), n=64)
    torch.testing.assert_close(moved, batch.u[0, 4, 0].double(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "key, values, sentence",
    [
        ("t-coordinate", np.arange(3.0), r"expected 5 times or one more in t-coordinate of .*a\.hdf5, found \(3,\)"),
        ("t-coordinate", [0, 1, 2, 4, 5, 6.0], r"evenly spaced numbers in t-coordinate of .*a\.hdf5"),
        ("t-coordinate", [0, 1, np.nan, 3, 4, 5], r"expected finite numbers in t-coordinate of .*a\.hdf5"),
        ("x-coordinate", np.arange(15.0), r"expected tensor of .*a\.hdf5 with the axes s t x, \{'x': 15\}"),
        ("tensor", np.zeros((20, 5)), r"expected the axes sample, time, x in tensor of .*a\.hdf5"),
        ("tensor", np.zeros((20, 5, 16), "S1"), r"expected numbers in tensor of .*a\.hdf5"),
    ],
)
def test_wrong_parts_are_named(tmp_path, key, values, sentence):
    path = published.tensor(tmp_path / "a.hdf5")
    with h5py.File(path, "r+") as file:
        del file[key]
        file[key] = values
    with pytest.raises(ValueError, match=sentence):
        one(path)


def bytes_read():
    """Bytes that this process, and child processes that have ended, have read."""
    return int(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])


def test_opening_100_gb_reads_no_arrays(tmp_path):
    """A sparse file: few bytes are read, and little memory is taken. The child process reads its packages, too."""
    path = published.tensor(tmp_path / "a.hdf5", points=4096, frames=2)
    with h5py.File(path, "r+") as file:
        del file["tensor"], file["t-coordinate"]
        space = h5py.h5s.create_simple((10_000, 625, 4096))
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        h5py.h5d.create(file.id, b"tensor", h5py.h5t.IEEE_F32LE, space, plist)
        file["t-coordinate"] = 0.01 * np.arange(626)
    assert path.stat().st_size > 100e9
    open_path(path)  # modules are loaded, and the child process has been
    before = bytes_read()
    tracemalloc.start()
    found = open_path(path)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert bytes_read() - before < 1e6 and largest < 10e6
    assert found["train"].n_trajectories == 8100
    assert found["test"].read(999, slice(0, 1)).u.shape == (1, 1, 1, 4096)


def test_a_flow_in_a_cavity_is_no_reaction_in_files_for_others():
    """It would come back as an activator and an inhibitor between Neumann ends."""
    found = {}
    for vector in (None, "velocity"):
        for end in (Neumann(), Wall("no_slip"), Outflow()):
            fields = tuple(Field(name, vector=vector) for name in "uv")
            problem = Problem(SQUARE, fields, dt=0.5, n_frames=3, boundary=((end, end),) * 2)
            found[vector, end] = pdebench_layout(problem)
    assert found.pop((None, Neumann())) == SEEDS and set(found.values()) == {None}


def test_files_named_as_splits_are_the_splits(tmp_path):
    for n, split in enumerate(("train", "valid", "test"), 3):
        published.tensor(tmp_path / f"{split}.hdf5", n=n, beta=0.1)
    found = open_path(tmp_path)
    assert {split: source.n_trajectories for split, source in found.items()} == {"train": 3, "valid": 4, "test": 5}
