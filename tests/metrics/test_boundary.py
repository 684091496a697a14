"""Violations at the ends of bounded axes: conditions known in numbers, on nodes and on cells."""

import math

import pytest
import torch

from pdekit.fields import Field, Grid, Points, Problem
from pdekit.metrics.boundary import EndInputs, boundary_violation, known_ends, named_forcing

FIELDS = (Field("u", "K"), Field("v", "K"))


def problem_on(grid, *boundary):
    return Problem(grid, FIELDS, dt=1.0, n_frames=3, boundary=boundary)


def fields(problem, function):
    values = function(*problem.grid.mesh())
    return torch.stack([values, 2 * values])[None, None].expand(2, 3, -1, *[-1] * problem.grid.ndim)


@pytest.mark.parametrize("layout", ["nodes", "cells", "half_open"])
def test_a_parabola_keeps_its_values_and_slopes(layout):
    n, length = 40, 2.0
    grid = Grid((n,), (length,), (1.0,), (layout,))
    # u = (x - 1)^2: 0 with slope 0 at the lower end, 4 with slope 4 at the upper
    kept = [problem_on(grid, ("dirichlet", "dirichlet 4")), problem_on(grid, ("neumann", "neumann 4"))]
    for problem in kept:
        value = boundary_violation(fields(problem, lambda x: (x - 1) ** 2), problem)
        assert value.shape == (2, 3, 2)
        assert value[0, 0, 0] < 1e-11
    off = problem_on(grid, ("dirichlet 0.3", "open"))
    value = boundary_violation(fields(off, lambda x: (x - 1) ** 2), off)[0, 0]
    assert value.tolist() == pytest.approx([0.3, 0.3], abs=1e-9), "the second field is zero there, too"


def test_a_wrong_slope_counts_as_what_it_makes_over_the_length():
    grid = Grid((30,), (5.0,), layout=("nodes",))
    problem = problem_on(grid, ("neumann", "open"))
    value = boundary_violation(fields(problem, lambda x: 0.2 * x), problem)
    assert value[0, 0].tolist() == pytest.approx([1.0, 2.0])
    outwards = problem_on(grid, ("open", "neumann 0.2"))
    assert boundary_violation(fields(outwards, lambda x: 0.2 * x), outwards)[0, 0, 0].item() == pytest.approx(
        0, abs=1e-9
    )
    lower = problem_on(grid, ("neumann -0.2", "open"))  # outwards is towards smaller x there
    assert boundary_violation(fields(lower, lambda x: 0.2 * x), lower)[0, 0, 0].item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("layout", ["nodes", "cells", "half_open"])
def test_robin_weighs_value_and_slope(layout):
    """u = (x - 1)^2 on (1, 3): u = 4 and du/dn = 4 at the upper end, so that 3 u + 0.5 du/dn = 14."""
    grid = Grid((40,), (2.0,), (1.0,), (layout,))
    for g, missed in ((14.0, 0.0), (15.0, 1 / (3 + 0.5 / 2))):
        problem = problem_on(grid, ("open", f"robin 3 0.5 {g}"))
        value = boundary_violation(fields(problem, lambda x: (x - 1) ** 2), problem)
        assert value[0, 0, 0].item() == pytest.approx(missed, abs=1e-9)


def test_values_that_vary_in_time_and_place():
    grid = Grid((9, 6), (1.0, 1.0), layout=("nodes", "cells"))
    t, y = torch.tensor([[0.0, 1.0, 3.0]] * 2, dtype=torch.float64), grid.coordinates(1)
    signal = Problem(grid, FIELDS, dt=1.0, n_frames=3, boundary=(("dirichlet table 0:0 4:8", "open"), ("wall", "wall")))
    u = (2 * t + 0.5).reshape(2, 3, 1, 1, 1).expand(2, 3, 2, 9, 6)  # the signal is 2 t
    assert torch.allclose(boundary_violation(u, signal, EndInputs(t=t)), torch.tensor(0.5, dtype=torch.float64))
    with pytest.raises(ValueError, match="expected t=, the times of the frames"):
        boundary_violation(u, signal)
    wall, flux = (torch.stack([torch.zeros(9, 6), y.expand(9, 6)]) for _ in range(2))
    kinds = {
        "coeffs": EndInputs(coeffs=wall.expand(2, 2, 9, 6)),
        "forcing": EndInputs(forcing=flux.expand(2, 3, 2, 9, 6)),
    }
    for kind, inputs in kinds.items():
        named = {kind: (Field("other"), Field("hot"))}
        problem = Problem(
            grid, FIELDS, dt=1.0, n_frames=3, boundary=(("open", "dirichlet hot"), ("wall", "wall")), **named
        )
        assert named_forcing(problem) == (kind == "forcing")
        missed = boundary_violation((y + 0.25).expand(2, 3, 2, 9, 6), problem, inputs)
        assert torch.allclose(missed, torch.tensor(0.25, dtype=torch.float64))


def test_all_known_ends_count_alike():
    grid = Grid((5, 6), (1.0, 1.0), layout=("nodes", "cells"))
    problem = problem_on(grid, ("dirichlet", "open"), ("wall", "dirichlet"))
    u = fields(problem, lambda x, y: torch.where(x == 0, 3.0, 0.0) + 0 * y)
    # six points of the lower x end read 3, and of five of the upper y end the corner does
    assert boundary_violation(u, problem)[0, 0, 0].item() == pytest.approx(math.sqrt(7 * 9 / 11))
    assert set(known_ends(problem)) == {(0, 0), (1, -1)}


def test_divergence_and_units():
    problem = problem_on(Grid((9,), (1.0,), layout=("nodes",)), ("dirichlet", "dirichlet"))
    u = torch.randn(2, 3, 2, 9, dtype=torch.float64)
    clean = boundary_violation(u, problem)
    torch.testing.assert_close(boundary_violation(1000 * u, problem), 1000 * clean)
    u[1, 2, 0, 0] = math.nan
    value = boundary_violation(u, problem)
    assert value[1, 2].tolist() == [math.inf, clean[1, 2, 1].item()]


def test_where_it_is_not_defined():
    grid = Grid((9,), (1.0,), layout=("nodes",))
    assert not known_ends(problem_on(grid)) and not known_ends(problem_on(Grid((9,), (1.0,))))
    assert not known_ends(Problem(Points(2, 5), FIELDS))
    with pytest.raises(ValueError, match="expected a boundary with values"):
        boundary_violation(torch.zeros(1, 1, 2, 9), problem_on(grid))
    with pytest.raises(ValueError, match="expected a number or the name of an input field"):
        problem_on(grid, ("dirichlet hot", "open"))
