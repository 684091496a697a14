"""laplacian(u) + k^2 u = a: closed forms, an independent sparse solve, order, resonance, batches."""

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import spsolve

from pdekit.solvers.elliptic import elliptic
from pdekit.solvers.fast_transforms import helmholtz

pi = np.pi
EXACT = {"dirichlet": np.sin, "neumann": np.cos}


def mode(ends, k, nx, ny):
    """(source, u) with u a product of waves on [0, 1] x [0, 0.5] that obeys the ends."""
    x, y = np.meshgrid(np.linspace(0, 1, nx), np.linspace(0, 0.5, ny), indexing="ij")
    u = EXACT[ends](2 * pi * x) * EXACT[ends](2 * pi * y)
    return (k**2 - 8 * pi**2) * u, u


@pytest.mark.parametrize("ends", EXACT)
@pytest.mark.parametrize("k", [0.0, 3.0])
def test_a_mode_is_found_at_second_order(ends, k):
    errors = []
    for n in (17, 33):
        a, u = mode(ends, k, n, n)
        errors.append(np.abs(helmholtz(a, (1 / (n - 1), 0.5 / (n - 1)), k, ends) - u).max())
    assert 1.9 < np.log2(errors[0] / errors[1]) < 2.1 and errors[1] < 5e-3


def second_difference(n, h, ends):
    matrix = scipy.sparse.diags_array([np.ones(n - 1), -2 * np.ones(n), np.ones(n - 1)], offsets=[-1, 0, 1]).tolil()
    if ends == "neumann":  # the node outside mirrors the one inside
        matrix[0, 1] = matrix[-1, -2] = 2
    return matrix.tocsr() / h**2


@pytest.mark.parametrize("ends", EXACT)
def test_a_sparse_factorisation_gives_the_same_numbers(ends):
    n, m, h, k = 9, 7, (0.125, 0.2), 2.5
    a = np.random.default_rng(0).normal(size=(n, m))
    cut = slice(1, -1) if ends == "dirichlet" else slice(None)
    inner = a[cut, cut]
    rows, columns = inner.shape
    one = scipy.sparse.kron(second_difference(rows, h[0], ends), scipy.sparse.eye_array(columns))
    two = scipy.sparse.kron(scipy.sparse.eye_array(rows), second_difference(columns, h[1], ends))
    matrix = one + two + k**2 * scipy.sparse.eye_array(inner.size)
    expected = spsolve(matrix.tocsc(), inner.ravel()).reshape(inner.shape)
    found = helmholtz(a, h, k, ends)
    np.testing.assert_allclose(found[cut, cut], expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    if ends == "dirichlet":
        assert not found[0].any() and not found[:, -1].any()


def test_poissons_equation_is_that_of_elliptic_in_a_uniform_medium():
    a = np.random.default_rng(1).normal(size=(9, 8, 7))
    spacing = (0.125, 0.1, 0.2)
    expected = elliptic(np.ones(a.shape), a, spacing, method="direct")
    np.testing.assert_allclose(helmholtz(a, spacing), -expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("ends", EXACT)
def test_a_batch_gives_the_values_of_each(ends):
    a = np.random.default_rng(2).normal(size=(3, 9, 8))
    together = helmholtz(a, (0.1, 0.1), 2.0, ends)
    np.testing.assert_array_equal(together, np.stack([helmholtz(one, (0.1, 0.1), 2.0, ends) for one in a]))


def test_with_neumann_ends_poissons_equation_wants_a_source_without_a_mean():
    u = helmholtz(mode("neumann", 0.0, 9, 9)[0], (1 / 8, 1 / 16), 0.0, "neumann")
    weights = np.outer([0.5, *[1.0] * 7, 0.5], [0.5, *[1.0] * 7, 0.5])
    assert abs((weights * u).sum()) < 1e-12
    with pytest.raises(ValueError, match="source without a mean for neumann ends, got one; subtract"):
        helmholtz(np.ones((9, 9)), (1 / 8, 1 / 8), 0.0, "neumann")


def test_what_has_no_solution_is_refused():
    resonant = 2 / 0.125 * np.sin(pi / 16)  # the first eigenvalue of the differences on [0, 1]
    with pytest.raises(ValueError, match="away from the eigenvalues of the box"):
        helmholtz(np.ones(9), (0.125,), resonant)
    with pytest.raises(ValueError, match="ends among"):
        helmholtz(np.ones(9), (0.125,), ends="periodic")
    with pytest.raises(ValueError, match="finite source"):
        helmholtz(np.full(9, np.nan), (0.125,))


def test_with_neumann_ends_a_wave_keeps_the_mean_of_its_source():
    """A source with a mean: u = mean / k^2 and the mode of the rest, both exact for the differences."""
    x, h, k = np.linspace(0, 1, 9), 0.125, 1.5
    a = 4.0 + np.cos(2 * pi * x)
    expected = 4.0 / k**2 + np.cos(2 * pi * x) / (k**2 - (2 / h * np.sin(pi / 8)) ** 2)
    np.testing.assert_allclose(helmholtz(a, (h,), k, "neumann"), expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(helmholtz(a.astype(np.float32), (h,), k, "neumann"), expected, rtol=0, atol=1e-6)


def test_each_source_of_a_batch_is_without_a_mean():
    wave = np.cos(2 * pi * np.linspace(0, 1, 9))
    with pytest.raises(ValueError, match="source without a mean"):
        helmholtz(np.stack([1e12 * wave, 1.0 + wave]), (0.125,), 0.0, "neumann")
