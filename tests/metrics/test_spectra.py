"""Spectra: Parseval on every kind of grid, known modes, a slow transform, and the defects of others."""

import cmath
import itertools
import math

import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.quadrature import average
from pdekit.metrics.spectra import energy_spectrum, log_spectral_distance, spectral_nrmse, wavenumbers

TWO_PI = 2 * math.pi
GRIDS = [
    Grid((8,), (TWO_PI,)),
    Grid((9,), (3.0,)),
    Grid((8, 8), (1.0, 1.0)),
    Grid((7, 12), (1.0, 2.0)),
    Grid((4, 5, 6), (1.0, 2.0, 1.0)),
    Grid((10,), (1.0,), layout=("cells",)),
    Grid((11,), (1.0,), layout=("nodes",)),
    Grid((6, 7, 5), (1.0, 1.0, 2.0), layout=("nodes", "periodic", "cells")),
]


def problem_on(grid):
    return Problem(grid, (Field("a"), Field("b")), dt=1.0, n_frames=2)


def one(u):
    return u.expand(1, 1, 2, *u.shape)


@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: f"{g.shape} {'/'.join(g.layout)}")
def test_parseval(grid):
    problem = problem_on(grid)
    u = torch.randn(2, 3, 2, *grid.shape, dtype=torch.float64) + 0.5
    spectrum = energy_spectrum(u, None, problem)
    torch.testing.assert_close(spectrum.sum(-1), average(u**2, problem) / 2, rtol=1e-12, atol=0)
    assert spectrum.shape[-1] == len(wavenumbers(grid))


@pytest.mark.parametrize("grid", [GRIDS[1], GRIDS[3], Grid((4, 3, 5), (1.0, 1.0, 2.0))], ids=lambda g: str(g.shape))
def test_agrees_with_a_slow_transform(grid):
    u = torch.randn(*grid.shape, dtype=torch.float64)
    unit = TWO_PI / max(grid.extent)
    expected = [0.0] * len(wavenumbers(grid))
    modes = [range(-(n // 2) if n % 2 else -(n // 2) + 1, n // 2 + 1) for n in grid.shape]
    for mode in itertools.product(*modes):
        k = math.sqrt(sum((TWO_PI * m / length) ** 2 for m, length in zip(mode, grid.extent, strict=True)))
        amplitude = 0
        for point in itertools.product(*(range(n) for n in grid.shape)):
            phase = sum(m * i / n for m, i, n in zip(mode, point, grid.shape, strict=True))
            amplitude += u[point].item() * cmath.exp(-2j * math.pi * phase)
        expected[math.floor(k / unit + 0.5)] += abs(amplitude / u.numel()) ** 2 / 2
    result = energy_spectrum(one(u), None, problem_on(grid))[0, 0, 0]
    torch.testing.assert_close(result, torch.tensor(expected, dtype=torch.float64), rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("sign", [1, -1])
def test_modes_of_mixed_sign_count(sign):
    # PDEBench's bands lose cos(x - y) and keep cos(x + y)
    grid = Grid((16, 16), (TWO_PI, TWO_PI))
    x, y = grid.mesh()
    error = torch.cos(3 * x + sign * 4 * y)
    spectrum = energy_spectrum(one(error), None, problem_on(grid))[0, 0, 0]
    assert spectrum[5].item() == pytest.approx(0.25, rel=1e-13) and spectrum.sum().item() == pytest.approx(0.25)


def test_shells_of_an_oblong_box_are_wavenumbers_not_indices():
    # one wave across the short side of length 1 is as short as four along the side of length 4
    grid = Grid((8, 32), (1.0, 4.0))
    x, y = grid.mesh()
    for wave in (torch.cos(TWO_PI * x), torch.cos(TWO_PI * y)):
        spectrum = energy_spectrum(one(wave), None, problem_on(grid))[0, 0, 0]
        assert wavenumbers(grid)[spectrum.argmax()].item() == pytest.approx(TWO_PI)


def test_a_cosine_on_a_bounded_axis_is_one_mode():
    for layout in ("nodes", "cells"):
        grid = Grid((20,), (2.0,), layout=(layout,))
        u = torch.cos(3 * math.pi * grid.coordinates(0) / 2.0)  # one and a half waves on a length of 2
        spectrum = energy_spectrum(one(u), None, problem_on(grid))[0, 0, 0]
        assert wavenumbers(grid)[spectrum.argmax()].item() == pytest.approx(3 * math.pi / 2)
        assert spectrum.max().item() == pytest.approx(0.25, rel=1e-12)


def test_error_of_one_shell_stays_in_its_shell():
    grid = Grid((32,), (TWO_PI,))
    x = grid.coordinates(0)
    reference = torch.cos(2 * x) + 0.1 * torch.cos(5 * x)
    u = torch.cos(2 * x) + 0.1 * torch.cos(5 * x + math.pi / 3)  # |1 - exp(i pi/3)| = 1
    value = spectral_nrmse(one(u), one(reference), problem_on(grid))[0, 0, 0]
    assert value[5].item() == pytest.approx(1, rel=1e-12) and value[2].item() < 1e-13
    nothing = spectral_nrmse(one(0 * u), one(reference), problem_on(grid))[0, 0, 0]
    assert nothing[[2, 5]].tolist() == pytest.approx([1, 1])


def test_log_spectral_distance():
    grid = Grid((32,), (TWO_PI,))
    x, problem = grid.coordinates(0), problem_on(grid)
    reference = torch.cos(2 * x) + 0.1 * torch.cos(5 * x) + 1e-9 * torch.cos(9 * x)

    def distance(u):
        return log_spectral_distance(one(u), one(reference), problem)[0, 0, 0].item()

    assert distance(torch.cos(2 * x + 1) + 0.1 * torch.cos(5 * x - 2)) == pytest.approx(0, abs=1e-12)  # phases only
    weaker = torch.cos(2 * x) + 0.01 * torch.cos(5 * x) + 1e-9 * torch.cos(9 * x)
    assert distance(weaker) == pytest.approx(2 / math.sqrt(2), rel=1e-9)  # two decades of energy in one of two shells
    assert distance(0 * x) == math.inf
    assert log_spectral_distance(one(x), one(0 * x), problem).isinf().all()
    assert (log_spectral_distance(one(0 * x), one(0 * x), problem) == 0).all()
