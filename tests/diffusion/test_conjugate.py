"""Conjugate gradients: the iterate of the smallest residual, the solution, and operators that are not symmetric."""

import itertools

import torch

from pdekit.diffusion.conjugate import solve_symmetric

N = 8
RHS = torch.randn(3, N, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
MIXING = torch.linalg.qr(torch.randn(N, N, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))[0]
POSITIVE = MIXING @ torch.diag(torch.logspace(-1, 1, N).double()) @ MIXING.T
TURNING = torch.randn(N, N, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def test_as_many_iterations_as_eigenvalues_solve_the_system():
    found = solve_symmetric(lambda x: x @ POSITIVE, RHS, N + 2)
    torch.testing.assert_close(found, torch.linalg.solve(POSITIVE, RHS.T).T, rtol=0, atol=1e-9)


def test_an_iterate_of_larger_residual_is_not_taken():
    """A plain loop returns rhs * 10 / 10.9 after one iteration: less energy than at the start, more residual."""
    matrix, rhs = torch.diag(torch.tensor([10.0, 0.1]).double()), torch.tensor([[1.0, 3.0]]).double()
    plain = rhs * 10 / 10.9
    assert (rhs - plain @ matrix).norm() > 2 * rhs.norm()
    assert 0.5 * (plain * (plain @ matrix)).sum() - (plain * rhs).sum() < 0
    assert torch.equal(solve_symmetric(lambda x: x @ matrix, rhs, 1), torch.zeros_like(rhs))
    torch.testing.assert_close(solve_symmetric(lambda x: x @ matrix, rhs, 2), rhs / matrix.diagonal())


def test_more_iterations_never_raise_the_residual_of_an_operator_that_is_not_symmetric():
    matrix = POSITIVE + TURNING - TURNING.T
    found = [solve_symmetric(lambda x: x @ matrix.T, RHS, n) for n in range(1, 30)]
    left = [RHS.norm(dim=1), *((RHS - x @ matrix.T).norm(dim=1) for x in found)]
    assert all(bool((after <= before + 1e-9).all()) for before, after in itertools.pairwise(left))
