"""Least squares whose answer is known, and next to scipy."""

import copy

import pytest
import scipy.optimize
import torch

from pdekit.optimisers import LevenbergMarquardt

T = torch.linspace(0, 1, 30, dtype=torch.float64)


def exponentials(x):
    """A sum of two exponentials minus data: an ill-conditioned fit."""
    return x[0] * torch.exp(-x[1] * T) + x[2] * torch.exp(-x[3] * T) - (torch.exp(-T) + 2 * torch.exp(-5 * T))


def solver(residuals, start, iterations=10):
    x = start.clone().requires_grad_()

    def linearise():
        return residuals(x).detach(), torch.autograd.functional.jacobian(residuals, x.detach())

    def closure():
        return residuals(x).square().mean()

    return x, LevenbergMarquardt([x], linearise, iterations), closure


def test_a_linear_problem_is_solved_to_rounding():
    torch.manual_seed(0)
    a, b = torch.randn(20, 5, dtype=torch.float64), torch.randn(20, dtype=torch.float64)
    x, optimiser, closure = solver(lambda z: a @ z - b, torch.zeros(5, dtype=torch.float64), 20)
    optimiser.step(closure)
    assert (x.detach() - torch.linalg.lstsq(a, b[:, None]).solution[:, 0]).abs().max() < 1e-8


def test_exponentials_are_fitted_as_well_as_by_scipy():
    start = torch.tensor([0.5, 0.2, 1.0, 3.0], dtype=torch.float64)
    x, optimiser, closure = solver(exponentials, start, 60)
    optimiser.step(closure)
    oracle = scipy.optimize.least_squares(lambda z: exponentials(torch.tensor(z)).numpy(), start.numpy(), method="lm")
    assert exponentials(x).square().sum().item() <= 2 * oracle.cost + 1e-14
    assert (x.detach() - torch.tensor([1.0, 1.0, 2.0, 5.0])).abs().max() < 1e-4


def test_the_loss_never_rises_and_the_state_is_restored_exactly():
    start = torch.tensor([0.5, 0.2, 1.0, 3.0], dtype=torch.float64)
    whole, optimiser, closure = solver(exponentials, start, 3)
    values = [float(optimiser.step(closure)) for _ in range(4)]
    assert values == sorted(values, reverse=True)
    first, half, closure = solver(exponentials, start, 3)
    for _ in range(2):
        half.step(closure)
    second, rest, closure = solver(exponentials, first.detach(), 3)
    rest.load_state_dict(copy.deepcopy(half.state_dict()))
    for _ in range(2):
        rest.step(closure)
    assert torch.equal(second, whole)


def test_too_many_parameters_are_refused():
    with pytest.raises(ValueError, match="at most 3000"):
        solver(lambda z: z, torch.zeros(4000, dtype=torch.float64))
    with pytest.raises(ValueError, match="float32"):
        solver(lambda z: z, torch.zeros(4))
