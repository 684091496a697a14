"""Datasets in pdekit's own store are converted like the files of others."""

import dataclasses

import pytest
import torch

from pdekit import convert
from pdekit.data.formats import recognised
from pdekit.data.store import Split
from pdekit.data.writer import write_split

from .conftest import counted_batch, flow_batch, flow_problem, line_problem
from .kinds import assert_same, darcy_pairs, mesh_problem_and_batch


def varying_steps():
    problem = dataclasses.replace(line_problem(), params=("dt",))
    batch = counted_batch(problem, 3)
    dt = torch.tensor([[0.1], [0.3], [0.7]], dtype=torch.float64)
    return problem, dataclasses.replace(batch, params=dt, t=dt * torch.arange(problem.n_frames))


STORED = {
    "periodic line": lambda: (line_problem(), counted_batch(line_problem(), 3)),
    "double": lambda: (line_problem(), counted_batch(line_problem(), 3).to(torch.float64)),
    "box": lambda: (line_problem(shape=(6, 4, 2)), counted_batch(line_problem(shape=(6, 4, 2)), 3)),
    "ODE": lambda: (line_problem(shape=()), counted_batch(line_problem(shape=()), 3)),
    "steady": lambda: darcy_pairs(),
    "mask, coeffs, forcing, params, text": lambda: (flow_problem(), flow_batch(flow_problem())),
    "points": mesh_problem_and_batch,
    "varying dt": varying_steps,
}


@pytest.mark.parametrize("kind", STORED)
def test_every_kind_of_store_is_converted(tmp_path, kind):
    """The splits of a store come back as they were, from our own layout (The Well's) and from NetCDF."""
    problem, batch = STORED[kind]()
    splits = {}
    for split in ("train", "valid", "test"):
        path = tmp_path / "store" / "data" / split / "mine.hdf5"
        write_split(path, problem, batch, "mine")
        splits[split] = Split(path)
    convert.main([str(tmp_path / "store"), str(tmp_path / "out"), "to=the_well", "name=again"])
    for split, source in splits.items():
        assert_same(Split(tmp_path / "out" / "data" / split / "again.hdf5"), source, masked=False)
    written = tmp_path / "mine.nc"
    convert.main([str(tmp_path / "store"), str(written), "split=test"])
    assert_same(recognised(written).open(written)["all"], splits["test"])
