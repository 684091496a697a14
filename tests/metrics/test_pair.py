"""Pairs that keep what measures are made of, and no fields."""

import gc
import weakref

import pytest
import torch

from pdekit.fields import Field, Grid, Points, Problem
from pdekit.metrics.catalogue import CATALOGUE, MEASURES
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
    suitable = [measure for measure in CATALOGUE if measure.suits(problem, masked)]
    assert len(suitable) >= 7
    whole = Known(reference, problem, mask).beside(u)
    names = Known(reference, problem, mask).beside(u).asked(measure.of_pair for measure in suitable)
    parts = [
        Known(reference[:, a:b], problem, mask).beside(u[:, :, a:b]).settled(names) for a, b in ((0, 3), (3, 4), (4, 7))
    ]
    joined = Pair.joined(parts)
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
        settled = pair.settled(pair.asked([measure.of_pair for measure in CATALOGUE if measure.suits(problem, masked)]))
        del pair, known
        assert [thing() for thing in left] == [None] * 4
    finally:
        gc.enable()
    with pytest.raises(RuntimeError, match="which itself was not kept"):
        _ = settled.u


def test_only_what_is_asked_for_is_found():
    problem = Problem(GRIDS["bounded"], FIELDS, dt=0.1, n_frames=2)
    pair = Known(torch.randn(1, 2, 3, 6, 9), problem).beside(torch.randn(4, 1, 2, 3, 6, 9))
    assert pair.asked([]) == ((), (), ()) and pair.settled(((), (), ())).error.asked == ()
    assert pair.asked([MEASURES["rmse"].of_pair]) == (("square_of_channels",), (), ())
    assert "sums" not in pair.error.asked, "no transform"
    error, forecast, known = pair.asked([MEASURES["spectral_nrmse"].of_pair])
    assert "sums" in error and forecast == () and known == ("sums",)


def test_spectra_behind_a_mask_that_hides_nothing():
    problem = Problem(GRIDS["periodic"], FIELDS, dt=0.1, n_frames=2)
    u, reference = torch.randn(2, 1, 2, 3, 6, 8)
    pair = Known(reference, problem, torch.ones(1, 3, 6, 8)).beside(u)
    measure = MEASURES["coherence"]
    settled = pair.settled(pair.asked([measure.of_pair]))
    torch.testing.assert_close(measure.of_pair(settled), measure.function(u, reference, problem))


def test_forecasts_of_another_shape_are_refused():
    problem = Problem(Grid((8, 16), (1.0, 1.0)), (Field("u"),), dt=0.1, n_frames=3)
    reference = torch.randn(2, 3, 1, 8, 16)
    for u in (reference.transpose(-1, -2), reference.transpose(0, 1), torch.cat([reference] * 2, 1), reference[0]):
        with pytest.raises(ValueError, match="expected a forecast of the reference's shape"):
            MEASURES["rmse"].function(u, reference, problem)
