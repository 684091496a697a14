"""Sums over space: their definitions, blocks of frames, precision, gradients, and what they keep in memory."""

import gc
import math
import weakref

import pytest
import torch

from pdekit.fields import Field, Grid, Points, Problem
from pdekit.metrics import shells
from pdekit.metrics.catalogue import CATALOGUE, MEASURES
from pdekit.metrics.shells import Shells
from pdekit.metrics.sums import FieldSums, Sums, filled_shells

FIELDS = (Field("density"), Field("u_x", vector="velocity"), Field("u_y", vector="velocity"))
GRIDS = {
    "periodic": Grid((6, 8), (1.0, 2.0)),
    "bounded": Grid((6, 9), (2.0, 1.0), layout=("cells", "nodes")),
    "mesh": Points(2, 17),
    "ODE": Grid((), ()),
}
CASES = [(name, masked) for name in GRIDS for masked in (False, True) if name != "ODE" or not masked]
SHAPES = [
    Grid((8,), (1.0,)),
    Grid((9,), (3.0,)),
    Grid((7, 12), (1.0, 2.0)),
    Grid((4, 5, 6), (1.0, 2.0, 1.0)),
    Grid((11,), (1.0,), layout=("nodes",)),
    Grid((6, 7, 5), (1.0, 1.0, 2.0), layout=("nodes", "periodic", "cells")),
]
SCALAR = Problem(Grid((64, 64), (1.0, 1.0)), (Field("a"),), dt=1.0, n_frames=1)


def fields_on(name, masked=False, dtype=torch.float64):
    grid = GRIDS[name]
    reference = torch.randn(2, 7, 3, *grid.shape, dtype=dtype)
    mask = (torch.rand(2, 3, *grid.shape) > 0.3).to(dtype) if masked else None
    problem = Problem(grid, FIELDS, dt=0.1, n_frames=7)
    return problem, reference + 0.3 * torch.randn(3, *reference.shape, dtype=dtype), reference, mask


@pytest.mark.parametrize("name, masked", CASES)
def test_measures_of_blocks_are_those_of_the_whole(name, masked):
    problem, u, reference, mask = fields_on(name, masked)
    suitable = [measure for measure in CATALOGUE if measure.suits(problem, masked)]
    assert len(suitable) >= 7
    whole = FieldSums(u, Sums(reference, problem, mask))
    blocks = [FieldSums(u[:, :, a:b], Sums(reference[:, a:b], problem, mask)) for a, b in ((0, 3), (3, 4), (4, 7))]
    for measure in suitable:
        found = torch.cat([measure.of_sums(block) for block in blocks], 2)
        torch.testing.assert_close(found, measure.of_sums(whole), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("masked", [False, True])
def test_sums_are_those_of_their_definitions(masked):
    problem, u, reference, mask = fields_on("periodic", masked)
    sums, space = FieldSums(u, Sums(reference, problem, mask)), (-2, -1)
    inside = torch.ones(2, 1, 3, 6, 8) if mask is None else mask.unsqueeze(1)

    def mean(v):
        return (v * inside).sum(space) / inside.sum(space)

    for field, v in ((sums.error, u - reference), (sums.forecast, u), (sums.reference, reference)):
        centred = v - mean(v)[..., None, None]
        expected = {
            "mean": mean(v), "square": mean(v**2), "variation": mean(centred**2), "absolute": mean(v.abs()),
            "largest": (v.abs() * inside).amax(space),
        }  # fmt: skip
        for name, values in expected.items():
            torch.testing.assert_close(getattr(field, name), values, rtol=1e-12, atol=1e-13, msg=name)
    apart = [v - mean(v)[..., None, None] for v in (u, reference)]
    torch.testing.assert_close(sums.covariance, mean(apart[0] * apart[1]), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("grid", SHAPES, ids=lambda g: f"{g.shape} {'/'.join(g.layout)}")
def test_sums_over_shells_are_those_of_single_modes(grid):
    modes = Shells(grid)
    v = torch.randn(2, 5, len(modes.index), dtype=torch.complex128)
    weighted = v.abs().square() * modes.multiplicity
    expected = torch.stack([weighted[..., modes.index == j].sum(-1) for j in range(modes.n)], -1)
    torch.testing.assert_close(modes.sums(v.abs().square()), expected, rtol=1e-13, atol=0)
    slope = modes.total(v, modes.square_wavenumber)
    torch.testing.assert_close(slope, (weighted * modes.square_wavenumber).sum(-1), rtol=1e-13, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_parseval(dtype):
    problem, u, reference, _ = fields_on("periodic", dtype=dtype)
    sums = FieldSums(u, Sums(reference, problem))
    for field in (sums.error, sums.forecast, sums.reference):
        torch.testing.assert_close(field.power.sum(-1), field.square, rtol=1e-13, atol=0)
        torch.testing.assert_close(field.power[..., 0], field.mean**2, rtol=1e-9, atol=1e-16)
    torch.testing.assert_close(sums.cross[..., 1:].sum(-1), sums.covariance, rtol=1e-12, atol=1e-14)


def test_each_field_is_transformed_once(monkeypatch):
    problem, u, reference, _ = fields_on("periodic")
    rows, transform = [], shells.Shells.transform
    monkeypatch.setattr(shells.Shells, "transform", lambda self, v: rows.append(v.ndim) or transform(self, v))
    known = Sums(reference, problem)
    for forecast in u:
        sums = FieldSums(forecast, known)
        for measure in CATALOGUE:
            if measure.suits(problem):
                measure.of_sums(sums)
    assert len(rows) == 1 + 2 * len(u), "the reference, and forecast and error of each member"


def test_no_transform_where_no_spectrum_is_asked_for(monkeypatch):
    problem, u, reference, _ = fields_on("periodic")
    monkeypatch.setattr(shells.Shells, "transform", None)
    for name in ("rmse", "nrmse", "vrmse", "mae", "correlation", "max_error", "bias"):
        assert MEASURES[name].function(u, reference, problem).isfinite().all()


def test_a_pair_is_let_go_of_with_all_that_it_keeps():
    """Reference counts do it: cycles would hold hundreds of megabytes until the collector comes."""
    problem, u, reference, _ = fields_on("periodic")
    gc.disable()
    try:
        known = Sums(reference.clone(), problem)
        sums = FieldSums(u, known)
        for measure in CATALOGUE:
            if measure.suits(problem):
                measure.of_sums(sums)
        left = [weakref.ref(thing) for thing in (sums, sums.error, known)]
        del sums, known
        assert [thing() for thing in left] == [None] * 3
    finally:
        gc.enable()


def test_spectra_behind_a_mask_that_hides_nothing():
    problem, u, reference, _ = fields_on("periodic")
    measure = MEASURES["coherence"].function
    found = measure(u, reference, problem, torch.ones(2, 3, 6, 8))
    torch.testing.assert_close(found, measure(u, reference, problem))


def test_forecasts_of_another_shape_are_refused():
    problem = Problem(Grid((8, 16), (1.0, 1.0)), (Field("u"),), dt=0.1, n_frames=3)
    reference = torch.randn(2, 3, 1, 8, 16)
    for u in (reference.transpose(-1, -2), reference.transpose(0, 1), torch.cat([reference] * 2, 1), reference[0]):
        with pytest.raises(ValueError, match="expected a forecast of the reference's shape"):
            MEASURES["rmse"].function(u, reference, problem)


def test_a_tiny_error_keeps_its_digits():
    """A difference of spectra would have an error of 1e-7 of the field's 1e3, a hundred times this one's size."""
    problem = Problem(GRIDS["periodic"], FIELDS, dt=0.1, n_frames=7)
    reference = torch.randint(1000, 1100, (2, 7, 3, 6, 8)).float()
    error = 2.0**-13 * torch.randint(-1, 2, reference.shape)  # the sum has no rounding
    found = FieldSums(reference + error, Sums(reference, problem)).error
    torch.testing.assert_close(found.power, Sums(error, problem).power, rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize("name", ["periodic", "bounded", "mesh"])
def test_fields_of_any_precision_are_summed_in_float64(name):
    problem, u, reference, _ = fields_on(name, dtype=torch.float32)
    for measure in CATALOGUE:
        if measure.suits(problem):
            expected = measure.function(u.double(), reference.double(), problem)
            for pair in ((u, reference), (u.double(), reference), (u, reference.double())):
                assert torch.equal(measure.function(*pair, problem), expected), measure.name


@pytest.mark.parametrize("size", [1e15, 1e18])
def test_large_fields_do_not_overflow_before_their_squares_do(size):
    reference = size * (1 + 0.1 * torch.randn(1, 1, 1, 64, 64))
    for name in ("nrmse", "symmetric_nrmse", "relative_l1", "log_spectral_distance", "relative_h1"):
        measure = MEASURES[name].function
        expected = measure(1.1 * reference.double(), reference.double(), SCALAR)
        torch.testing.assert_close(measure(1.1 * reference, reference, SCALAR), expected, rtol=1e-6, atol=0, msg=name)


def test_a_reference_whose_square_overflows_makes_no_error_small():
    problem = Problem(Grid((8,), (1.0,)), (Field("a"),), dt=1.0, n_frames=1)
    reference = torch.full((1, 1, 1, 8), 1e20)
    nrmse = MEASURES["nrmse"].function
    assert nrmse(reference + 1e15, reference, problem).item() == pytest.approx(1e-5, rel=1e-2)  # float32 steps by 9e12
    reference = 1e180 * reference.double()
    assert nrmse(reference * 1.1, reference, problem) == math.inf


def test_half_precision_is_summed_in_float64():
    reference = torch.randn(1, 1, 1, 64, 64).bfloat16()
    u = (1.25 * reference).bfloat16()
    for name in ("nrmse", "spectral_nrmse"):
        measure = MEASURES[name].function
        torch.testing.assert_close(measure(u, reference, SCALAR), measure(u.double(), reference.double(), SCALAR))


def test_a_negative_view_is_read_as_what_it_says():
    problem = Problem(Grid((8,), (1.0,)), (Field("a"),), dt=1.0, n_frames=1)
    u, reference = torch.randn(2, 1, 1, 1, 8)
    found = MEASURES["rmse"].function(torch._neg_view(u), reference, problem)
    torch.testing.assert_close(found, MEASURES["rmse"].function(-u, reference, problem))


SMOOTH = (
    *("rmse", "nrmse", "vrmse", "mae", "relative_h1", "correlation", "spectral_nrmse", "energy_spectrum", "rmse_low"),
)
PLAIN = Problem(Grid((6, 8), (1.0, 2.0)), (Field("a"), Field("b")), dt=1.0, n_frames=2)


@pytest.mark.parametrize("name", SMOOTH)
def test_measures_have_gradients(name):
    reference = torch.randn(1, 2, 2, 6, 8, dtype=torch.float64)
    u = (reference + 0.3 * torch.randn_like(reference)).requires_grad_()
    measure = MEASURES[name].function
    assert torch.autograd.gradcheck(lambda v: measure(v, reference, PLAIN), u)


def test_gradients_after_a_validation_in_inference_mode():
    problem = Problem(Grid((5, 7), (1.0, 2.0)), (Field("a"),), dt=1.0, n_frames=2)  # on a grid not used before
    reference = torch.randn(1, 2, 1, 5, 7)
    with torch.inference_mode():
        MEASURES["spectral_nrmse"].function(1.1 * reference, reference, problem)
    u = (1.1 * reference).requires_grad_()
    MEASURES["spectral_nrmse"].function(u, reference, problem).sum().backward()
    assert (u.grad != 0).all()


@pytest.mark.gpu
def test_a_gpu_finds_the_same():
    reference = torch.randn(1, 2, 2, 6, 8)
    u = reference + 0.3 * torch.randn_like(reference)
    for measure in CATALOGUE:
        if measure.suits(PLAIN):
            found = measure.function(u.cuda(), reference.cuda(), PLAIN).cpu()
            torch.testing.assert_close(
                found, measure.function(u, reference, PLAIN), rtol=1e-9, atol=1e-10, msg=measure.name
            )


def test_a_shell_is_filled_above_1e_7_of_the_strongest():
    assert filled_shells(torch.tensor([0.0, 5.0, 6e-7, 4e-7])).tolist() == [False, True, True, False]
