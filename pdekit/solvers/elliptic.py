"""-div(a grad u) = f on a box with u = 0 on its boundary: finite volumes around nodes, second order.

The unknowns are values at the nodes of a uniform grid, both ends included. What flows between neighbours is
(u_i - u_j) / h times the coefficient of the face between them, in 1-D the harmonic mean of a along the way, so that
the flux is continuous where a jumps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.fft
import scipy.sparse
import scipy.sparse.linalg
from jaxtyping import Float
from numpy import ndarray

VERSION = 1
METHODS = ("laplacian", "scaled", "direct")
TOLERANCE = 1e-11
MOST = 1000  # iterations

Values = Float[ndarray, "*space"]


def elliptic(
    a: Values,
    f: Values | float,
    spacing: Sequence[float],
    faces: Sequence[ndarray] | None = None,
    method: str = "laplacian",
) -> Values:
    """The solution of -div(a grad u) = f with u = 0 on the boundary.

    All methods give the same numbers, and differ in what they cost:

    - "laplacian": conjugate gradients preconditioned by the inverse Laplacian (fast sine transforms). Its iterations
      grow with the square root of the contrast max a / min a; the fastest up to about 30.
    - "scaled": the same between factors 1/sqrt(a) (Concus and Golub, 1973). For smooth a of any contrast: some thirty
      iterations where a log-normal field varies by 10^4. Slow where a jumps.
    - "direct": a sparse factorisation, for anything; its time grows faster than the number of unknowns.

    Args:
        a: the coefficient at the nodes of a grid of one to three axes, positive.
        f: the source at the nodes, or a number.
        spacing: between the nodes of each axis.
        faces: coefficients of the faces for each axis (one entry less along it); `harmonic_means` of a if None.
        method: one of these.

    Returns:
        u at the nodes. Its error falls like h^2 where a is smooth, and like h where a jumps between nodes in places
        that the grid does not know.

    Raises:
        ValueError: if a is not positive, or the iteration does not converge.

    >>> x = np.linspace(0.0, 1.0, 5)
    >>> elliptic(np.ones(5), 2.0, (0.25,)).round(12).tolist()  # x (1 - x)
    [0.0, 0.1875, 0.25, 0.1875, 0.0]
    """
    if not (a > 0).all() or not np.isfinite(a).all():
        raise ValueError(f"expected a finite coefficient above 0, got values from {a.min()} to {a.max()}; correct a")
    if method not in METHODS:
        raise ValueError(f"expected a method among {METHODS}, got {method!r}; choose one of these")
    faces = harmonic_means(a) if faces is None else faces
    inner = (slice(1, -1),) * a.ndim
    rhs = np.broadcast_to(np.asarray(f, dtype=float), a.shape)[inner]
    u = np.zeros(a.shape)
    if method == "direct":
        u[inner] = _direct(faces, rhs, spacing)
    else:
        weight = 1 / np.sqrt(a[inner]) if method == "scaled" else np.ones(rhs.shape)
        u[inner] = _conjugate_gradients(faces, rhs, spacing, weight)
    return u


def harmonic_means(a: Values) -> tuple[ndarray, ...]:
    """2 a b / (a + b) of neighbours along each axis: two slabs of half a spacing in series."""
    found = []
    for axis in range(a.ndim):
        low, high = np.delete(a, -1, axis), np.delete(a, 0, axis)
        found.append(2 * low * high / (low + high))
    return tuple(found)


def _inner_faces(faces: Sequence[ndarray], spacing: Sequence[float]) -> list[ndarray]:
    """Coefficients over h^2 of the faces that touch an inner node."""
    return [
        face[tuple(slice(None) if other == axis else slice(1, -1) for other in range(face.ndim))] / h**2
        for axis, (face, h) in enumerate(zip(faces, spacing, strict=True))
    ]


def _operator(faces: Sequence[ndarray], spacing: Sequence[float]) -> Callable[[ndarray], ndarray]:
    """u -> -div(a grad u) at the inner nodes."""
    scaled = _inner_faces(faces, spacing)

    def apply(u: ndarray) -> ndarray:
        total = np.zeros_like(u)
        for axis, face in enumerate(scaled):
            flow = face * np.diff(u, axis=axis, prepend=0.0, append=0.0)
            total -= np.diff(flow, axis=axis)
        return total

    return apply


def _conjugate_gradients(faces: Sequence[ndarray], rhs: ndarray, spacing: Sequence[float], weight: ndarray) -> ndarray:
    """Preconditioned by weight x (inverse Laplacian) x weight."""
    apply, inverse_laplacian = _operator(faces, spacing), _inverse_laplacian(rhs.shape, spacing)
    u = np.zeros_like(rhs)
    residual = rhs.copy()
    z = weight * inverse_laplacian(weight * residual)
    direction, product = z, float((residual * z).sum())
    goal = TOLERANCE**2 * product
    for _ in range(MOST):
        if product <= goal:
            return u
        image = apply(direction)
        step = product / float((direction * image).sum())
        u += step * direction
        residual -= step * image
        z = weight * inverse_laplacian(weight * residual)
        before, product = product, float((residual * z).sum())
        direction = z + (product / before) * direction
    raise ValueError(
        f"expected conjugate gradients to converge in {MOST} iterations, found an error {(product / goal) ** 0.5:.1e} "
        "times as large as wanted; use method='direct'"
    )


def _inverse_laplacian(shape: Sequence[int], spacing: Sequence[float]) -> Callable[[ndarray], ndarray]:
    """The exact inverse of the five-point (three-, seven-point) -Laplacian, diagonal in sines."""
    total = np.zeros(shape)
    for axis, (n, h) in enumerate(zip(shape, spacing, strict=True)):
        eigenvalues = (2 / h * np.sin(np.pi * np.arange(1, n + 1) / (2 * (n + 1)))) ** 2
        total += eigenvalues.reshape([-1 if other == axis else 1 for other in range(len(shape))])

    def apply(values: ndarray) -> ndarray:
        return scipy.fft.idstn(scipy.fft.dstn(values, type=1) / total, type=1)

    return apply


def _direct(faces: Sequence[ndarray], rhs: ndarray, spacing: Sequence[float]) -> ndarray:
    n, places = rhs.size, np.arange(rhs.size).reshape(rhs.shape)
    diagonal = np.zeros(rhs.shape)
    rows, columns, values = [], [], []
    for axis, face in enumerate(_inner_faces(faces, spacing)):
        diagonal += np.delete(face, -1, axis) + np.delete(face, 0, axis)
        between = np.delete(np.delete(face, -1, axis), 0, axis)
        low, high = np.delete(places, -1, axis), np.delete(places, 0, axis)
        rows += [low.ravel(), high.ravel()]
        columns += [high.ravel(), low.ravel()]
        values += [-between.ravel()] * 2
    every = np.arange(n)
    matrix = scipy.sparse.csc_matrix(
        (
            np.concatenate([diagonal.ravel(), *values]),
            (np.concatenate([every, *rows]), np.concatenate([every, *columns])),
        ),
        shape=(n, n),
    )
    # the matrix is symmetric positive definite: no pivoting, an ordering of A + A'
    options = {"SymmetricMode": True}
    factors = scipy.sparse.linalg.splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    return factors.solve(rhs.ravel()).reshape(rhs.shape)
