"""Loss weights over levels, all of the squared error of the *denoised* data D, and a loss of bounded slope.

The squared error of a net's output is that of D divided by `Parametrisation.gain`^2: multiply a weight by gain^2 to
weight the error of the output. With the signal-to-noise ratio SNR = 1 / k^2, min-SNR is min(SNR, 5) on D, and so
min(SNR, 5) / SNR on epsilon and min(SNR, 5) / (SNR + 1) on v.
"""

from __future__ import annotations

import torch
from torch import Tensor


def edm_weight(k: Tensor, scale: float = 1.0) -> Tensor:
    """Return (k^2 + s^2) / (k s)^2 (Karras et al. 2022, table 1): one on the output of `parametrisations.edm`."""
    return (k.square() + scale**2) / (k * scale).square()


def min_snr_weight(k: Tensor, largest: float = 5.0) -> Tensor:
    """Return min(1 / k^2, largest) (Hang et al. 2023, with largest = 5).

    Limits: it gives little weight to levels below k = 1 / sqrt(largest), where the small scales of a field are learnt.
    """
    return k.square().reciprocal().clamp(max=largest)


def cauchy(error: Tensor, scale: float) -> Tensor:
    """Return 2 c^2 log(1 + e^2 / (2 c^2)) of each error (Dao et al. 2025, for latent values with outliers).

    It is e^2 for errors well below c. Its slope is largest at e = sqrt(2) c, so that outliers do not lead the training;
    the minimum is then no longer the mean, and the denoiser is biased where the posterior is skewed.

    >>> cauchy(torch.tensor([0.01, 100.0]).double(), 1.0).round(decimals=4).tolist()
    [0.0001, 17.0348]
    """
    return 2 * scale**2 * torch.log1p(error.square() / (2 * scale**2))
