"""Every statistic keeps its promises, and a window does not care in which pieces its frames come."""

import math

import numpy as np
import pytest
import torch

from pdekit.fields import Field, Grid, Points, Problem
from pdekit.metrics import statistics
from pdekit.metrics.shells import Shells
from pdekit.metrics.spectra import log_spectral_distance
from pdekit.metrics.statistics import (
    STATISTICS,
    Window,
    descriptions,
    dimension,
    frequency_spectral_distance,
    invariant_measure_distance,
    one_point_wasserstein,
    points_of,
    time_mean_spectral_distance,
)
from pdekit.metrics.sums import FieldSums, Sums

GRIDS = {
    "periodic 1-D": Grid((12,), (3.0,)),
    "periodic 2-D, odd and oblong": Grid((7, 10), (1.0, 2.5)),
    "cells and nodes": Grid((6, 9), (2.0, 1.0), layout=("cells", "nodes")),
    "ODE": Grid((), ()),
    "mesh": Points(2, 17),
}
FIELDS = (Field("density", "kg"), Field("u_x", "m/s", vector="velocity"), Field("u_y", "m/s", vector="velocity"))
N_FRAMES = 20


def problem_on(grid):
    return Problem(grid, FIELDS, dt=0.5, n_frames=5)


def window(u, grid, mask=None, cuts=()):
    """Statistics of frames that come in pieces."""
    problem = problem_on(grid)
    spectral = isinstance(grid, Grid) and bool(grid.shape) and mask is None
    found = Window(problem, points_of(problem, len(u), u.shape[1], mask), spectral, mask)
    for start, stop in zip((0, *cuts), (*cuts, u.shape[1]), strict=True):
        found.update(Sums(u[:, start:stop], problem, mask))
    return found


def pairs():
    return [
        pytest.param(m, GRIDS[name], id=f"{m.name}, {name}")
        for m in STATISTICS
        for name in GRIDS
        if not (m.whole_box and name in ("ODE", "mesh"))
    ]


def fields_on(grid, batch=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    reference, noise = torch.randn(2, batch, N_FRAMES, len(FIELDS), *grid.shape, dtype=torch.float64,
                                   generator=generator)  # fmt: skip
    return reference + 0.3 * noise, reference


def slow(name, u, reference, grid, points):
    """The statistics of one trajectory once more, from their definitions, in NumPy; a list over fields."""
    problem = problem_on(grid)
    w = grid.weights().numpy() if isinstance(grid, Grid) else np.ones(grid.shape)
    w = w / w.sum()

    def series(v, c):
        return v[:, c].reshape(len(v), -1)[:, points[c]]  # "time point"

    def decades(a, b):
        keep = b > 1e-7 * b.max()
        return math.sqrt(np.mean(np.log10(a[keep] / b[keep]) ** 2))

    def spectrum(v):
        n = len(v)
        window = np.sin(math.pi * (np.arange(n) + 0.5) / n) ** 2
        window /= math.sqrt((window**2).mean())
        power = np.zeros(n // 2 + 1)
        for x in (v - v.mean(0)).T:
            for j in range(-(n // 2) + 1, n // 2 + 1):
                mode = (window * x * np.exp(-2j * math.pi * j * np.arange(n) / n)).mean()
                power[abs(j)] += abs(mode) ** 2 / 2 / v.shape[1]
        return power

    values = []
    for c in range(len(FIELDS)):
        a, b = series(u, c), series(reference, c)
        if name == "time_mean_rmse":
            values.append(math.sqrt((w * (u[:, c].mean(0) - reference[:, c].mean(0)) ** 2).sum()))
        elif name == "one_point_wasserstein":  # the integral of the difference of the distribution functions
            at = np.sort(np.concatenate([a.ravel(), b.ravel()]))
            below = [np.searchsorted(np.sort(v.ravel()), at[:-1], side="right") / v.size for v in (a, b)]
            values.append((np.abs(below[0] - below[1]) * np.diff(at)).sum())
        elif name == "frequency_spectral_distance":
            values.append(decades(spectrum(a), spectrum(b)))
        elif name == "time_mean_spectral_distance":
            shells = [np.mean([Sums(torch.from_numpy(v)[None, t : t + 1], problem).power[0, 0, c].numpy()
                               for t in range(len(v))], 0) for v in (u, reference)]  # fmt: skip
            values.append(decades(*shells))
    return values


class TestPromises:
    @pytest.mark.parametrize("measure, grid", pairs())
    def test_perfect_on_itself(self, measure, grid):
        _, reference = fields_on(grid)
        a, b = window(reference, grid, cuts=(7,)), window(reference, grid, cuts=(7,))
        assert (measure.function(a, b) == 0).all()
        assert measure.function(a, b).shape == ((3,) if measure.joint else (3, len(FIELDS)))

    @pytest.mark.parametrize("measure, grid", pairs())
    def test_units(self, measure, grid):
        values = []
        for scale in (1, 1000):
            values.append(measure.function(*(window(scale * v, grid) for v in fields_on(grid))))
        torch.testing.assert_close(values[1], 1000**measure.unit_power * values[0], rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("measure, grid", pairs())
    def test_batch_order_is_irrelevant(self, measure, grid):
        order = torch.tensor([2, 0, 1])
        expected = measure.function(*(window(v, grid) for v in fields_on(grid)))
        shuffled = measure.function(*(window(v[order], grid) for v in fields_on(grid)))
        torch.testing.assert_close(shuffled, expected[order], rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
    @pytest.mark.parametrize("measure, grid", pairs())
    def test_a_bad_value_is_never_hidden(self, measure, grid, bad):
        u, reference = fields_on(grid)
        clean = measure.function(window(u, grid), window(reference, grid))
        u[1, 3, 0] = bad  # everywhere in space: only so much is seen of space
        result = measure.function(window(u, grid), window(reference, grid))
        hit = torch.zeros_like(result, dtype=torch.bool)
        hit[1, ... if measure.joint else 0] = True
        if abs(bad) < math.inf and measure.name in ("one_point_wasserstein", "invariant_measure_distance"):
            assert (result[hit] > 1e290).all()  # no square: a finite value that is not overlooked
        else:
            assert result[hit].isinf().all()
        torch.testing.assert_close(result[~hit], clean[~hit], rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("measure, grid", [p for p in pairs() if not p.values[0].joint])
    def test_agrees_with_a_slow_implementation(self, measure, grid):
        u, reference = fields_on(grid)
        a, b = window(u, grid, cuts=(5, 6)), window(reference, grid, cuts=(11,))
        result = measure.function(a, b)
        for sample in (0, 2):
            expected = slow(measure.name, u[sample].numpy(), reference[sample].numpy(), grid, a.points[sample].numpy())
            torch.testing.assert_close(
                result[sample], torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-12
            )

    @pytest.mark.parametrize("measure", STATISTICS, ids=lambda m: m.name)
    def test_a_ten_percent_error_reads_as_declared(self, measure):
        grid = Grid((4, 6), (1.0, 1.0))
        signs = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(12).reshape(4, 6)
        in_time = signs.flatten()[:, None, None, None].repeat(2, 1, 1, 1)[:N_FRAMES]
        reference = (signs if measure.name == "time_mean_rmse" else in_time * signs).expand(2, N_FRAMES, 3, 4, 6)
        result = measure.function(window(1.1 * reference, grid), window(reference, grid))
        torch.testing.assert_close(result, torch.full_like(result, measure.ten_percent), rtol=1e-9, atol=1e-12)


def test_pieces_and_halves_do_not_matter():
    grid = GRIDS["periodic 2-D, odd and oblong"]
    u, reference = fields_on(grid)
    whole, pieces = window(u, grid), window(u, grid, cuts=(1, 9))
    halves = window(u[:, :10], grid).joined(window(u[:, 10:], grid, cuts=(4,)))
    for other in (pieces, halves):
        for measure in STATISTICS:
            expected = measure.function(whole, window(reference, grid))
            torch.testing.assert_close(
                measure.function(other, window(reference, grid)), expected, rtol=1e-9, atol=1e-12
            )
        for name, value in descriptions(other).items():
            torch.testing.assert_close(value, descriptions(whole)[name])


def test_a_forecast_shares_its_transforms(monkeypatch):
    grid = GRIDS["periodic 1-D"]
    u, reference = fields_on(grid)
    problem = problem_on(grid)
    known = Sums(reference, problem)
    pair = FieldSums(u, known).forecast
    found = Window(problem, points_of(problem, 3, N_FRAMES), spectral=True)
    _ = pair.power
    monkeypatch.setattr(Shells, "transform", None)
    found.update(pair, slice(4, None))
    assert found.n_frames == N_FRAMES - 4
    torch.testing.assert_close(found.mean, u[:, 4:].mean(1))
    torch.testing.assert_close(found.spectrum, pair.power[:, 4:].mean(1))


def test_statistics_inside_a_mask():
    grid = GRIDS["cells and nodes"]
    u, reference = fields_on(grid)
    mask = (
        torch.rand(3, len(FIELDS), 6, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) > 0.6
    ).double()
    outside = (mask == 0).unsqueeze(1).expand_as(u)
    for measure in STATISTICS:
        if measure.whole_box:
            continue
        clean = measure.function(window(u, grid, mask), window(reference, grid, mask))
        dirty = [v.masked_fill(outside, math.nan) for v in (u, reference)]
        torch.testing.assert_close(measure.function(*(window(v, grid, mask) for v in dirty)), clean)


class TestPoints:
    def test_they_are_distinct_inside_and_the_same_for_all(self):
        problem = problem_on(Grid((16, 16), (1.0, 1.0)))
        points = points_of(problem, 2, 40)
        assert points.shape == (2, 3, 64) and all(len(set(p.tolist())) == 64 for p in points.flatten(0, 1))
        assert (points == points[:1, :1]).all() and (points_of(problem, 1, 40) == points[:1]).all()
        mask = torch.zeros(2, 3, 16, 16)
        mask[0, :, :8], mask[1, 1:, 3] = 1, 1
        mask[1, 0, 5, 5:7] = 1
        inside = points_of(problem, 2, 40, mask)
        assert inside.shape == (2, 3, 2) and set(inside[1, 0].tolist()) == {85, 86}
        assert (mask.flatten(2).gather(-1, inside) == 1).all()

    def test_long_windows_have_fewer(self):
        assert points_of(problem_on(Grid((16, 16), (1.0, 1.0))), 1, statistics.VALUES // 5).shape[-1] == 5
        assert points_of(problem_on(Grid((16, 16), (1.0, 1.0))), 1, 10**6).shape[-1] == 1

    def test_the_wave_of_a_forcing_is_seen(self):
        grid = Grid((32, 32), (2 * math.pi,) * 2)
        wave = torch.sin(4 * grid.mesh()[1]).expand(1, N_FRAMES, 3, 32, 32)
        series = window(wave, grid).series
        assert series.std() == pytest.approx(math.sqrt(0.5), rel=0.15)  # every eighth point would see none


def test_the_mean_of_many_frames_is_that_of_doubles():
    grid = Grid((16,), (1.0,))
    problem = problem_on(grid)
    u = 300 + torch.randn(2, 4096, len(FIELDS), 16, generator=torch.Generator().manual_seed(0))
    at_once, in_blocks = (Window(problem, points_of(problem, 2, 4096)) for _ in range(2))
    at_once.update(Sums(u, problem))
    for start, stop in ((0, 0), (0, 3), (3, 70), (70, 71), (71, 135), (135, 4096)):
        in_blocks.update(Sums(u[:, :stop], problem), slice(start, None))
        _ = in_blocks.mean
    mixed = Window(problem, points_of(problem, 2, 4096))
    mixed.update(Sums(u[:, :5], problem))
    mixed.update(Sums(u[:, 5:].double(), problem))
    for window_ in (at_once, in_blocks, mixed):
        torch.testing.assert_close(window_.mean, u.double().mean(1), rtol=0, atol=1e-10)
        assert window_.n_frames == 4096 and window_.series.shape[-1] == 4096


def test_what_only_statistics_see():
    # the same distribution in another order, and another distribution with the same mean and variance
    grid, n = Grid((8,), (1.0,)), 400
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(1, n, 3, 8, dtype=torch.float64, generator=generator)
    two = torch.where(normal > 0, 1.0, -1.0).double()
    order = torch.randperm(n, generator=generator)
    same = [window(normal, grid), window(normal[:, order], grid)]
    assert (one_point_wasserstein(*same) == 0).all() and (invariant_measure_distance(*same) == 0).all()
    other = one_point_wasserstein(window(two, grid), window(normal, grid))
    # the integral of the difference of the distribution functions
    z = np.linspace(-8, 8, 100001)
    exact = np.abs(0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2))) - np.where(z < -1, 0, np.where(z < 1, 0.5, 1)))
    assert other.mean().item() == pytest.approx(exact.sum() * (z[1] - z[0]), abs=0.03)


def test_dimension_of_states_and_divergence():
    n = 600
    t = torch.rand(n, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 * math.pi
    circle = torch.stack([t.cos(), 5 * t.sin(), torch.ones(n, dtype=torch.float64)], 1)
    still, bad = torch.ones(n, 3, dtype=torch.float64), circle.clone()
    bad[7, 1] = math.nan
    found = dimension(window(torch.stack([circle, still, bad]), Grid((), ())))
    assert found[0].item() == pytest.approx(1, abs=0.1) and found[1] == 0 and found[2] == math.inf


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_an_empty_shell_is_infinitely_far(offset, dtype):
    """The rounding of the forecast's transform stood for what it does not have: a finite number of decades."""
    grid = Grid((64,), (2 * math.pi,))
    x, t = grid.coordinates(0), torch.arange(N_FRAMES)[:, None]
    low, high = torch.sin(3 * x + 0.1 * t), torch.cos(9 * x - 0.2 * t)
    reference, smooth, weak = (offset + low + a * high for a in (1.0, 0.0, 0.1))
    frames = [v.to(dtype)[None, :, None].expand(-1, -1, 3, -1) for v in (reference, smooth, weak)]
    of_reference, of_smooth, of_weak = (window(u, grid) for u in frames)
    assert (time_mean_spectral_distance(of_smooth, of_reference) == math.inf).all()
    mean = frames[0].mean(1, keepdim=True).expand_as(frames[0])
    assert (time_mean_spectral_distance(of_weak, of_reference) < 3).all()
    assert (frequency_spectral_distance(window(mean, grid), of_reference) == math.inf).all()
    log_distance = log_spectral_distance(frames[1], frames[0], problem_on(grid))
    assert (log_distance == math.inf).all()
