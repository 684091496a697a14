"""Datasets in pdekit's own store are converted like the files of others."""

import dataclasses

import pytest
import torch

from pdekit import convert
from pdekit.data.exports import TARGETS, export
from pdekit.data.formats import open_path, recognised
from pdekit.data.store import Split
from pdekit.data.writer import write_split

from .conftest import counted_batch, flow_batch, flow_problem, line_problem
from .kinds import assert_same, darcy_pairs, mesh_problem_and_batch


def varying_steps():
    problem = dataclasses.replace(line_problem(), params=("dt",))
    batch = counted_batch(problem, 3)
    dt = torch.tensor([[0.1], [0.3], [0.7]], dtype=torch.float64)
    return problem, dataclasses.replace(batch, params=dt, t=dt * torch.arange(problem.n_frames))


def without_text(problem, batch):
    return dataclasses.replace(problem, has_text=False), dataclasses.replace(batch, text=None)


def cells_of_several_kinds():
    """Lines, triangles and quadrilaterals; padding is zero, as `from_points` makes it."""
    problem, batch = without_text(*mesh_problem_and_batch())
    cells = torch.tensor([[0, 1, 2, 3], [2, 3, 4, -1], [0, 1, -1, -1], [1, 2, 3, 4]]).expand(3, 4, 4).clone()
    cells[1, 3] = -1
    real = batch.point_mask
    parts = {"u": batch.u * real[:, None, None], "coeffs": batch.coeffs * real[:, None]}
    return problem, dataclasses.replace(batch, cells=cells, points=batch.points * real[..., None], **parts)


STORED = {
    "periodic line": lambda: (line_problem(), counted_batch(line_problem(), 3)),
    "double": lambda: (line_problem(), counted_batch(line_problem(), 3).to(torch.float64)),
    "box": lambda: (line_problem(shape=(6, 4, 2)), counted_batch(line_problem(shape=(6, 4, 2)), 3)),
    "ODE": lambda: (line_problem(shape=()), counted_batch(line_problem(shape=()), 3)),
    "steady": lambda: darcy_pairs(),
    "mask, coeffs, forcing, params, text": lambda: (flow_problem(), flow_batch(flow_problem())),
    "points": mesh_problem_and_batch,
    "varying dt": varying_steps,
    "no text": lambda: without_text(flow_problem(), flow_batch(flow_problem())),
    "cells": cells_of_several_kinds,
}
HELD = {  # kinds that a layout holds; every other one is refused. Zarr has the contents of NetCDF (test_exports)
    "netcdf": set(STORED),
    "pdebench": {"periodic line", "double", "steady"},
    "vtk": set(STORED) - {"ODE", "mask, coeffs, forcing, params, text", "points"},
}
REFUSED = r"expected (a problem (that PDEBench has a layout for|in space)|no .* (PDEBench|VTK), which has no place)"


@pytest.mark.parametrize("kind", STORED)
def test_every_kind_of_store_is_converted(tmp_path, kind):
    """The splits of a store come back as they were from every layout that can hold them."""
    problem, batch = STORED[kind]()
    splits = {}
    for split in ("train", "valid", "test"):
        path = tmp_path / "store" / "data" / split / "mine.hdf5"
        write_split(path, problem, batch, "mine")
        splits[split] = Split(path)
    convert.main([str(tmp_path / "store"), str(tmp_path / "out"), "to=the_well", "name=again"])
    for split, source in splits.items():
        assert_same(Split(tmp_path / "out" / "data" / split / "again.hdf5"), source, masked=False)
    for to, held in HELD.items():
        path = tmp_path / f"{to}{TARGETS[to].suffix}"
        if kind in held:
            (written,) = export(tmp_path / "store", path, TARGETS[to], "test")
            assert_same(recognised(written).open(written)["all"], splits["test"])
        else:
            with pytest.raises(ValueError, match=REFUSED):
                export(tmp_path / "store", path, TARGETS[to], "test")


@pytest.mark.parametrize("to", ["pdebench", "vtk"])
def test_a_folder_of_exported_splits_is_read_by_split(tmp_path, to):
    problem, batch, splits = line_problem(shape=(8,)), counted_batch(line_problem(shape=(8,)), 2), {}
    for i, split in enumerate(("train", "valid", "test")):
        path, splits[split] = tmp_path / "store" / "data" / split / "mine.hdf5", batch.u + i
        write_split(path, problem, dataclasses.replace(batch, u=splits[split]), "mine")
    for _ in range(2):  # the second time, all is kept
        assert len(export(tmp_path / "store", tmp_path / "out", TARGETS[to])) == 3
    found = open_path(tmp_path / "out")
    for split, u in splits.items():
        assert found[split].problem == problem and torch.equal(found[split].read(1).u, u[1:])
