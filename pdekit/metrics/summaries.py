"""Numbers of other papers, from stored scores: each says what it reduces, and in which order. NumPy in and out.

An infinity (a diverged forecast) stays one; nothing is skipped.
"""

from __future__ import annotations

import numpy as np


def geometric_mean_of_mean(error: np.ndarray, first: int = 100) -> np.ndarray:
    """Mean over "trajectory", then the geometric mean over the first frames of "time" (APEBench, Koehler et al. 2024).

    Zero if a mean error is zero.

    Args:
        error: "... trajectory time".
        first: frames that count, all if there are fewer.

    >>> float(geometric_mean_of_mean(np.array([[1.0, 4.0], [3.0, 4.0]])).round(9))
    2.828427125
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(np.log(np.asarray(error, dtype=np.float64).mean(-2)[..., :first]).mean(-1)))


def window_mean(error: np.ndarray, first: int, end: int) -> np.ndarray:
    """Mean over the frames first, ..., end - 1 of "... time", frame 0 being the first forecast one.

    The Well (Ohana et al. 2024) reports VRMSE over the windows 6:12 and 13:30.

    Raises:
        ValueError: if the forecast is shorter.

    >>> float(window_mean(np.arange(10.0), 2, 5))
    3.0
    """
    n = np.shape(error)[-1]
    if not 0 <= first < end <= n:
        raise ValueError(f"expected a window within 0:{n}, got {first}:{end}; evaluate with horizon={end} or more")
    return np.asarray(np.asarray(error, dtype=np.float64)[..., first:end].mean(-1))


def conserved_rmse(bias: np.ndarray) -> np.ndarray:
    """Root of the mean square over "trajectory" of the bias, "... trajectory time": PDEBench's cRMSE.

    >>> conserved_rmse(np.array([[3.0], [-4.0]])).round(6).tolist()
    [3.535534]
    """
    return np.sqrt((np.asarray(bias, dtype=np.float64) ** 2).mean(-2))
