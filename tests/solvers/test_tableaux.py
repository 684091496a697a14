"""The numbers of a Runge-Kutta table satisfy the conditions of the order that it declares."""

import itertools

import pytest
import torch

from pdekit.solvers.tableaux import EXPLICIT, IMEX


def square(rows, n):
    a = torch.zeros(n, n, dtype=torch.float64)
    for i, row in enumerate(rows):
        a[i, : len(row)] = torch.tensor(row, dtype=torch.float64)
    return a


def conditions(matrices, weights):
    """(order, residual) of every condition up to order 4, for all colourings of the trees by the parts.

    Nodes are the row sums, which all parts share.
    """
    c = matrices[0].sum(dim=1)
    for b in weights:
        yield 1, b.sum() - 1
        yield 2, b @ c - 1 / 2
        yield 3, b @ c**2 - 1 / 3
        yield 4, b @ c**3 - 1 / 4
        for a in matrices:
            yield 3, b @ a @ c - 1 / 6
            yield 4, (b * c) @ a @ c - 1 / 8
            yield 4, b @ a @ c**2 - 1 / 12
        for a, other in itertools.product(matrices, repeat=2):
            yield 4, b @ a @ other @ c - 1 / 24


@pytest.mark.parametrize("name", EXPLICIT)
def test_explicit_schemes_satisfy_exactly_their_order(name):
    t = EXPLICIT[name]
    a, b = square(t.a, len(t.b)), torch.tensor(t.b, dtype=torch.float64)
    assert [len(row) for row in t.a] == list(range(len(t.b)))  # explicit
    found = list(conditions([a], [b]))
    assert all(abs(r) < 1e-14 for order, r in found if order <= t.order)
    assert t.order == 4 or any(abs(r) > 1e-3 for order, r in found if order == t.order + 1)


@pytest.mark.parametrize("name", IMEX)
def test_imex_pairs_satisfy_exactly_their_order_and_that_of_the_coupling(name):
    t = IMEX[name]
    n = len(t.explicit_b)
    explicit, implicit = square(t.explicit, n), square(t.implicit, n)
    assert [len(row) for row in t.explicit] == list(range(n))
    assert [len(row) for row in t.implicit] == list(range(1, n + 1))
    torch.testing.assert_close(explicit.sum(1), implicit.sum(1), rtol=0, atol=1e-14)
    weights = [torch.tensor(b, dtype=torch.float64) for b in (t.explicit_b, t.implicit_b)]
    found = list(conditions([explicit, implicit], weights))
    assert all(abs(r) < 1e-14 for order, r in found if order <= t.order)
    assert t.order == 4 or any(abs(r) > 1e-3 for order, r in found if order == t.order + 1)


@pytest.mark.parametrize("name", IMEX)
def test_the_implicit_half_forgets_infinitely_stiff_modes(name):
    """L-stable: R(z) = 1 + z b (1 - z A)^-1 1 vanishes as z -> -inf, and |R| <= 1 on the negative axis."""
    t = IMEX[name]
    n = len(t.implicit_b)
    a, b = square(t.implicit, n), torch.tensor(t.implicit_b, dtype=torch.float64)
    ones = torch.ones(n, dtype=torch.float64)

    def growth(z):
        return float(1 + z * b @ torch.linalg.solve(torch.eye(n, dtype=torch.float64) - z * a, ones))

    assert abs(growth(-1e8)) < 1e-6
    assert all(abs(growth(-(10.0**e))) <= 1 for e in torch.linspace(-2, 6, 30).tolist())
