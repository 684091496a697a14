"""Potentials and waves of random sources: the equation holds, ends are kept, grids agree."""

import numpy as np
import pytest
import torch

from pdekit.calculus import Autodiff, FiniteDifference
from pdekit.cases.media import CosineField
from pdekit.cases.random_source import RandomSource
from pdekit.fields import Grid
from pdekit.pdes import Helmholtz, Poisson
from pdekit.recipes.cases import SolvedRecipe

FIELD = CosineField(modes=12)
CASES = {
    "poisson": RandomSource(FIELD, intervals=48),
    "helmholtz": RandomSource(FIELD, wavenumber=3.0, intervals=48),
    "insulated": RandomSource(FIELD, ends="neumann", intervals=48),
}


def square(n):
    return Grid((n, n), (1.0, 1.0), layout=("nodes", "nodes"))


@pytest.mark.parametrize("pde", [Poisson(), Helmholtz(2.5)])
def test_a_mode_satisfies_the_equation(pde):
    """Through Autodiff, at random points: rounding only."""
    draw = torch.Generator().manual_seed(0)
    x, y, t = (torch.rand(50, 1, dtype=torch.float64, generator=draw).requires_grad_() for _ in range(3))
    u = torch.sin(torch.pi * x) * torch.sin(2 * torch.pi * y)
    square_of_k = pde.wavenumber**2 if isinstance(pde, Helmholtz) else 0.0
    d = Autodiff((x, y, t))
    d.coeffs = {"source": (square_of_k - 5 * torch.pi**2) * u.detach()}
    assert float(pde.residual(u, d).detach().abs().max()) < 1e-11 * 5 * torch.pi**2


@pytest.mark.parametrize("name", CASES)
def test_the_solution_obeys_equation_and_ends(name):
    """The residual in the middle falls with the square of the stored spacing; the solver's own grid is the finer."""
    case, sizes = CASES[name], []
    drawn = case.draw(np.random.default_rng(0))
    for n in (25, 49):
        solved = case.solve(drawn, square(n))
        u, a = torch.from_numpy(solved.u), torch.from_numpy(solved.coeffs)[None]
        d = FiniteDifference(square(n), order=2, coeffs={"source": a})
        inside = slice(n // 4, -(n // 4))
        sizes.append(float(case.pde.residual(d.field(u), d)[..., inside, inside].abs().max() / a.abs().max()))
    assert sizes[0] < 0.05 and sizes[1] < 1e-9  # the finer is the solver's own grid
    if case.ends == "dirichlet":
        assert not u[..., 0, :].any() and not u[..., -1].any() and float(u.abs().max()) > 0.005
    else:
        assert abs(float((u[0, 0] * square(49).weights()).sum())) < 1e-12


def test_the_error_of_the_solver_is_of_second_order():
    drawn = CASES["helmholtz"].draw(np.random.default_rng(1))
    one, two, four = (CASES["helmholtz"].solve(drawn, square(13), factor).u for factor in (1.0, 2.0, 4.0))
    assert 3.5 < np.linalg.norm(one - four) / np.linalg.norm(two - four) - 1 < 4.5


def test_other_ends_and_grids_are_refused():
    with pytest.raises(ValueError, match="ends among"):
        RandomSource(FIELD, ends="open")
    with pytest.raises(ValueError, match="layout nodes"):
        CASES["poisson"].solve(CASES["poisson"].draw(np.random.default_rng(0)), Grid((9, 9), (1.0, 1.0)))


def test_a_boundary_of_other_ends_than_the_case_is_refused():
    grid = square(9)
    count = dict.fromkeys(("train", "valid", "test"), 1)
    options = {"name": "insulated", "grid": grid, "n_trajectories": count, "case": CASES["insulated"]}
    SolvedRecipe(**options, boundary=[["neumann", "neumann"]] * 2)
    with pytest.raises(ValueError, match="neumann on all sides, as the ends of the case say, got 'dirichlet 0'"):
        SolvedRecipe(**options, boundary=[["neumann", "neumann"], ["neumann", "dirichlet"]])
