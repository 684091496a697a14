"""Quasi-Newton methods on functions whose minimum is known, and next to scipy."""

import copy

import numpy as np
import pytest
import scipy.optimize
import torch

from pdekit.optimisers import BFGS, SelfScaledBroyden
from pdekit.optimisers.self_scaled_broyden import family_parameters

METHODS = (BFGS, SelfScaledBroyden)


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def valley(x):
    """A quadratic of condition 1e4 whose axes are not those of x."""
    scale = torch.logspace(0, 4, x.numel(), dtype=x.dtype)
    mixed = x + 0.3 * x.roll(1)
    return 0.5 * (scale * mixed * mixed).sum() - mixed.sum()


def closure_of(function, parameters, optimiser, calls):
    def closure():
        optimiser.zero_grad()
        loss = function(torch.cat([p.reshape(-1) for p in parameters]))
        loss.backward()
        calls.append(loss.item())
        return loss

    return closure


def minimised(method, function, start, iterations):
    x = start.clone().requires_grad_()
    optimiser, calls = method([x], iterations=iterations), []
    optimiser.step(closure_of(function, [x], optimiser, calls))
    return x.detach(), calls


@pytest.mark.parametrize("method", METHODS)
def test_rosenbrock_is_solved_to_rounding(method):
    x, calls = minimised(method, rosenbrock, torch.full((8,), -0.5, dtype=torch.float64), 150)
    assert (x - 1).abs().max() < 1e-10
    assert len(calls) < 400


@pytest.mark.parametrize("method,iterations", [(BFGS, 300), (SelfScaledBroyden, 60)])
def test_a_quadratic_is_solved(method, iterations):
    """Scaling pays: BFGS, whose steps are accepted long before they are exact, needs five times as many."""
    n = 12
    x, _ = minimised(method, valley, torch.zeros(n, dtype=torch.float64), iterations)
    y = torch.zeros(n, dtype=torch.float64, requires_grad=True)
    hessian = torch.autograd.functional.hessian(valley, y)
    exact = torch.linalg.solve(hessian, -torch.autograd.grad(valley(y), y)[0])
    assert (x - exact).norm() < 1e-6 * exact.norm()


def test_bfgs_needs_no_more_than_twice_the_evaluations_of_scipy():
    start = np.linspace(-1, 1, 6)

    def with_gradient(z):
        x = torch.tensor(z, requires_grad=True)
        value = rosenbrock(x)
        return value.item(), torch.autograd.grad(value, x)[0].numpy()

    oracle = scipy.optimize.minimize(with_gradient, start, jac=True, method="BFGS", options={"gtol": 1e-9})
    x, calls = minimised(BFGS, rosenbrock, torch.tensor(start), oracle.nit + 10)
    assert rosenbrock(x) < 1e-12
    assert len(calls) <= 2 * oracle.nfev


@pytest.mark.parametrize("method", METHODS)
def test_the_inverse_hessian_of_a_quadratic_is_found(method):
    x = torch.ones(5, dtype=torch.float64, requires_grad=True)
    optimiser = method([x], iterations=60)
    optimiser.step(closure_of(valley, [x], optimiser, []))
    found = optimiser.state[x]["inverse"]
    assert torch.equal(found, found.mT) or (found - found.mT).abs().max() < 1e-12 * found.abs().max()
    if method is BFGS:
        hessian = torch.autograd.functional.hessian(valley, x.detach())
        assert (found @ hessian - torch.eye(5)).abs().max() < 0.2


@pytest.mark.parametrize("method", METHODS)
def test_an_update_satisfies_the_secant_equation(method):
    torch.manual_seed(1)
    n = 6
    optimiser = method([torch.zeros(n, dtype=torch.float64, requires_grad=True)])
    root = torch.randn(n, n, dtype=torch.float64)
    inverse = root @ root.mT + torch.eye(n)
    gradient = torch.randn(n, dtype=torch.float64)
    step = 0.7
    s = -step * inverse @ gradient
    y = 2 * s + 0.1 * torch.randn(n, dtype=torch.float64)
    old, b = inverse.clone(), -step * float(s @ gradient) / float(y @ s)
    assert b == pytest.approx(float(s @ torch.linalg.solve(old, s)) / float(y @ s), rel=1e-9)
    h_gradient = optimiser._update(inverse, s, y, s / step, gradient + y, b)
    assert (h_gradient - inverse @ (gradient + y)).norm() < 1e-11 * h_gradient.norm()
    assert (inverse @ y - s).norm() < 1e-12 * s.norm()
    assert torch.linalg.eigvalsh(inverse).min() > 0, "positive definite stays so"


def test_the_family_degenerates_to_bfgs_where_the_curvature_is_known():
    assert family_parameters(h=1.0, b=1.0, n=10) == (1.0, 1.0)
    phi, tau = family_parameters(h=5.0, b=0.8, n=10)
    assert tau != 1 and phi > 0


@pytest.mark.parametrize("method", METHODS)
def test_the_state_is_restored_exactly(method):
    start = torch.linspace(-1, 1, 7, dtype=torch.float64)

    def run(parts, interrupted):
        x = start.clone().requires_grad_()
        optimiser = method([x], iterations=5)
        for part in range(parts):
            if interrupted and part == 2:
                saved, x = copy.deepcopy(optimiser.state_dict()), x.detach().clone().requires_grad_()
                optimiser = method([x], iterations=5)
                optimiser.load_state_dict(saved)
            optimiser.step(closure_of(rosenbrock, [x], optimiser, []))
        return x.detach()

    assert torch.equal(run(4, False), run(4, True))


@pytest.mark.parametrize("method", METHODS)
def test_several_parameters_are_one_vector(method):
    start = torch.linspace(-1, 1, 6, dtype=torch.float64)
    whole, _ = minimised(method, rosenbrock, start, 20)
    parts = [start[:2].clone().reshape(1, 2).requires_grad_(), start[2:].clone().requires_grad_()]
    optimiser = method(parts, iterations=20)
    optimiser.step(closure_of(rosenbrock, parts, optimiser, []))
    assert torch.equal(torch.cat([p.detach().reshape(-1) for p in parts]), whole)


def test_a_changed_function_is_followed():
    x = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimiser = SelfScaledBroyden([x], iterations=40)
    for centre in (1.0, -2.0):
        optimiser.step(closure_of(lambda z, c=centre: (z - c).pow(4).sum() + (z - c).pow(2).sum(), [x], optimiser, []))
        assert (x - centre).abs().max() < 1e-8


def test_steps_into_infinity_are_taken_back():
    def logarithm(z):
        return (z - 3 * torch.log(z)).sum()  # not a number for z <= 0, minimum at 3

    x, _ = minimised(BFGS, logarithm, torch.tensor([0.01, 40.0], dtype=torch.float64), 60)
    assert (x - 3).abs().max() < 1e-6


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="float64"):
        BFGS([torch.zeros(3, requires_grad=True)])
    with pytest.raises(ValueError, match="inverse Hessian would take"):
        SelfScaledBroyden([torch.zeros(30_000, dtype=torch.float64, requires_grad=True)])
