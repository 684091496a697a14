"""Every equation through the same tests; what differs stands in catalogue.py."""

import dataclasses
from functools import lru_cache
from math import log2

import numpy as np
import pytest
import torch

from pdekit import pdes
from pdekit.calculus import Autodiff, FiniteDifference, Fourier
from pdekit.fields import Grid
from pdekit.pdes import ConservationLaw
from pdekit.solvers import etdrk, finite_volume
from tests.pdes.catalogue import CASES, smooth
from tests.pdes.naive import RIGHT_HAND_SIDES, Derivatives

SEMILINEAR = [name for name, case in CASES.items() if not isinstance(case.pde, ConservationLaw)]
NONLINEAR = [name for name in SEMILINEAR if CASES[name].pde.degree > 1]
SOLUTIONS = {f"{name}: {solution.name}": (name, solution) for name in CASES for solution in CASES[name].pde.exact()}
FOLLOWED = [key for key, (name, solution) in SOLUTIONS.items() if solution.periodic and name in SEMILINEAR]


def numbers(pde):
    """Names of the parameters that are real numbers."""
    return [f.name for f in dataclasses.fields(pde) if isinstance(getattr(pde, f.name), float)]


@lru_cache(maxsize=64)
def make_step(pde, grid, dt, order=4):
    if isinstance(pde, ConservationLaw):
        return finite_volume(pde, grid, dt)
    return etdrk(pde, grid, dt, order)


def advance(pde, grid, u, dt, n_steps, order=4):
    step = make_step(pde, grid, dt, order)
    state = step.encode(u)
    for _ in range(n_steps):
        state = step.advance(state)
    return step.decode(state)


def relative(a, b):
    return float((a - b).norm() / b.norm())


class Recorder(Fourier):
    """Keeps the auxiliary unknowns that an equation asks for."""

    def poisson(self, name, rhs):
        value = super().poisson(name, rhs)
        self.auxiliary[name] = value.samples
        return value


def recorder(grid):
    d = Recorder(grid)
    d.auxiliary = {}
    return d


def test_the_catalogue_is_complete():
    """Of equations that a step advances; those of bounded problems are tested with their solvers."""
    kinds = (pdes.SemilinearPDE, pdes.ConservationLaw)
    equations = {getattr(pdes, name) for name in pdes.__all__}
    equations = {e for e in equations if isinstance(e, type) and issubclass(e, kinds) and not e.__abstractmethods__}
    assert equations == {type(case.pde) for case in CASES.values()}


@pytest.mark.parametrize("key", SOLUTIONS)
def test_closed_forms_satisfy_their_equation(key):
    """Through Autodiff, at random points and times: rounding only."""
    name, solution = SOLUTIONS[key]
    pde, n = CASES[name].pde, 64
    corner = solution.origin or (0.0,) * solution.ndim
    points = [torch.rand(n, 1, dtype=torch.float64) * a + b for a, b in zip(solution.extent, corner, strict=True)]
    t = (0.05 + 0.95 * torch.rand(n, 1, dtype=torch.float64)) * solution.t_end
    *x, t = (c.requires_grad_() for c in (*points, t))
    u = torch.cat([c.expand(n, 1) for c in solution.evaluate(tuple(x), t)], dim=1)
    d = Autodiff((*x, t), solution.auxiliary(tuple(x), t) if solution.auxiliary else None)
    residual = pde.residual(u, d).detach()
    if isinstance(pde, ConservationLaw):
        terms = [d.t(u), *(d.along(pde.flux(u, axis, d), "xyz"[axis]) for axis in range(d.ndim))]
    else:
        terms = [d.t(u), pde.linear(u, d), pde.nonlinear(u, d)]
    assert float(residual.abs().max()) < 1e-11 * max(float(term.detach().abs().max()) for term in terms)
    assert sorted(d.auxiliary_residuals) == sorted(pde.auxiliary)
    for auxiliary, equation in d.auxiliary_residuals.items():
        assert float(equation.detach().abs().max()) < 1e-11 * float(
            d.laplacian(d.auxiliary[auxiliary]).detach().abs().max()
        )


@pytest.mark.parametrize("key", SOLUTIONS)
def test_closed_forms_are_computed_where_their_coordinates_are(key):
    """On the device "meta", which refuses tensors of another device as a GPU does."""
    _, solution = SOLUTIONS[key]
    *x, t = (torch.ones(8, 1, dtype=torch.float64, device="meta") for _ in range(solution.ndim + 1))
    auxiliary = solution.auxiliary(tuple(x), t).values() if solution.auxiliary else ()
    for channel in (*solution.evaluate(tuple(x), t), *auxiliary):
        assert channel.device.type == "meta" and channel.expand(8, 1).shape == (8, 1)


@pytest.mark.parametrize("key", FOLLOWED)
def test_the_solver_follows_closed_forms(key):
    name, solution = SOLUTIONS[key]
    case = CASES[name]
    shape, dt, tolerance = case.follows[solution.name]
    grid, n_steps = solution.grid(*shape), round(solution.t_end / dt)
    end = advance(case.pde, grid, solution.on(grid, 0.0), dt, n_steps)
    assert relative(end, solution.on(grid, n_steps * dt)) < tolerance + 10 * solution.floor


@pytest.mark.parametrize("name", CASES)
def test_invariants_are_kept(name):
    case = CASES[name]
    u = case.start()
    before = case.pde.invariants(u, case.grid)
    after = case.pde.invariants(advance(case.pde, case.grid, u, case.dt, 20), case.grid)
    for invariant, value in before.items():
        size = value.abs().max() + 1  # all starts are of order one, and so are the boxes
        assert float((after[invariant] - value).abs().max() / size) < 1e-10, invariant


@pytest.mark.parametrize("name", CASES)
def test_dissipated_integrals_never_grow(name):
    case = CASES[name]
    u = case.start()
    for _ in range(3):
        before, u = u, advance(case.pde, case.grid, u, case.dt, 10)
        after = case.pde.dissipated(u, case.grid)
        for quantity, value in case.pde.dissipated(before, case.grid).items():
            assert (after[quantity] < value).all(), quantity


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("name", CASES)
def test_translation_commutes_with_the_step(name):
    case = CASES[name]
    shifts, dims = case.period or (5, 3, 2)[: case.grid.ndim], tuple(range(2, 2 + case.grid.ndim))
    u = case.start()
    moved = advance(case.pde, case.grid, torch.roll(u, shifts, dims) if dims else u, case.dt, 5)
    end = advance(case.pde, case.grid, u, case.dt, 5)
    assert relative(moved, torch.roll(end, shifts, dims) if dims else end) < 1e-10
    assert relative(end, u) > 1e-4


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("name", CASES)
def test_declared_reflections_commute_with_the_step(name):
    case = CASES[name]
    for axis in range(case.grid.ndim):
        signs = case.pde.reflection(axis)
        if signs is not None:
            signs = torch.tensor(signs).reshape(1, -1, *(1,) * case.grid.ndim)

            def reflect(u, axis=axis, signs=signs):
                return signs * torch.roll(u.flip(2 + axis), 1, 2 + axis)

            u = case.start()
            end = advance(case.pde, case.grid, reflect(u), case.dt, 5)
            assert relative(end, reflect(advance(case.pde, case.grid, u, case.dt, 5))) < 1e-10


def test_undeclared_reflections_are_none():
    """The declarations are tight: where None is declared, the reflection of a scalar is indeed no symmetry."""
    for name in ("korteweg_de_vries", "advection", "kolmogorov flow"):
        case = CASES[name]
        u = case.start()
        for sign in (1, -1):
            reflected = sign * torch.roll(u.flip(2), 1, 2)
            end = sign * torch.roll(advance(case.pde, case.grid, u, case.dt, 5).flip(2), 1, 2)
            assert case.pde.reflection(0) is None
            assert relative(advance(case.pde, case.grid, reflected, case.dt, 5), end) > 1e-5


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("name", SEMILINEAR)
def test_declared_galilean_boosts_commute_with_the_step(name):
    """Steps are short, because a Runge-Kutta step is only as invariant as it is accurate."""
    case = CASES[name]
    dt, n_steps, speed = case.dt / 4, 4, 0.3
    for axis in range(case.grid.ndim):
        added = case.pde.galilean(axis)
        if added is not None:
            added = speed * torch.tensor(added).reshape(1, -1, *(1,) * case.grid.ndim)
            u, d = case.start(), Fourier(case.grid)
            end = d.forward(advance(case.pde, case.grid, u, dt, n_steps))
            carried = d.inverse(end * torch.exp(-1j * d.wavenumbers[axis] * speed * dt * n_steps)) + added
            assert relative(advance(case.pde, case.grid, u + added, dt, n_steps), carried) < 1e-10
            assert relative(d.inverse(end) + added, carried) > 1e-5


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.pde.scaling()])
def test_declared_scalings_commute_with_the_step(name):
    case, exponents = CASES[name], dict(CASES[name].pde.scaling())
    powers = [1.5 ** exponents.pop(field.name, 0.0) for field in case.pde.fields]
    powers = torch.tensor(powers, dtype=torch.float64).reshape(1, -1, *(1,) * case.grid.ndim)
    dt = case.dt * 1.5 ** exponents.pop("dt", 0.0)
    other = dataclasses.replace(case.pde, **{key: 1.5**n * getattr(case.pde, key) for key, n in exponents.items()})
    u = case.start()
    end = powers * advance(case.pde, case.grid, u, case.dt, 4)
    assert relative(advance(other, case.grid, powers * u, dt, 4), end) < 1e-10
    assert relative(powers * u, end) > 1e-4


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("name", NONLINEAR)
@pytest.mark.slow
def test_every_order_of_etdrk_is_reached(name):
    """Slope and absolute error on the last halving of the step."""
    case = CASES[name]
    u, coarse = case.start(), case.dt * case.stretch
    reference = advance(case.pde, case.grid, u, coarse / 8, 32)
    for order, bar in enumerate(case.errors, start=1):
        first, second = (relative(advance(case.pde, case.grid, u, coarse / n, 4 * n, order), reference) for n in (1, 2))
        assert order - 0.3 < log2(first / second) < order + 0.4, order
        assert second < bar, order


@pytest.mark.parametrize("name", CASES)
def test_the_right_hand_side_is_that_of_the_textbook(name):
    """On grids that resolve all products to rounding; where they do not, different forms differ."""
    case = CASES[name]
    grid = Grid((48,) * case.grid.ndim, case.extent) if case.grid.ndim < 3 else Grid((18, 16, 15), case.extent)
    u, d = case.start(grid), Fourier(grid)
    mine = right_hand_side(case.pde, d.field(u), d).samples
    for i, sample in enumerate(u.numpy()):
        naive = RIGHT_HAND_SIDES[type(case.pde)](case.pde, list(sample), Derivatives(grid))
        assert relative(mine[i], torch.as_tensor(np.stack(naive))) < 1e-11


@pytest.mark.parametrize("order", [2, 4, 6])
@pytest.mark.parametrize("name", CASES)
def test_finite_differences_converge_to_the_spectral_right_hand_side(name, order):
    """In every dimension of the equation; auxiliary unknowns are given, their equations are among the residuals."""
    case = CASES[name]
    pde = case.pde
    for ndim in sorted(set(pde.dims) - {0}):
        errors, points = [], ((24, 32), (24, 32), (16, 24))[ndim - 1]
        for n in points:
            grid = Grid((n,) * ndim, (2.0, 2.3, 2.6)[:ndim])
            u = case.start(grid, waves=1)[:1]
            spectral = recorder(grid)
            exact = right_hand_side(pde, spectral.field(u), spectral).samples
            d = FiniteDifference(grid, order, auxiliary=spectral.auxiliary)
            errors.append(relative(right_hand_side(pde, d.field(u), d), exact))
        slope = log2(errors[0] / errors[1]) / log2(points[1] / points[0])
        assert order - 0.3 < slope < order + 0.4 and errors[1] < {2: 0.1, 4: 0.02, 6: 0.005}[order], (ndim, errors)


def right_hand_side(pde, u, d):
    if isinstance(pde, ConservationLaw):
        return -sum(d.along(pde.flux(u, axis, d), "xyz"[axis]) for axis in range(d.ndim))
    return pde.rhs(u, d)


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("name", CASES)
def test_parameters_may_vary_over_the_batch(name):
    case = CASES[name]
    u = case.start()
    for parameter in numbers(case.pde):
        value = getattr(case.pde, parameter)
        both = torch.tensor([value, 1.3 * value + 0.01], dtype=torch.float64).reshape(2, 1, *(1,) * case.grid.ndim)
        together = dataclasses.replace(case.pde, **{parameter: both})
        end = advance(together, case.grid, u, case.dt, 3)
        for i, single in enumerate((value, 1.3 * value + 0.01)):
            pde, sample = dataclasses.replace(case.pde, **{parameter: single}), u[i : i + 1]
            assert relative(end[i : i + 1], advance(pde, case.grid, sample, case.dt, 3)) < 1e-12, parameter
            integrals = together.invariants(u, case.grid) | together.dissipated(u, case.grid)
            alone = pde.invariants(sample, case.grid) | pde.dissipated(sample, case.grid)
            for integral, values in integrals.items():
                assert float(values[i]) == pytest.approx(float(alone[integral][0]), rel=1e-12), integral


@pytest.mark.parametrize("name", CASES)
def test_captions_name_every_parameter(name):
    pde = CASES[name].pde
    assert pde.describe({}).endswith(".")
    for parameter in numbers(pde):
        assert "0.4321" in pde.describe({parameter: 0.4321}), parameter
    for parameter in numbers(pde):
        assert f"{getattr(pde, parameter):.4g}" in pde.describe({}) or getattr(pde, parameter) == 0, parameter


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("name", CASES)
def test_a_grid_of_another_dimension_is_refused(name):
    case = CASES[name]
    wrong = next(n for n in (1, 3, 2) if n not in case.pde.dims) if set(case.pde.dims) != {1, 2, 3} else 0
    with pytest.raises(ValueError, match="expected a grid of"):
        make_step(case.pde, Grid((8,) * wrong, (1.0,) * wrong), 0.1)


@pytest.mark.parametrize("name", CASES)
def test_fields_and_versions_are_declared(name):
    pde = CASES[name].pde
    assert pde.version >= 1 and len({f.name for f in pde.fields}) == len(pde.fields)
    assert smooth(CASES[name].grid, len(pde.fields), 0).shape[1] == len(pde.fields)
