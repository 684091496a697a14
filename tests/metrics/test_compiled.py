"""The loops of a sweep, and the same on whole tensors: both give what the definitions say."""

import functools
import math

import numba
import numpy as np
import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics import compiled, portable
from pdekit.metrics.catalogue import CATALOGUE, MEASURES
from pdekit.metrics.shells import Shells

GRIDS = [
    Grid((8,), (1.0,)),
    Grid((9,), (3.0,)),
    Grid((8, 8), (1.0, 1.0)),
    Grid((7, 12), (1.0, 2.0)),
    Grid((6, 6, 6), (1.0, 1.0, 1.0)),
    Grid((4, 5, 6), (1.0, 2.0, 1.0)),
    Grid((11,), (1.0,), layout=("nodes",)),
    Grid((6, 7, 5), (1.0, 1.0, 2.0), layout=("nodes", "periodic", "cells")),
]
KINDS = {torch.float64: (torch.complex128, 1e-13), torch.float32: (torch.complex64, 2e-6)}

both = pytest.mark.parametrize("by", [compiled, portable], ids=lambda module: module.__name__.split(".")[-1])
precisions = pytest.mark.parametrize("dtype", KINDS, ids=str)


def places(by, *shapes, dtype):
    tensors = [torch.full(shape, math.nan, dtype=dtype) for shape in shapes]
    return tensors, [by.memory(values) for values in tensors]


@both
@precisions
@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: f"{g.shape} {'/'.join(g.layout)}")
def test_sums_are_those_of_single_modes(grid, by, dtype):
    kind, tolerance = KINDS[dtype]
    modes = Shells(grid)
    u_hat, added = torch.randn(2, 5, len(modes.index), dtype=kind)
    _, tables = by.constants(modes, u_hat.real)
    shapes = (5, modes.n), (5,), (5,)
    alone, memory = places(by, *shapes, dtype=dtype)
    by.shell_sums(by.array(u_hat), None, tables, memory)
    first, of_one = places(by, *shapes, dtype=dtype)
    second, of_sum = places(by, *shapes, dtype=dtype)
    by.shell_sums(by.array(u_hat), by.array(added), tables, of_one, of_sum)
    for (power, slope, mean), v in ((alone, u_hat), (first, u_hat), (second, u_hat.to(kind) + added)):
        weighted = v.to(torch.complex128).abs().square() * modes.multiplicity * modes.scale**2
        expected = torch.stack([weighted[:, modes.index == j].sum(-1) for j in range(modes.n)], -1)
        torch.testing.assert_close(power.double(), expected, rtol=tolerance, atol=0)
        torch.testing.assert_close(slope.double(), weighted @ modes.square_wavenumber, rtol=tolerance, atol=0)
        torch.testing.assert_close(mean.double(), v[:, 0].real.double() * modes.scale, rtol=tolerance, atol=0)


@both
@precisions
@pytest.mark.parametrize("points", [1, 37, compiled.BLOCK, 2 * compiled.BLOCK + 37])
def test_sizes_are_those_of_their_definitions(points, by, dtype):
    u, reference = torch.randn(2, 3, points, dtype=dtype)
    weights = torch.rand(points, dtype=dtype)
    (of_u, mean, largest), memory = places(by, (3,), (3,), (3,), dtype=dtype)
    given = [by.array(v) for v in (u, reference)], by.array(weights[None])[0]
    by.size(given[0][0], given[1], memory[0])
    error = by.tensor(by.difference(*given[0], given[1], *memory[1:]))
    assert torch.equal(error, u - reference) and torch.equal(largest, error.abs().amax(-1))
    tolerance = KINDS[dtype][1]
    torch.testing.assert_close(of_u.double(), u.double().abs() @ weights.double(), rtol=tolerance, atol=0)
    torch.testing.assert_close(mean.double(), error.double().abs() @ weights.double(), rtol=tolerance, atol=0)


@both
@pytest.mark.parametrize("bad", [math.nan, -math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, compiled.BLOCK - 1, compiled.BLOCK, compiled.BLOCK + 36])
def test_a_value_that_is_not_finite_is_the_largest(bad, at, by):
    u, reference = torch.randn(2, 3, compiled.BLOCK + 37)
    u[1, at] = bad
    weights = by.array(torch.full((1, u.shape[1]), 1 / u.shape[1]))[0]
    (mean, largest), memory = places(by, (3,), (3,), dtype=torch.float32)
    by.difference(by.array(u), by.array(reference), weights, *memory)
    for found in (mean, largest):
        assert found[1].isnan() if math.isnan(bad) else found[1] == math.inf
        assert found[[0, 2]].isfinite().all()


def fields_on(grid):
    reference = torch.randn(3, 4, 2, *grid.shape)
    return reference + 0.3 * torch.randn(2, *reference.shape), reference


@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: f"{g.shape} {'/'.join(g.layout)}")
def test_measures_are_the_same_without_numba(grid, monkeypatch):
    problem, (u, reference) = Problem(grid, (Field("a"), Field("b")), dt=1.0, n_frames=4), fields_on(grid)
    suitable = [measure for measure in CATALOGUE if measure.suits(problem)]
    in_loops = [measure.function(u, reference, problem) for measure in suitable]
    monkeypatch.setattr(compiled, "numba", None)
    assert not compiled.suits(u, reference)
    for measure, expected in zip(suitable, in_loops, strict=True):
        torch.testing.assert_close(measure.function(u, reference, problem), expected, rtol=1e-4, atol=1e-6)


def test_a_difference_of_precisions_is_taken_in_the_better_one():
    problem = Problem(GRIDS[3], (Field("a"), Field("b")), dt=1.0, n_frames=4)
    u, reference = fields_on(problem.grid)
    for measure in CATALOGUE:
        if measure.suits(problem):
            expected = measure.function(u.double(), reference.double(), problem)
            for pair in ((u.double(), reference), (u, reference.double())):
                found = measure.function(*pair, problem)
                # what is known of a reference alone keeps its own precision
                torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5, check_dtype=False)
                assert measure.name != "rmse" or torch.equal(found, expected)


def test_what_suits():
    u = torch.zeros(2, 3)
    assert compiled.suits(u, u) and compiled.suits(u.double())
    assert not compiled.suits(u, u.double()) and not compiled.suits(u.half())
    wanted = torch.zeros(2, requires_grad=True)
    assert not compiled.suits(wanted)
    with torch.no_grad():
        assert compiled.suits(wanted)


def test_loops_are_compiled_where_no_folder_may_be_written_to(monkeypatch):
    def refuses(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: functools.partial(function, options)

    def loop(options):
        return options

    monkeypatch.setattr(numba, "njit", refuses)
    assert "fastmath" in compiled._loop(loop)()
    monkeypatch.setattr(compiled, "numba", None)
    assert compiled._loop(loop) is loop


def test_not_a_number_and_infinity_may_not_be_assumed_away():
    """`fastmath=True` would."""
    for loop in (compiled._differences, compiled._shell_sums, compiled._sizes, compiled._largest):
        assert not {"nnan", "ninf", "fast"} & set(loop.targetoptions["fastmath"])
    assert np.isnan(compiled._size(np.array([1.0, math.nan]), np.ones(2)))


@pytest.mark.parametrize("loops", [True, False], ids=["loops", "tensors"])
@pytest.mark.parametrize("size", [1e15, 1e18])
def test_large_fields_do_not_overflow_before_their_squares_do(size, loops, monkeypatch):
    if not loops:
        monkeypatch.setattr(compiled, "numba", None)
    problem = Problem(Grid((64, 64), (1.0, 1.0)), (Field("a"),), dt=1.0, n_frames=1)
    reference = size * (1 + 0.1 * torch.randn(1, 1, 1, 64, 64))
    for measure in CATALOGUE:
        if measure.name in ("nrmse", "symmetric_nrmse", "relative_l1", "log_spectral_distance", "relative_h1"):
            expected = measure.function(1.1 * reference.double(), reference.double(), problem)
            found = measure.function(1.1 * reference, reference, problem)
            torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=0, msg=measure.name)


def test_a_reference_whose_square_overflows_makes_no_error_small():
    problem = Problem(Grid((8,), (1.0,)), (Field("a"),), dt=1.0, n_frames=1)
    reference = torch.full((1, 1, 1, 8), 1e20)
    nrmse = MEASURES["nrmse"].function
    assert nrmse(reference + 1e15, reference, problem).item() == pytest.approx(1e-5, rel=1e-2)  # float32 steps by 9e12
    reference = 1e180 * reference.double()
    assert nrmse(reference * 1.1, reference, problem) == math.inf


def test_half_precision_is_taken_in_single():
    problem = Problem(Grid((128, 128), (1.0, 1.0)), (Field("a"),), dt=1.0, n_frames=1)
    reference = torch.randn(1, 1, 1, 128, 128).bfloat16()
    u = (1.25 * reference).bfloat16()
    for name in ("nrmse", "spectral_nrmse"):
        measure = MEASURES[name].function
        expected = measure(u.float(), reference.float(), problem)
        torch.testing.assert_close(measure(u, reference, problem), expected)


def test_a_negative_view_is_read_as_what_it_says():
    problem = Problem(Grid((8,), (1.0,)), (Field("a"),), dt=1.0, n_frames=1)
    u, reference = torch.randn(2, 1, 1, 1, 8)
    found = MEASURES["rmse"].function(torch._neg_view(u), reference, problem)
    torch.testing.assert_close(found, MEASURES["rmse"].function(-u, reference, problem))
