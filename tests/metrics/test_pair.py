"""Pairs that keep what measures are made of, and no fields."""

import gc
import weakref

import pytest
import torch

from pdekit.fields import Field, Grid, Points, Problem
from pdekit.metrics.catalogue import CATALOGUE
from pdekit.metrics.pair import Known, Pair

FIELDS = (Field("density"), Field("u_x", vector="velocity"), Field("u_y", vector="velocity"))
GRIDS = {
    "periodic": Grid((6, 8), (1.0, 2.0)),
    "bounded": Grid((6, 9), (2.0, 1.0), layout=("cells", "nodes")),
    "mesh": Points(2, 17),
    "ODE": Grid((), ()),
}
CASES = [(name, masked) for name in GRIDS for masked in (False, True) if name != "ODE" or not masked]


@pytest.mark.parametrize("name, masked", CASES)
def test_measures_of_joined_pairs_are_those_of_the_whole(name, masked):
    grid = GRIDS[name]
    problem = Problem(grid, FIELDS, dt=0.1, n_frames=7)
    reference = torch.randn(2, 7, 3, *grid.shape, dtype=torch.float64)
    u = reference + 0.3 * torch.randn(3, *reference.shape, dtype=torch.float64)
    mask = (torch.rand(2, 3, *grid.shape) > 0.3).double() if masked else None
    parts = [
        Known(reference[:, a:b], problem, mask).beside(u[:, :, a:b]).settled() for a, b in ((0, 3), (3, 4), (4, 7))
    ]
    whole, joined = Known(reference, problem, mask).beside(u), Pair.joined(parts)
    suitable = [measure for measure in CATALOGUE if measure.suits(problem, masked)]
    assert len(suitable) >= 7
    for measure in suitable:
        torch.testing.assert_close(measure.of_pair(joined), measure.of_pair(whole), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name, masked", CASES)
def test_a_settled_pair_lets_go_of_its_fields(name, masked):
    grid = GRIDS[name]
    problem = Problem(grid, FIELDS, dt=0.1, n_frames=2)
    u = torch.randn(1, 2, 3, *grid.shape)
    mask = (torch.rand(1, 3, *grid.shape) > 0.3).float() if masked else None
    gc.disable()
    try:
        known = Known(u.clone(), problem, mask)
        pair = known.beside(u + 1)
        left = [weakref.ref(thing) for thing in (known, known.u, pair, pair.u)]
        settled = pair.settled()
        del pair, known
        assert [thing() for thing in left] == [None] * 4
    finally:
        gc.enable()
    with pytest.raises(RuntimeError, match="the field itself was not kept"):
        _ = settled.u
