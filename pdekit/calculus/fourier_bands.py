"""Cosines and sines of an axis as two bands of half as many coefficients each: the orthonormal Fourier transform of
real samples in the layout of a wavelet transform.
"""

from __future__ import annotations

from functools import cache

import numpy as np


@cache
def fourier_matrix(n: int, periodic: bool) -> np.ndarray:
    """Return the matrix from n samples to both bands of an axis, rows orthonormal or zero.

    Periodic (n even): coefficients of cos(k x) and of sin(k x), k = 0, ..., n / 2 - 1; the Nyquist cosine takes the
    place of sin(0 x). Axis with ends: the cosines cos(pi k (j + 1/2) / n) of even and of odd k (DCT-II); for odd n the
    last odd one is zero. Each pair of coefficients has neighbouring scales.

    >>> bool(np.allclose(fourier_matrix(6, True) @ fourier_matrix(6, True).T, np.eye(6)))
    True
    """
    j = np.arange(n)
    if periodic:
        k = np.arange(n // 2)[:, None]
        cosines, sines = np.cos(2 * np.pi * k * j / n), np.sin(2 * np.pi * k * j / n)
        sines[0] = np.cos(np.pi * j)
        scale = np.where(k == 0, 1 / np.sqrt(n), np.sqrt(2 / n))
        return np.concatenate((scale * cosines, scale * sines))
    k = np.arange(n + n % 2)[:, None]
    waves = np.sqrt(2 / n) * np.cos(np.pi * k * (j + 0.5) / n)
    waves[0] = 1 / np.sqrt(n)
    waves[n:] = 0
    return np.concatenate((waves[::2], waves[1::2]))
