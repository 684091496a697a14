"""Sensor placement: where to observe so that the posterior variance falls fastest."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def place_sensors(
    samples: Float[Tensor, "sample point"],
    n_sensors: int,
    noise: float,
    candidates: Bool[Tensor, "point"] | None = None,
) -> tuple[Int[Tensor, "sensor"], Float[Tensor, "sensor"]]:
    """Choose points one after another, each where the posterior variance given those before is largest.

    For a Gaussian prior with the covariance C of the samples this maximises the determinant of the observed
    covariance C_oo + s^2 greedily (D-optimal design), because the gain of a point of variance v is ln(1 + v / s^2).
    Each observation updates the variance by the rank-one rule v <- v - c^2 / (c_i + s^2), c the posterior covariance
    with the chosen point i; C itself is never formed.

    Limits: a prior that is not Gaussian enters by its covariance only. With P samples at most P - 1 sensors have
    anything to say.

    Args:
        samples: of the prior, or of a posterior.
        n_sensors: how many to place.
        noise: standard deviation of a sensor's error.
        candidates: points where a sensor may stand; all if None.

    Returns:
        (the points in the order chosen, the variance at each just before it was observed).

    Raises:
        ValueError: if there are fewer candidates than sensors, fewer than two samples, or the noise is not positive.

    >>> spread = torch.tensor([[1.0, 0.9, 0.1], [-1.0, -0.9, 0.1], [0.0, 0.0, -0.2]], dtype=torch.float64)
    >>> place_sensors(spread, 2, 0.1)[0].tolist()
    [0, 2]
    """
    n_candidates = samples.shape[1] if candidates is None else int(candidates.sum())
    if not 1 <= n_sensors <= n_candidates or len(samples) < 2 or not noise > 0:
        raise ValueError(
            f"expected 1 to {n_candidates} sensors, 2 or more samples and a noise above 0, got {n_sensors}, "
            f"{len(samples)}, {noise}; correct them"
        )
    deviation = (samples - samples.mean(0)) / (len(samples) - 1) ** 0.5
    variance = deviation.square().sum(0)
    chosen, before = [], []
    factors: list[Tensor] = []
    free = torch.ones_like(variance, dtype=torch.bool) if candidates is None else candidates.clone()
    for _ in range(n_sensors):
        i = int(torch.where(free, variance, -torch.inf).argmax())
        covariance = deviation.T @ deviation[:, i] - sum(factor * factor[i] for factor in factors)
        chosen.append(i)
        before.append(variance[i])
        factors.append(covariance / (covariance[i] + noise**2).sqrt())
        variance = (variance - factors[-1].square()).clamp_min(0)
        free[i] = False
    return torch.tensor(chosen), torch.stack(before)
