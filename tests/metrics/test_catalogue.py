"""Every measure keeps its promises: one set of tests over the whole catalogue."""

import math

import numpy as np
import pytest
import torch

from pdekit.fields import Field, Grid, Points, Problem
from pdekit.metrics.catalogue import CATALOGUE, MEASURES
from pdekit.metrics.spectra import wavenumbers

GRIDS = {
    "periodic 1-D": Grid((12,), (3.0,)),
    "periodic 2-D, odd and oblong": Grid((7, 10), (1.0, 2.5)),
    "cells and nodes": Grid((6, 9), (2.0, 1.0), layout=("cells", "nodes")),
    "periodic 3-D": Grid((4, 5, 6), (1.0, 1.0, 1.0)),
    "ODE": Grid((), ()),
    "mesh": Points(2, 17),
}
FIELDS = (Field("density", "kg"), Field("u_x", "m/s", vector="velocity"), Field("u_y", "m/s", vector="velocity"))


def problem_on(grid, fields=FIELDS):
    return Problem(grid, fields, dt=0.5, n_frames=5)


def pairs():
    return [
        pytest.param(m, name, id=f"{m.name}, {name}")
        for m in CATALOGUE
        for name, grid in GRIDS.items()
        if m.suits(problem_on(grid))
    ]


def fields_on(grid, batch=3, members=2, dtype=torch.float64):
    reference = torch.randn(batch, 4, len(FIELDS), *grid.shape, dtype=dtype)
    return reference + 0.3 * torch.randn(members, *reference.shape, dtype=dtype), reference


def checkerboard(axes="any"):
    """+1 and -1 in equal number on every frame and channel: RMS, mean size, largest value and deviation are 1."""
    grid = Grid((4, 6), (1.0, 1.0), layout=("cells", "periodic") if axes == "bounded" else ())
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(12).reshape(4, 6)
    return problem_on(grid), signs.expand(2, 3, len(FIELDS), 4, 6)


def slow(name, u, reference, problem):
    """The measures once more for one member, sample and time, from their definitions, in float64 NumPy."""
    w = problem.grid.weights().numpy() if isinstance(problem.grid, Grid) else np.ones(problem.grid.shape)
    w = w / w.sum()
    values = []
    for c, field in enumerate(FIELDS):
        group = [j for j, other in enumerate(FIELDS) if other.group == field.group]
        e, p, r = u[c] - reference[c], [u[j] for j in group], [reference[j] for j in group]
        p0, r0 = ([a - (w * a).sum() for a in v] for v in (p, r))
        whole_u, whole = (list(v - (w * v).sum() / len(FIELDS)) for v in (u, reference))
        square = sum((w * (a - b) ** 2).sum() for a, b in zip(p, r, strict=True))
        with np.errstate(divide="ignore"):
            table = {
                "rmse": math.sqrt((w * e**2).sum()),
                "nrmse": math.sqrt(square / sum((w * a**2).sum() for a in r)),
                "vrmse": np.sqrt(square / np.float64(sum((w * a**2).sum() for a in r0))),
                "mae": (w * abs(e)).sum(),
                "symmetric_nrmse": 2
                * math.sqrt(square)
                / sum(math.sqrt(sum((w * a**2).sum() for a in v)) for v in (p, r)),
                "relative_l1": sum((w * abs(a - b)).sum() for a, b in zip(p, r, strict=True))
                / sum((w * abs(a)).sum() for a in r),
                "bias": (w * e).sum(),
                "boundary_rmse": edge_rmse(e),
                "max_error": abs(e).max(),
                "correlation": mean_correlation(p0, r0, w),
                "correlation_all": mean_correlation(whole_u, whole, w),
            }
        values.append(table[name])
    return values


def slow_spectral(name, u, reference, problem):
    """The spectral measures of one frame, from sums over all complex modes; bounded axes are reflected by hand."""
    grid = problem.grid
    modes = {"periodic": 0, "cells": 0, "nodes": 1}
    lengths = [
        length * (1 if layout == "periodic" else 2) for length, layout in zip(grid.extent, grid.layout, strict=True)
    ]

    def transform(v):
        for axis, layout in enumerate(grid.layout):
            if layout != "periodic":
                back = np.flip(v, axis)
                if modes[layout]:
                    back = np.delete(back, [0, back.shape[axis] - 1], axis)
                v = np.concatenate([v, back], axis)
        return np.fft.fftn(v) / v.size

    shape = transform(u[0]).shape
    k = np.sqrt(sum(np.square(m) for m in np.meshgrid(
        *(np.fft.fftfreq(n, 1 / n) * 2 * math.pi / length for n, length in zip(shape, lengths, strict=True)),
        indexing="ij")))  # fmt: skip
    spacing = 2 * math.pi / max(lengths)
    shell = np.floor(k / spacing + 0.5).astype(int)

    def sums(a, b):
        product = (a * b.conj()).real
        return np.array([product[shell == j].sum() for j in range(shell.max() + 1)])

    values = []
    for c, field in enumerate(FIELDS):
        group = [j for j, other in enumerate(FIELDS) if other.group == field.group]
        hats = [(transform(u[j]), transform(reference[j])) for j in group]
        error = sum(sums(a - b, a - b) for a, b in hats)
        square_u, square_r = (sum(sums(pair[i], pair[i]) for pair in hats) for i in (0, 1))
        own_u, own_r = transform(u[c]), transform(reference[c])
        own_error, e_u, e_r = (sums(v, v) for v in (own_u - own_r, own_u, own_r))
        rho = sum(sums(a, b) for a, b in hats) / np.sqrt(square_u * square_r)
        bands = {"low": slice(0, 4), "middle": slice(4, 12), "mid": slice(4, 12), "high": slice(12, None)}
        kind, _, band = name.partition("_")
        if name == "energy_spectrum":
            values.append(e_u / 2)
        elif name == "spectral_nrmse":
            values.append(np.sqrt(error / square_r))
        elif name == "coherence":
            values.append(rho)
        elif name == "coherent_wavenumber":
            known, line = (
                [(0.0, 1.0)],
                [(j * spacing, rho[j]) for j in range(1, len(rho)) if square_r[j] > 1e-7 * max(square_r)],
            )
            for at, value in line:
                if value < 0.5:
                    before, high = known[-1]
                    values.append(before + (at - before) * (high - 0.5) / (high - value))
                    break
                known.append((at, value))
            else:
                values.append(spacing * (len(rho) - 1))
        elif name == "log_spectral_distance":
            kept = e_r > 1e-7 * max(e_r)
            values.append(math.sqrt(np.mean(np.log10(e_u[kept] / e_r[kept]) ** 2)))
        elif name == "relative_h1":
            weigh = [sum(((1 + k**2) * abs(v) ** 2).sum() for v in part) for part in
                     ([a - b for a, b in hats], [b for _, b in hats])]  # fmt: skip
            values.append(math.sqrt(weigh[0] / weigh[1]))
        elif kind == "frmse":
            chosen = np.sqrt(own_error[bands[band]])
            values.append(chosen.mean() if len(chosen) else 0.0)
        else:
            values.append(math.sqrt(own_error[bands[band]].sum()))
    return np.array(values)


def edge_rmse(e):
    """Root mean square of the four sides of a rectangle, corners once."""
    at = (
        {(i, j) for i in range(e.shape[0]) for j in range(e.shape[1]) if i in (0, e.shape[0] - 1)}
        if e.ndim == 2
        else ()
    )
    at = {*at, *((i, j) for i, j in np.ndindex(e.shape) if j in (0, e.shape[1] - 1))} if e.ndim == 2 else ()
    return math.sqrt(np.mean([e[place] ** 2 for place in at])) if at else math.nan


def mean_correlation(p, r, w):
    """Joint correlation of the components, each scaled by the norms of the whole group."""
    cross = sum((w * a * b).sum() for a, b in zip(p, r, strict=True))
    with np.errstate(invalid="ignore"):
        return cross / np.sqrt(sum((w * a**2).sum() for a in p) * sum((w * b**2).sum() for b in r))


@pytest.mark.parametrize("measure, name", pairs())
class TestPromises:
    def test_dims(self, measure, name):
        u, reference = fields_on(GRIDS[name])
        result = measure.function(u, reference, problem_on(GRIDS[name]))
        assert result.shape[:4] == (2, 3, 4, len(FIELDS)) and result.ndim == len(measure.dims)
        without_members = measure.function(u[1], reference, problem_on(GRIDS[name]))
        torch.testing.assert_close(without_members, result[1], rtol=1e-12, atol=1e-14)

    def test_perfect_on_itself(self, measure, name):
        perfect = wavenumbers(GRIDS[name])[-1] if measure.ten_percent is None else measure.perfect
        for dtype in (torch.float32, torch.float64):
            _, reference = fields_on(GRIDS[name], dtype=dtype)
            for offset in (0, 300):  # kelvin, say
                result = measure.function((reference + offset)[None], reference + offset, problem_on(GRIDS[name]))
                assert perfect is None or (result == perfect).all(), (dtype, offset)

    def test_units(self, measure, name):
        u, reference = fields_on(GRIDS[name])
        problem = problem_on(GRIDS[name])
        result = measure.function(u, reference, problem)
        in_other_unit = measure.function(1000 * u, 1000 * reference, problem)
        torch.testing.assert_close(in_other_unit, 1000**measure.unit_power * result, rtol=1e-9, atol=1e-12)

    def test_batch_order_is_irrelevant(self, measure, name):
        u, reference = fields_on(GRIDS[name])
        problem, order = problem_on(GRIDS[name]), torch.tensor([2, 0, 1])
        shuffled = measure.function(u[:, order], reference[order], problem)
        expected = measure.function(u, reference, problem)[:, order]
        torch.testing.assert_close(shuffled, expected, rtol=1e-12, atol=1e-13)

    def test_a_bad_value_is_never_hidden(self, measure, name):
        u, reference = fields_on(GRIDS[name])
        clean = measure.function(u, reference, problem_on(GRIDS[name]))
        hit = torch.zeros_like(clean, dtype=torch.bool)
        hit[1, 2, 3, 0 if measure.name != "correlation_all" else slice(None)] = True
        for bad in (math.nan, math.inf, -math.inf, 1e300):
            u[1, 2, 3, 0].view(-1)[-1] = bad
            result = measure.function(u, reference, problem_on(GRIDS[name]))
            if abs(bad) < math.inf and measure.name in ("mae", "max_error", "relative_l1", "bias"):
                assert (result[hit] > 1e290).all(), bad  # no square, no overflow: a finite value that is not overlooked
            else:
                assert (result[hit] == measure.worst).all(), bad
            torch.testing.assert_close(result[~hit], clean[~hit], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("measure, name", pairs())
def test_agrees_with_a_slow_implementation(measure, name):
    again = slow_spectral if measure.whole_box else slow
    u, reference = fields_on(GRIDS[name])
    result = measure.function(u, reference, problem_on(GRIDS[name]))
    for at in ((0, 1, 2), (1, 0, 3)):
        expected = again(measure.name, u[at].numpy(), reference[at[1:]].numpy(), problem_on(GRIDS[name]))
        torch.testing.assert_close(result[at], torch.as_tensor(np.array(expected)), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("measure", CATALOGUE, ids=lambda m: m.name)
def test_a_ten_percent_error_reads_as_declared(measure):
    problem, reference = checkerboard(measure.axes)
    result = measure.function(1.1 * reference[None], reference, problem)
    if measure.name in ("spectral_nrmse", "coherence"):
        filled = MEASURES["spectral_nrmse"].function(torch.zeros_like(reference), reference, problem) > 0
        assert filled.sum() == 2 * 3 * len(FIELDS)  # one shell in each
        result = result[filled[None]]
    elif "shell" in measure.dims:
        result = result.sum(-1)
    expected = wavenumbers(problem.grid)[-1].item() if measure.ten_percent is None else measure.ten_percent
    torch.testing.assert_close(result, torch.full_like(result, expected), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "measure", [m for m in CATALOGUE if m.unit_power == 0 and m.axes != "bounded"], ids=lambda m: m.name
)
def test_a_ten_percent_error_of_any_field_reads_as_declared(measure):
    grid = GRIDS["periodic 2-D, odd and oblong"]
    _, reference = fields_on(grid)
    reference = reference - reference.mean((-2, -1), keepdim=True)
    reference = reference - reference.mean(-3, keepdim=True) if measure.name == "correlation_all" else reference
    result = measure.function(1.1 * reference[None], reference, problem_on(grid))
    if "shell" in measure.dims:
        result = result[..., 1:-1]  # the mean is zero, and rounding over rounding means nothing
    expected = wavenumbers(grid)[-1].item() if measure.ten_percent is None else measure.ten_percent
    torch.testing.assert_close(result, torch.full_like(result, expected), rtol=1e-9, atol=1e-9)


def test_values_outside_the_mask_are_never_looked_at():
    grid = Grid((6, 5), (1.0, 1.0), layout=("nodes", "cells"))
    problem = problem_on(grid)
    u, reference = fields_on(grid)
    mask = (torch.rand(3, len(FIELDS), 6, 5, dtype=torch.float64) > 0.4).double()
    outside = (mask == 0).unsqueeze(1).expand_as(reference)
    for measure in CATALOGUE:
        if measure.axes == "periodic":
            continue
        if not measure.suits(problem, masked=True):
            with pytest.raises(ValueError, match="a whole box"):
                measure.function(u, reference, problem, mask)
            continue
        clean = measure.function(u, reference, problem, mask)
        dirty_u, dirty = u.clone(), reference.clone()
        dirty_u[:, outside], dirty[outside] = math.nan, math.inf
        torch.testing.assert_close(measure.function(dirty_u, dirty, problem, mask), clean, rtol=1e-12, atol=0)
        full = measure.function(u, reference, problem, torch.ones_like(mask))
        torch.testing.assert_close(full, measure.function(u, reference, problem), rtol=1e-10, atol=1e-13)
