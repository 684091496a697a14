"""Wavelet filters by their construction: Daubechies' orthogonal family and the spline biorthogonal one.

Names and coefficients are those of PyWavelets: ``haar``, ``db1`` to ``db8``, ``bior1.1`` to ``bior3.9``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb, sqrt

import numpy as np

MAX_MOMENTS = 8  # of Daubechies' wavelets: the roots below keep 12 digits up to here


@dataclass(frozen=True)
class Wavelet:
    """A two-band filter bank with perfect reconstruction; all four filters have one even length.

    Args:
        analysis_low, analysis_high: filters of the transform.
        synthesis_low, synthesis_high: filters of its inverse.
    """

    analysis_low: tuple[float, ...]
    analysis_high: tuple[float, ...]
    synthesis_low: tuple[float, ...]
    synthesis_high: tuple[float, ...]

    @property
    def length(self) -> int:
        """Taps of each filter."""
        return len(self.analysis_low)


@cache
def wavelet(name: str) -> Wavelet:
    """Return a wavelet by its name.

    Raises:
        ValueError: on an unknown name.

    >>> [round(c, 4) for c in wavelet("db2").synthesis_low]
    [0.483, 0.8365, 0.2241, -0.1294]
    """
    if name == "haar":
        return _daubechies(1)
    if name.startswith("db") and name[2:].isdigit() and 1 <= int(name[2:]) <= MAX_MOMENTS:
        return _daubechies(int(name[2:]))
    parts = name.removeprefix("bior").split(".")
    if name.startswith("bior") and len(parts) == 2 and all(part.isdigit() for part in parts):
        order, dual = int(parts[0]), int(parts[1])
        if 1 <= order <= 3 and 1 <= dual <= 9 and (order + dual) % 2 == 0:
            return _spline(order, dual)
    raise ValueError(
        f"expected haar, db1 to db{MAX_MOMENTS}, or biorI.J with I = 1 to 3, J up to 9 and I + J even, "
        f"got {name!r}; correct the name"
    )


def _bank(low: np.ndarray, dual: np.ndarray) -> Wavelet:
    """Return the bank of a synthesis and an analysis low-pass filter; the high-pass ones are their mirrors."""
    sign = (-1.0) ** np.arange(len(low))
    filters = dual, -sign * low, low, sign * dual
    return Wavelet(*(tuple(float(c) for c in taps) for taps in filters))


def _half_band(n: int) -> np.ndarray:
    """Return coefficients of P(y) = sum_k C(n - 1 + k, k) y^k, k < n, from the constant on."""
    return np.array([comb(n - 1 + k, k) for k in range(n)], dtype=float)


def _daubechies(n: int) -> Wavelet:
    """Return the wavelet of n vanishing moments and 2 n taps with extremal phase.

    Source: Daubechies (1988): low(z) = sqrt(2) ((1 + z) / 2)^n Q(z) with |Q|^2 = P(sin^2(w / 2)) and the roots of Q
    inside the unit circle.
    """
    low = np.ones(1)
    for _ in range(n):
        low = np.convolve(low, [0.5, 0.5])
    for y in np.roots(_half_band(n)[::-1]):
        # y = (2 - z - 1/z) / 4: two roots z, of which the inner one is kept
        middle = 1 - 2 * y
        root = middle - np.sqrt(middle**2 - 1 + 0j)
        root = root if abs(root) < 1 else 1 / root
        low = np.convolve(low, np.array([1, -root]) / (1 - root))
    low = sqrt(2) * np.real(low)
    return _bank(low, low[::-1])


def _spline(order: int, dual_order: int) -> Wavelet:
    """Return the biorthogonal wavelet whose synthesis low-pass is a B-spline of the given order.

    Source: Cohen, Daubechies and Feauveau (1992), section 6.A.
    """
    spline = np.ones(1)
    for _ in range(order):
        spline = np.convolve(spline, [0.5, 0.5])
    dual = np.ones(1)
    for _ in range(dual_order):
        dual = np.convolve(dual, [0.5, 0.5])
    terms = _half_band((order + dual_order) // 2)
    total, power = np.zeros(2 * len(terms) - 1), np.ones(1)
    for k, weight in enumerate(terms):
        middle = len(terms) - 1
        total[middle - k : middle + k + 1] += weight * power
        power = np.convolve(power, [-0.25, 0.5, -0.25])  # (2 - z - 1/z) / 4
    dual = np.convolve(dual, total)
    if order % 2 == 0:  # odd lengths are made even; the centres are one tap apart
        dual = np.concatenate(([0.0], dual))
    before = (len(dual) - len(spline)) // 2
    spline = np.concatenate((np.zeros(before), spline, np.zeros(len(dual) - len(spline) - before)))
    return _bank(sqrt(2) * spline, sqrt(2) * dual)
