"""laplacian(u) + k^2 u = a on the nodes of a box: sines and cosines diagonalise the finite differences.

Along an axis with spacing h and m intervals the second difference has the eigenvalues -(2 / h sin(pi j / (2 m)))^2:
with sines, j = 1 ... m - 1, where u = 0 at both ends, and with cosines, j = 0 ... m, where du/dn = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.fft
from jaxtyping import Float
from numpy import ndarray

VERSION = 1
ENDS = ("dirichlet", "neumann")
RESONANCE = 1e-9  # smallest eigenvalue over the largest that is divided by
Values = Float[ndarray, "*space"]


def helmholtz(a: Values, spacing: Sequence[float], wavenumber: float = 0.0, ends: str = "dirichlet") -> Values:
    """Return u with laplacian(u) + wavenumber^2 u = a, second order in the spacing.

    The operator is the five-point one (three-, seven-point), solved exactly in n log n operations. With "neumann" and
    wavenumber 0 the solution is determined up to a constant: u has no mean.

    Args:
        a: at the nodes, both ends included; axes before those of space are a batch. With "dirichlet" the values on the
            boundary do not matter.
        spacing: between the nodes of each axis of space.
        wavenumber: k; 0 is Poisson's equation.
        ends: "dirichlet" (u = 0) or "neumann" (du/dn = 0) on the whole boundary.

    Raises:
        ValueError: on other ends, values that are not finite, a wavenumber at which the box resonates, or for Poisson's
            equation with "neumann" a source with a mean (trapezoidal), for which there is no solution.

    Source: Swarztrauber (1977), The methods of cyclic reduction, Fourier analysis and the FACR algorithm, section 3.

    >>> x = np.linspace(0.0, 1.0, 5)
    >>> helmholtz(np.full(5, -2.0), (0.25,)).round(12).tolist()  # x (1 - x)
    [0.0, 0.1875, 0.25, 0.1875, 0.0]
    """
    if ends not in ENDS:
        raise ValueError(f"expected ends among {ENDS}, got {ends!r}; choose one of these")
    a = np.asarray(a, dtype=float)
    if not np.isfinite(a).all():
        raise ValueError("expected a finite source, got NaN or Inf; correct it")
    n_axes, inner = len(spacing), ends == "dirichlet"
    axes = tuple(range(a.ndim - n_axes, a.ndim))
    shape = [a.shape[axis] for axis in axes]
    total = np.full([n - 2 if inner else n for n in shape], wavenumber**2)
    for place, (n, h) in enumerate(zip(shape, spacing, strict=True)):
        numbers = np.arange(1, n - 1) if inner else np.arange(n)
        values = -((2 / h * np.sin(np.pi * numbers / (2 * (n - 1)))) ** 2)
        total = total + values.reshape([-1 if other == place else 1 for other in range(n_axes)])
    floating = not inner and wavenumber == 0
    smallest = np.abs(total.ravel()[1:] if floating else total).min()
    if smallest < RESONANCE * np.abs(total).max():
        raise ValueError(f"expected a wavenumber away from the eigenvalues of the box, got {wavenumber}; change it")
    if inner:
        cut: tuple[Any, ...] = (Ellipsis, *[slice(1, -1)] * n_axes)
        u = np.zeros_like(a)
        u[cut] = scipy.fft.idstn(scipy.fft.dstn(a[cut], type=1, axes=axes) / total, type=1, axes=axes)
        return u
    a_hat = scipy.fft.dctn(a, type=1, axes=axes)
    if floating:
        first: tuple[Any, ...] = (Ellipsis, *[0] * n_axes)
        if (np.abs(a_hat[first]) > 1e-9 * np.abs(a_hat).max(axis=axes)).any():
            raise ValueError("expected a source without a mean for neumann ends, got one; subtract its mean")
        a_hat[first], total[(0,) * n_axes] = 0.0, 1.0
    return scipy.fft.idctn(a_hat / total, type=1, axes=axes)
