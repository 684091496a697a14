"""Summaries of stored scores: numbers of other papers, and statistics of all trajectories together.

Each says what it reduces, and in which order. NumPy in and out. An infinity (a diverged forecast) stays one. Means of
errors pass over values that are not defined (NaN), as where the reference vanishes.
"""

from __future__ import annotations

import numpy as np

from pdekit.metrics.horizons import mean_where_defined


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
        mean = mean_where_defined(np.asarray(error, dtype=np.float64), -2)[..., :first]
        return np.asarray(np.exp(mean_where_defined(np.log(mean))))


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
    return np.asarray(mean_where_defined(np.asarray(error, dtype=np.float64)[..., first:end]))


def conserved_rmse(bias: np.ndarray) -> np.ndarray:
    """Root of the mean square over "trajectory" of the bias, "... trajectory time": PDEBench's cRMSE.

    >>> conserved_rmse(np.array([[3.0], [-4.0]])).round(6).tolist()
    [3.535534]
    """
    return np.sqrt((np.asarray(bias, dtype=np.float64) ** 2).mean(-2))


def pooled_wasserstein(quantiles: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """W_1 of the one-point distributions of all trajectories together, from ``one_point_quantile`` of each.

    Quantiles of equal shares are values of equal weight, so that those of all trajectories are a sample of the whole.
    Trajectories that share their parameters make one distribution, whose sampling error is smaller than that of each
    by the root of their number; the same of one half of the reference's trajectories against the other is its floor.

    Args:
        quantiles, reference: "... trajectory quantile"; +inf if a trajectory has diverged.

    >>> one, two = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[2.5, 3.5], [0.5, 1.5]])
    >>> float(pooled_wasserstein(one, two))  # though each differs from its partner by more
    0.5
    """
    a, b = (np.sort(np.reshape(v, (*np.shape(v)[:-2], -1)).astype(np.float64), -1) for v in (quantiles, reference))
    with np.errstate(invalid="ignore"):
        distance = np.abs(a - b).mean(-1)
    return np.where(np.isfinite(a).all(-1), distance, np.inf)


def pooled_spectral_distance(spectra: np.ndarray, reference: np.ndarray, floor: float = 1e-7) -> np.ndarray:
    """Log-spectral distance, in decades, of spectra that are averaged over all trajectories first.

    Of ``frequency_spectrum``, or of ``energy_spectrum`` averaged over times. Where the averaged reference has less than
    ``floor`` of its largest value it is rounding, and not compared.

    Args:
        spectra, reference: "... trajectory wavenumber" (or frequency).

    >>> one, two = np.array([[1.0, 0.1], [1.0, 0.3]]), np.array([[10.0, 0.2], [10.0, 0.2]])
    >>> round(float(pooled_spectral_distance(one, two)), 6)  # one decade in one of two
    0.707107
    """
    a, b = (np.asarray(v, dtype=np.float64).mean(-2) for v in (spectra, reference))
    filled = b > floor * b.max(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        decades = np.where(filled, np.log10(a / b), 0.0)
        distance = np.sqrt((decades**2).sum(-1) / filled.sum(-1))
    return np.where(np.isfinite(distance), distance, np.inf)
