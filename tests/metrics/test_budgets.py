"""Budgets: the terms are what the equation does to an integral, and an imbalance is what it does not."""

import math
from inspect import isabstract

import pytest
import torch

from pdekit import pdes
from pdekit.calculus import Fourier
from pdekit.fields import Grid, Problem
from pdekit.metrics.budgets import budgets, imbalance
from pdekit.pdes import Burgers, Diffusion, KuramotoSivashinsky, NavierStokes2D, NavierStokes3D, StirredFlow2D
from pdekit.solvers import etdrk

BOX = 2 * math.pi
EQUATIONS = [
    (Burgers(viscosity=0.3), 1),
    (Diffusion(diffusivity=0.2), 3),
    (KuramotoSivashinsky(viscosity=0.7), 1),
    (NavierStokes2D(viscosity=0.05), 2),
    (NavierStokes2D(viscosity=0.05, drag=0.3, forcing=1.7, wavenumber=2), 2),
    (StirredFlow2D(viscosity=0.05, drag=0.3, forcing=1.7, wavenumber=2.0), 2),
    (NavierStokes3D(viscosity=0.1), 3),
]


def smooth(pde, grid, batch=2):
    """A random field of the lowest modes: products of three of them have no aliasing."""
    x = grid.mesh()
    generator = torch.Generator().manual_seed(1)
    u = torch.zeros(batch, len(pde.fields), *grid.shape, dtype=torch.float64)
    for _ in range(4):
        amplitude, phase = torch.randn(2, batch, len(pde.fields), *[1] * grid.ndim, dtype=torch.float64,
                                       generator=generator)  # fmt: skip
        m = torch.randint(-2, 3, (grid.ndim,), generator=generator)
        u = u + amplitude * torch.cos(sum(int(k) * axis for k, axis in zip(m, x, strict=True)) + phase)
    if isinstance(pde, NavierStokes3D):
        d = Fourier(grid)
        u = pde.solenoidal(d.field(u), d).samples
    return u - u.mean(tuple(range(2, u.ndim)), keepdim=True) if isinstance(pde, NavierStokes2D) else u


@pytest.mark.parametrize("pde, ndim", EQUATIONS, ids=lambda v: getattr(type(v), "__name__", str(v)))
def test_the_rates_are_what_the_equation_does_to_what_is_stored(pde, ndim):
    grid = Grid((12,) * ndim, (BOX,) * ndim)
    u, d = smooth(pde, grid), Fourier(grid)
    change = pde.rhs(d.field(u), d).samples
    for name, budget in pde.budgets(u, grid).items():
        ahead, behind = (pde.budgets(u + sign * change, grid)[name].stored for sign in (1, -1))
        rate = (ahead - behind) / 2  # exact for what is quadratic
        torch.testing.assert_close(sum(budget.rates.values()), rate, rtol=1e-10, atol=1e-10)
        assert (budget.stored > 0).all() and (budget.rates["dissipation"] < 0).all()


def test_which_equations_declare_them():
    declared = {
        name
        for name, value in vars(pdes).items()
        if isinstance(value, type) and issubclass(value, pdes.PDE) and not isabstract(value)
        and value.budgets is not pdes.PDE.budgets
    }  # fmt: skip
    between_walls = {"RayleighBenard"}  # its budgets have a test of their own: tests/pdes/test_incompressible_flow.py
    assert declared == {type(pde).__name__ for pde, _ in EQUATIONS} | between_walls


def problem_of(pde, grid, dt, **options):
    return Problem(grid, pde.fields, dt=dt, n_frames=5, pde=pde, **options)


def test_the_imbalance_of_a_solution_falls_with_the_square_of_the_distance_of_frames():
    pde, grid = NavierStokes2D(viscosity=0.02, drag=0.1, forcing=1.0, wavenumber=2), Grid((24, 24), (BOX, BOX))
    shares = []
    for dt, before in ((0.1, 1), (0.05, 2), (0.025, 4)):  # the frame at t = 0.1
        step, frames = etdrk(pde, grid, 0.025), [smooth(pde, grid)]
        for _ in range(before + 1):
            u = frames[-1]
            for _ in range(round(dt / 0.025)):
                u = step(u)
            frames.append(u)
        found = budgets(torch.stack(frames, 1), problem_of(pde, grid, dt))
        assert set(found) == {"energy", "enstrophy"}
        share = []
        for stored, rates in found.values():
            wrong, scale = imbalance(stored, rates, dt)
            assert wrong.shape == (2, before)
            share.append((wrong / scale).abs()[:, -1].max().item())
        shares.append(max(share))
    assert shares[0] < 0.05
    assert shares[0] / shares[1] == pytest.approx(4, rel=0.1) and shares[1] / shares[2] == pytest.approx(4, rel=0.1)


def test_a_wrong_viscosity_is_an_imbalance_of_its_size():
    dt, x = 1e-3, Grid((16,), (BOX,)).coordinates(0)
    u = torch.stack([math.exp(-3.0 * n * dt) * torch.sin(x) for n in range(3)])[None, :, None]  # diffusivity 3
    problem = problem_of(Diffusion(diffusivity=1.0), Grid((16,), (BOX,)), dt)
    stored, rates = budgets(u, problem)["variance"]
    wrong, scale = imbalance(stored, rates, dt)
    assert (wrong / scale).item() == pytest.approx(-2, rel=1e-4)  # -6 E instead of -2 E


def test_parameters_and_steps_may_vary():
    dt, nu = torch.tensor([[0.01, 0.02], [1.0, 0.5]], dtype=torch.float64)
    grid, x = Grid((16,), (BOX,)), Grid((16,), (BOX,)).coordinates(0)
    u = torch.stack([torch.stack([math.exp(-0.01 * n) * torch.sin(x) for n in range(3)])] * 2)[:, :, None]
    problem = problem_of(Diffusion(), grid, 0.01, params=("dt", "diffusivity"))
    params = torch.stack([dt, nu], 1)
    stored, rates = budgets(u, problem, params)["variance"]
    wrong, scale = imbalance(stored, rates, problem.at(params)[2])
    assert ((wrong / scale).abs() < 1e-4).all()


def test_divergence_is_never_hidden():
    pde, grid = NavierStokes2D(viscosity=0.1), Grid((8, 8), (BOX, BOX))
    u = torch.randn(2, 5, 1, 8, 8, dtype=torch.float64)
    u[1, 2, 0, 3, 3] = math.nan
    for stored, rates in budgets(u, problem_of(pde, grid, 0.1)).values():
        assert stored.isinf().nonzero().tolist() == [[1, 2]]
        wrong, _ = imbalance(stored, rates, 0.1)
        assert wrong.isinf().tolist() == [[False] * 3, [True] * 3]
