"""The separable discrete wavelet transform, one level, of any number of axes.

Each axis is filtered and halved, c_n = sum_j h_j u_(2n + s - j), with a low- and a high-pass filter, so that d axes
give 2^d bands. An axis is ``periodized`` (an even number of points, half as many coefficients) or ``zero`` (any number
of points, zeros beyond the ends, (n + taps - 1) // 2 coefficients). Coefficients are those of PyWavelets' modes
"periodization" and "zero".

Under the name ``fourier`` the bands are those of `pdekit.calculus.fourier_bands`: cosines and sines of the whole axis.

Along an axis the transform is a product with a matrix of n rows: exact and fast up to some thousand points.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus.fourier_bands import fourier_matrix
from pdekit.calculus.wavelet_filters import Wavelet, wavelet

FOURIER = "fourier"
MODES = ("periodized", "zero")


def coefficients(n: int, taps: int, mode: str) -> int:
    """Return the number of coefficients of each band along an axis of n points.

    >>> coefficients(21, 2, "zero"), coefficients(32, 6, "periodized")
    (11, 16)
    """
    return n // 2 if mode == "periodized" else (n + taps - 1) // 2


def check_axis(n: int, mode: str) -> None:
    """Raises ValueError if an axis of n points cannot be transformed in this mode."""
    if mode not in MODES:
        raise ValueError(f"expected a mode among {MODES}, got {mode!r}; choose one of these")
    if mode == "periodized" and n % 2:
        raise ValueError(f"expected an even number of points on a periodized axis, got {n}; use another grid or 'zero'")


@cache
def analysis_matrix(n: int, name: str, mode: str) -> np.ndarray:
    """Return the matrix from n points to the low, then the high band of an axis."""
    if name == FOURIER:
        check_axis(n, mode)
        return fourier_matrix(n, mode == "periodized")
    bank = wavelet(name)
    return np.concatenate([_analysis(n, taps, mode) for taps in (bank.analysis_low, bank.analysis_high)])


@cache
def synthesis_matrix(n: int, name: str, mode: str) -> np.ndarray:
    """Return the matrix from the low, then the high band of an axis to its n points."""
    if name == FOURIER:
        check_axis(n, mode)
        return fourier_matrix(n, mode == "periodized").T
    bank: Wavelet = wavelet(name)
    return np.concatenate([_synthesis(n, taps, mode) for taps in (bank.synthesis_low, bank.synthesis_high)], axis=1)


def _analysis(n: int, taps: Sequence[float], mode: str) -> np.ndarray:
    check_axis(n, mode)
    matrix = np.zeros((coefficients(n, len(taps), mode), n))
    first = len(taps) // 2 if mode == "periodized" else 1
    for row, (j, tap) in itertools.product(range(len(matrix)), enumerate(taps)):
        column = first + 2 * row - j
        if mode == "periodized":
            matrix[row, column % n] += tap
        elif 0 <= column < n:
            matrix[row, column] += tap
    return matrix


def _synthesis(n: int, taps: Sequence[float], mode: str) -> np.ndarray:
    check_axis(n, mode)
    matrix = np.zeros((n, coefficients(n, len(taps), mode)))
    first = len(taps) // 2 - 1 if mode == "periodized" else len(taps) - 2
    for column, (j, tap) in itertools.product(range(matrix.shape[1]), enumerate(taps)):
        row = 2 * column + j - first
        if mode == "periodized":
            matrix[row % n, column] += tap
        elif 0 <= row < n:
            matrix[row, column] += tap
    return matrix


def wavelet_bands(
    u: Float[Tensor, "batch channel *axes"], name: str, modes: Sequence[str]
) -> Float[Tensor, "batch band channel *coarse"]:
    """Return the 2^d bands of u; band b has bit d - 1 - i set where axis i was high-pass filtered.

    Args:
        u: fields.
        name: name of the wavelet.
        modes: "periodized" or "zero" for each axis.

    Raises:
        ValueError: on an unknown wavelet or mode, or an odd number of points on a periodized axis.

    >>> [round(c, 3) for c in wavelet_bands(torch.ones(1, 1, 4), "haar", ("periodized",)).flatten().tolist()]
    [1.414, 1.414, 0.0, 0.0]
    """
    bands = [u]
    for axis, mode in enumerate(modes):
        matrix = _tensor(analysis_matrix(u.shape[2 + axis], name, mode), u)
        bands = [half for part in bands for half in _along(matrix, part, 2 + axis).chunk(2, dim=2 + axis)]
    return torch.stack(bands, 1)


def from_wavelet_bands(
    bands: Float[Tensor, "batch band channel *coarse"], name: str, modes: Sequence[str], shape: Sequence[int]
) -> Float[Tensor, "batch channel *axes"]:
    """Return the fields of given bands, the inverse of `wavelet_bands`.

    Args:
        bands: bands in the order of `wavelet_bands`.
        name: name of the wavelet.
        modes: boundary mode of each axis.
        shape: points of each axis.
    """
    parts = list(bands.unbind(1))
    for axis in reversed(range(len(modes))):
        matrix = _tensor(synthesis_matrix(shape[axis], name, modes[axis]), bands)
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [_along(matrix, torch.cat(pair, 2 + axis), 2 + axis) for pair in pairs]
    return parts[0]


def _along(matrix: Tensor, u: Tensor, axis: int) -> Tensor:
    return torch.tensordot(u, matrix, ([axis], [1])).movedim(-1, axis)


def _tensor(matrix: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(matrix).to(like)
