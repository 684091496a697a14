"""The adjoint of the elliptic solver against differences."""

import torch

from pdekit.solvers.elliptic_adjoint import elliptic_solution


def test_the_gradient_is_that_of_differences():
    generator = torch.Generator().manual_seed(0)
    a = 1 + torch.rand(7, 6, dtype=torch.float64, generator=generator)
    weight = torch.randn(7, 6, dtype=torch.float64, generator=generator)

    def loss(a):
        return (weight * elliptic_solution(a, 1.0, (0.1, 0.2), "direct")).sum()

    a.requires_grad_()
    (found,) = torch.autograd.grad(loss(a), a)
    direction = torch.randn(7, 6, dtype=torch.float64, generator=generator)
    with torch.no_grad():
        difference = (loss(a + 1e-5 * direction) - loss(a - 1e-5 * direction)) / 2e-5
    torch.testing.assert_close((found * direction).sum(), difference, rtol=1e-7, atol=0)
