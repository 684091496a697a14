"""-div(a grad u) = f with u = 0: exact solutions, order, an independent assembly, the maximum principle."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import spsolve

from pdekit.solvers.elliptic import METHODS, elliptic, harmonic_means

pi = np.pi


def mesh(*shape):
    return np.meshgrid(*[np.linspace(0, 1, n) for n in shape], indexing="ij")


def manufactured(x, y):
    """u = sin(pi x) sin(2 pi y) in a = 1 + x y + x^2: -div(a grad u) by hand."""
    a = 1 + x * y + x**2
    u = np.sin(pi * x) * np.sin(2 * pi * y)
    u_x, u_y = pi * np.cos(pi * x) * np.sin(2 * pi * y), 2 * pi * np.sin(pi * x) * np.cos(2 * pi * y)
    return a, u, -((y + 2 * x) * u_x + x * u_y - 5 * pi**2 * a * u)


@pytest.mark.parametrize("method", METHODS)
def test_second_order_on_a_manufactured_solution(method):
    errors = []
    for n in (17, 33, 65):
        a, u, f = manufactured(*mesh(n, 2 * n - 1))
        found = elliptic(a, f, (1 / (n - 1), 0.5 / (n - 1)), method=method)
        errors.append(np.linalg.norm(found - u) / np.linalg.norm(u))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 1.9).all() and (orders < 2.1).all()
    assert errors[-1] < 5e-4


@pytest.mark.parametrize("method", METHODS)
def test_a_jump_between_nodes_is_exact_in_one_dimension(method):
    """a = 1 left of the middle of a face and 10 right of it, f = 0 but at one end's neighbour: u is two straight lines
    whose slopes are as 10 to 1, and harmonic means make them exactly."""
    n = 41
    h = 1 / (n - 1)
    x = np.linspace(0, 1, n)
    place = 20.5 * h
    a = np.where(x < place, 1.0, 10.0)
    f = np.zeros(n)
    f[1] = 1 / h  # a point source
    u = elliptic(a, f, (h,), method=method)
    resistance = np.where(x < place, x, place + (x - place) / 10)
    expected = resistance[1] * (1 - resistance / resistance[-1])
    np.testing.assert_allclose(u[1:], expected[1:], rtol=0, atol=1e-10 * expected.max())


def test_arithmetic_means_would_not_be_exact():
    """The test above can fail."""
    n = 41
    x = np.linspace(0, 1, n)
    a = np.where(x < 20.5 / 40, 1.0, 10.0)
    good = elliptic(a, 1.0, (1 / 40,))
    bad = elliptic(a, 1.0, (1 / 40,), faces=[(a[1:] + a[:-1]) / 2])
    assert abs(bad - good).max() > 1e-3 * good.max()


@pytest.mark.parametrize("shape", [(9,), (7, 10), (5, 6, 7)])
def test_all_methods_agree_with_a_matrix_written_out(shape):
    rng = np.random.default_rng(0)
    a, f = rng.uniform(1, 3, shape), rng.normal(size=shape)
    spacing = tuple(0.3 + 0.1 * axis for axis in range(len(shape)))
    index = np.arange(a.size).reshape(shape)
    matrix, right = scipy.sparse.lil_matrix((a.size, a.size)), f.ravel().copy()
    for place in np.ndindex(*shape):
        i = index[place]
        if any(k in (0, n - 1) for k, n in zip(place, shape, strict=True)):
            matrix[i, i], right[i] = 1.0, 0.0
            continue
        for axis, h in enumerate(spacing):
            for way in (-1, 1):
                other = tuple(k + way * (b == axis) for b, k in enumerate(place))
                mean = 2 / (1 / a[place] + 1 / a[other])
                matrix[i, i] += mean / h**2
                matrix[i, index[other]] -= mean / h**2
    expected = spsolve(matrix.tocsc(), right).reshape(shape)
    for method in METHODS:
        np.testing.assert_allclose(elliptic(a, f, spacing, method=method), expected, atol=1e-10 * abs(expected).max())


def test_high_contrast():
    rng = np.random.default_rng(1)
    x, y = mesh(33, 33)
    a = np.exp(5 * np.sin(7 * x + 1) * np.cos(5 * y))
    solve = partial(elliptic, a, rng.normal(size=a.shape), (1 / 32, 1 / 32))
    direct = solve(method="direct")
    np.testing.assert_allclose(solve(method="scaled"), direct, rtol=0, atol=1e-9 * abs(direct).max())
    assert a.max() / a.min() > 1e4


@pytest.mark.parametrize("seed", range(3))
def test_maximum_principle_and_monotonicity(seed):
    """No minimum inside where f >= 0; more source or less permeability raises u everywhere."""
    rng = np.random.default_rng(seed)
    a = np.where(rng.normal(size=(25, 25)) > 0, 12.0, 3.0)
    u = elliptic(a, 1.0, (1 / 24, 1 / 24))
    inner = u[1:-1, 1:-1]
    neighbours = np.stack([u[:-2, 1:-1], u[2:, 1:-1], u[1:-1, :-2], u[1:-1, 2:]])
    assert (inner > 0).all() and (inner > neighbours.min(0)).all()
    assert 1 / 12 * 0.0736 < u.max() < 1 / 3 * 0.0737  # between those of a = 12 and a = 3 everywhere
    np.testing.assert_allclose(elliptic(2 * a, 1.0, (1 / 24, 1 / 24)), u / 2, atol=1e-12)
    assert (elliptic(a, 1.0 + (rng.normal(size=a.shape) > 1), (1 / 24, 1 / 24)) >= u).all()


def test_harmonic_means():
    along_x, along_y = harmonic_means(np.array([[1.0, 3.0], [2.0, 6.0]]))
    np.testing.assert_allclose(along_x, [[4 / 3, 4.0]])
    np.testing.assert_allclose(along_y, [[1.5], [3.0]])


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="coefficient above 0"):
        elliptic(np.zeros(5), 1.0, (0.25,))
    with pytest.raises(ValueError, match="expected a method among"):
        elliptic(np.ones(5), 1.0, (0.25,), method="multigrid")
    rough = np.exp(np.random.default_rng(0).normal(scale=6, size=(65, 65)))
    with pytest.raises(ValueError, match=r"to converge in 1000 iterations.*use method='direct'"):
        elliptic(rough, 1.0, (1 / 64, 1 / 64))
