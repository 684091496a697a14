"""The symbol of a linear operator is what it does to each mode."""

import pytest
import torch

from pdekit.calculus import Fourier, symbol
from pdekit.fields import Grid


def applied(linear, grid, n_channels, u):
    """The operator by its symbol and by the calculus itself."""
    d = Fourier(grid)
    matrix = symbol(linear, d, n_channels)
    by_symbol = torch.einsum("brc...,bc...->br...", matrix.expand(u.shape[0], *matrix.shape[1:]), d.forward(u))
    return d.inverse(by_symbol), linear(d.field(u), d).samples


def test_a_scalar_operator():
    grid = Grid((16,), (5.0,))
    values = symbol(lambda u, d: -d.xx(u) - 0.3 * d.xxxx(u) + 2 * d.xxx(u) - u, Fourier(grid), 1)[0, 0, 0]
    k = 2 * torch.pi / 5.0 * torch.arange(9, dtype=torch.float64)
    expected = k**2 - 0.3 * k**4 - 2j * torch.where(k == k[-1], 0.0, k**3) - 1
    assert float((values - expected).abs().max()) < 1e-10 * float(expected.abs().max())


@pytest.mark.parametrize("shape", [(12,), (9, 8), (6, 5, 8)])
def test_a_coupled_operator_with_parameters(shape):
    p = torch.tensor([0.4, 1.7], dtype=torch.float64).reshape(2, 1, *(1,) * len(shape))

    def linear(w, d):
        u, v, r = d.components(w)
        return d.stack(p * d.laplacian(v) - u, d.x(u) * p + 0.1 * d.poisson("r", r), r / p - d.xx(u + v))

    u = torch.randn(2, 3, *shape, dtype=torch.float64)
    by_symbol, direct = applied(linear, Grid(shape, (3.0,) * len(shape)), 3, u)
    assert float((by_symbol - direct).abs().max()) < 1e-12 * float(direct.abs().max())


def test_parameters_on_either_side_give_the_same_numbers():
    """A parameter must not pass the symbol through samples: the largest mode would round the smallest one."""
    p = torch.tensor([0.4, 1.7], dtype=torch.float64).reshape(2, 1, 1)
    d = Fourier(Grid((256,), (64.0,)))
    left, right = symbol(lambda u, d: p * d.xxxx(u), d, 1), symbol(lambda u, d: d.xxxx(u) * p, d, 1)
    assert torch.equal(left, right)
    assert torch.equal(left[:1], symbol(lambda u, d: 0.4 * d.xxxx(u), d, 1))


@pytest.mark.parametrize(
    ("linear", "message"),
    [
        (lambda u, d: d.coordinates[0] * d.x(u), "got coordinates"),
        (lambda u, d: d.time * u, "got the time"),
        (lambda u, d: d.t(u), "got a time derivative"),
        (lambda u, d: -d.x(u * u), r"got products, constants or coefficients.*channel 0"),
        (lambda u, d: d.xx(u) + 1.0, "got products, constants or coefficients"),
        (lambda u, d: torch.sin(torch.arange(12.0).double()) * u, "got products, constants or coefficients"),
        (lambda u, d: torch.sin(u), "got products, constants or coefficients"),
    ],
)
def test_anything_but_constant_coefficients_is_refused(linear, message):
    with pytest.raises(ValueError, match=message):
        symbol(linear, Fourier(Grid((12,), (1.0,))), 1)
