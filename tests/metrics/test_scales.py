"""Fields in units of 1e-30 to 1e30, and forecasts 1e-8 to 1e15 times as large as their reference, against NumPy."""

import numpy as np
import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.boundary import boundary_violation
from pdekit.metrics.budgets import budgets, imbalance
from pdekit.metrics.catalogue import CATALOGUE
from pdekit.metrics.correlation import correlation, correlation_all
from pdekit.metrics.coupling import coupling_captured
from pdekit.metrics.ensembles import ENSEMBLE
from pdekit.metrics.physics import residual
from pdekit.metrics.spectra import coherence, energy_spectrum
from pdekit.metrics.summaries import pooled_spectral_distance
from pdekit.metrics.sums import filled_shells
from pdekit.pdes import Diffusion

FIELDS = (Field("a"), Field("b"))
GRIDS = {
    "periodic": Grid((12, 10), (1.0, 2.0)),
    "cells": Grid((12, 10), (1.0, 2.0), layout=("cells", "periodic")),
    "nodes": Grid((12, 10), (1.0, 2.0), layout=("nodes", "nodes")),
}
DTYPES = [torch.float32, torch.float64]
ROUNDING = {torch.float32: 2e-5, torch.float64: 1e-12}


def problem_on(grid):
    return Problem(grid, FIELDS, dt=1.0, n_frames=3)


def drawn(dtype, *shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(dtype)


def numpy_correlation(u, reference, grid):
    """Of "... *space" in float64, each scaled by its largest value first."""
    w = grid.weights().numpy()
    u, r = (v.double().numpy() for v in (u, reference))
    a, b = (v / abs(v).max((-2, -1), keepdims=True) for v in (u, r))
    a, b = (v - (w * v).sum((-2, -1), keepdims=True) / w.sum() for v in (a, b))
    products = [(w * p * q).sum((-2, -1)) for p, q in ((a, b), (a, a), (b, b))]
    return products[0] / np.sqrt(products[1] * products[2])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("amplitude", [1e-8, 1e-4, 0.03, 1.0, 70.0, 1e6, 1e10, 1e15])
def test_correlation_of_a_forecast_of_any_size(amplitude, masked, name, dtype):
    """Noise, a copy and a half-right forecast; rounding made 36 of 44 blown-up frames correlate by exactly 1 or -1."""
    grid = GRIDS[name]
    reference, noise = drawn(dtype, 2, 1, 3, 2, *grid.shape)
    u = torch.stack([noise, reference, reference + noise])[:, :, :] * amplitude
    mask = torch.ones(1, 2, *grid.shape) if masked else None
    found = correlation(u, reference, problem_on(grid), mask)
    expected = numpy_correlation(u, reference.expand_as(u), grid)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=ROUNDING[dtype])
    assert (abs(found[0]) < 0.5).all() and (found[1] > 1 - ROUNDING[dtype]).all()
    if not masked:
        all_found = correlation_all(u[..., :1, :, :].expand_as(u), reference[..., :1, :, :].expand_as(reference),
                                    problem_on(grid))  # fmt: skip
        np.testing.assert_allclose(all_found[..., 0], expected[..., 0], rtol=0, atol=ROUNDING[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("amplitude", [1e-8, 0.03, 1.0, 1e6, 1e15])
def test_coherence_of_a_forecast_of_any_size(amplitude, dtype):
    grid = GRIDS["periodic"]
    reference, noise = drawn(dtype, 2, 1, 1, 2, *grid.shape)
    u = amplitude * (reference + noise)
    found = coherence(u, reference, problem_on(grid))
    u_hat, r_hat = (np.fft.fftn(v.double().numpy(), axes=(-2, -1)) for v in (u, reference))
    k = [np.fft.fftfreq(n, 1 / n) * 2 / length for n, length in zip(grid.shape, grid.extent, strict=True)]
    shell = np.floor(np.hypot(*np.meshgrid(*k, indexing="ij")) + 0.5).astype(int)
    for j in range(found.shape[-1]):
        p, q = u_hat[..., shell == j], r_hat[..., shell == j]
        expected = (p * q.conj()).real.sum(-1) / np.sqrt((abs(p) ** 2).sum(-1) * (abs(q) ** 2).sum(-1))
        np.testing.assert_allclose(found[..., j].numpy(), expected, rtol=0, atol=ROUNDING[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("unit", [1e-30, 1e-22, 1e-10, 1e10, 1e20, 1e30])
@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("size", [1.0, 1e5], ids=["good", "blown up"])
def test_measures_of_fields_in_any_unit(size, name, unit, dtype):
    """A power of two changes no digit of a field, and no relative measure."""
    unit = 2.0 ** round(np.log2(unit))
    grid = GRIDS[name]
    reference, noise = drawn(dtype, 2, 1, 3, 2, *grid.shape)
    u = (size * (reference + 0.3 * noise))[None]
    for measure in CATALOGUE:
        if not measure.suits(problem_on(grid)):
            continue
        one = measure.function(u, reference, problem_on(grid)).double()
        found = measure.function(unit * u, unit * reference, problem_on(grid)).double() / unit**measure.unit_power
        if "shell" in measure.dims:  # rounding over rounding means nothing
            filled = filled_shells(energy_spectrum(reference, None, problem_on(grid)))
            found, one = (torch.where(filled, values, 0.0) for values in (found, one))
        torch.testing.assert_close(found, one, rtol=ROUNDING[dtype], atol=ROUNDING[dtype] * size, msg=measure.name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", GRIDS)
def test_a_constant_forecast_has_no_pattern_at_any_offset(name, dtype):
    grid = GRIDS[name]
    reference = drawn(dtype, 1, 1, 2, *grid.shape)
    for offset in (0.0, 300.1, 1e8 / 3):
        constant = torch.full_like(reference, offset)
        assert (correlation(constant, reference, problem_on(grid)) == 0).all()
        assert (correlation(constant, constant, problem_on(grid)) == 1).all()


UNITS = [2.0 ** round(np.log2(unit)) for unit in (1e-30, 1e-22, 1e-10, 1e10, 1e20, 1e30)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("unit", UNITS)
def test_ensembles_of_fields_in_any_unit(unit, dtype):
    grid = GRIDS["periodic"]
    reference, noise = drawn(dtype, 2, 4, 1, 3, 2, *grid.shape)
    u, reference = reference + noise, reference[0]
    for name, measure in ENSEMBLE.items():
        one = measure(u, reference, problem_on(grid)).double()
        found = measure(unit * u, unit * reference, problem_on(grid)).double()
        scale = 1.0 if name == "agreement" else unit
        assert one.isfinite().all()
        torch.testing.assert_close(found / scale, one, rtol=ROUNDING[dtype], atol=ROUNDING[dtype], msg=name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("unit", UNITS)
def test_what_the_equation_says_in_any_unit(unit, dtype):
    """Of a linear equation, whose residual has the unit of its field; budgets are of squares."""
    pde = Diffusion(diffusivity=0.5)
    problem = Problem(GRIDS["periodic"], pde.fields, dt=0.1, n_frames=3, pde=pde)
    u = drawn(dtype, 2, 3, 1, *problem.grid.shape)
    one, found = residual(u, problem), residual(unit * u, problem)
    for name in ("norm", "scale"):
        torch.testing.assert_close(getattr(found, name) / unit, getattr(one, name), rtol=1e-12, atol=0)
    (stored, rates), (stored_in_unit, rates_in_unit) = (budgets(v, problem)["variance"] for v in (u, unit * u))
    torch.testing.assert_close(stored_in_unit / unit**2, stored, rtol=1e-12, atol=0)
    for term, rate in rates.items():
        torch.testing.assert_close(rates_in_unit[term] / unit**2, rate, rtol=1e-12, atol=0)
    for part, part_in_unit in zip(imbalance(stored, rates, 0.1), imbalance(stored_in_unit, rates_in_unit, 0.1),
                                  strict=True):  # fmt: skip
        torch.testing.assert_close(part_in_unit / unit**2, part, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("unit", UNITS)
def test_coupling_and_boundaries_in_any_unit(unit, dtype):
    grid = GRIDS["nodes"]
    problem = Problem(grid, FIELDS, dt=1.0, n_frames=3, boundary=(("dirichlet", "dirichlet"), ("neumann", "neumann")))
    u, reference, cut = drawn(dtype, 3, 2, 3, 2, *grid.shape)
    one, found = (coupling_captured(*(scale * v for v in (u, reference, cut)), problem) for scale in (1.0, unit))
    for a, b in zip(one, found, strict=True):
        assert a.isfinite().all()
        torch.testing.assert_close(b, a, rtol=ROUNDING[dtype], atol=0)
    violated, in_unit = (boundary_violation(scale * u, problem).double() for scale in (1.0, unit))
    torch.testing.assert_close(in_unit / unit, violated, rtol=ROUNDING[dtype], atol=0)


@pytest.mark.parametrize("unit", UNITS)
def test_pooled_spectra_in_any_unit(unit):
    spectra, reference = np.random.default_rng(0).uniform(0.1, 1, (2, 3, 4, 9))
    one = pooled_spectral_distance(spectra, reference)
    np.testing.assert_allclose(pooled_spectral_distance(unit**2 * spectra, unit**2 * reference), one, rtol=1e-12)
    assert (one > 0).all() and np.isfinite(one).all()
